#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/assert.hpp"
#include "net/tls_failure.hpp"
#include "net/tls_stream.hpp"

namespace weir::net {

namespace {

constexpr std::size_t sessions_max = 4;  // remembered for each server and core
constexpr auto session_life = std::chrono::hours(2);
constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

BioPtr view_of(std::string_view text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  WEIR_ASSERT(bio != nullptr, "OpenSSL has memory for a view");
  return bio;
}

/// All certificates of a PEM text; they belong to the caller.
std::vector<X509*> read_certificates(std::string_view pem) {
  std::vector<X509*> all;
  const BioPtr bio = view_of(pem);
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    all.push_back(certificate);
  }
  ERR_clear_error();
  return all;
}

/// A key that needs a passphrase is refused: nobody is there to ask.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  const bool is = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return is;
}

int choose_http_1_1(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, http_1_1.data(), http_1_1.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301: nothing in common
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

std::string answer_to_plain_http() {
  constexpr std::string_view body =
      R"({"error":{"message":"This port speaks TLS: write https:// in place of http:// in the address.",)"
      R"("type":"invalid_request_error","param":null,"code":"tls_required"}})";
  return fmt::format(
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      body.size(), body);
}

}  // namespace

Result<std::shared_ptr<const TlsRoots>> TlsRoots::from_pem(std::string_view pem) {
  const std::vector<X509*> certificates = read_certificates(pem);
  if (certificates.empty()) {
    return fail(Code::invalid_request, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  X509_STORE* store = X509_STORE_new();
  WEIR_ASSERT(store != nullptr, "OpenSSL has memory for certificates");
  for (X509* certificate : certificates) {
    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  return std::make_shared<const TlsRoots>(store);
}

TlsRoots::TlsRoots(X509_STORE* store) : store_(store) {}

TlsRoots::~TlsRoots() {
  X509_STORE_free(store_);
}

void TlsContext::Deleter::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

TlsContext::ContextPtr TlsContext::make(const SSL_METHOD* method, TlsVersion minimum) {
  ContextPtr context(SSL_CTX_new(method));
  WEIR_ASSERT(context != nullptr, "OpenSSL can make a context");
  SSL_CTX_set_min_proto_version(context.get(), minimum == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  // A connection that waits holds no record buffers; a slow one may come with its bytes at another address.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_timeout(context.get(), std::chrono::seconds(session_life).count());
  return context;
}

TlsClient::TlsClient(Options options) : options_(std::move(options)) {
  context_ = make(TLS_client_method(), options_.minimum);
  SSL_CTX* context = context_.get();
  SSL_CTX_set_alpn_protos(context, http_1_1.data(), http_1_1.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsClient::keep_session);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_verify(context, options_.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     options_.verify ? &note_verdict : nullptr);
  if (options_.roots != nullptr) {
    SSL_CTX_set1_cert_store(context, options_.roots->store());
  }
  X509_VERIFY_PARAM* wanted = SSL_CTX_get0_param(context);
  if (is_address(options_.server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(wanted, options_.server_name.c_str());
  } else {
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(wanted, options_.server_name.data(), options_.server_name.size());
  }
}

TlsClient::~TlsClient() {
  SSL_CTX_set_app_data(context_.get(), nullptr);  // connections of ours may still be closing
  forget_sessions();
}

void TlsClient::forget_sessions() {
  for (SSL_SESSION* session : sessions_) {
    SSL_SESSION_free(session);
  }
  sessions_.clear();
}

/// Called when the server offers to come back later, inside a read. 1: the session is ours now.
int TlsClient::keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* client = static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (client == nullptr) {
    return 0;
  }
  client->sessions_.push_back(session);
  if (client->sessions_.size() > sessions_max) {
    SSL_SESSION_free(client->sessions_.front());
    client->sessions_.erase(client->sessions_.begin());
  }
  return 1;
}

void TlsClient::use_session(SSL* ssl) {
  if (sessions_.empty()) {
    return;
  }
  SSL_SESSION* session = sessions_.back();
  SSL_set_session(ssl, session);
  if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
    sessions_.pop_back();  // RFC 8446 C.4: used twice, a ticket tells an observer that both are the same client
    SSL_SESSION_free(session);
  }
}

Task<Result<std::unique_ptr<platform::Stream>>> TlsClient::secure(platform::Loop& loop,
                                                                  std::unique_ptr<platform::Stream> stream,
                                                                  platform::Until until) {
  if (options_.verify && options_.roots == nullptr) {
    ++statistics_.failed;
    co_return fail(
        Code::unreachable,
        fmt::format(
            "TLS: this machine names no authorities for certificates; install ca-certificates, or name a file in "
            "{}",
            options_.cures.ca_file));
  }
  SslPtr ssl(SSL_new(context_.get()));
  WEIR_ASSERT(ssl != nullptr, "OpenSSL has memory for a connection");
  SSL_set_connect_state(ssl.get());
  if (!is_address(options_.server_name)) {
    SSL_set_tlsext_host_name(ssl.get(), options_.server_name.c_str());
  }
  use_session(ssl.get());
  TlsVerdict verdict;
  SSL_set_app_data(ssl.get(), &verdict);
  auto secured = std::make_unique<TlsStream>(loop, std::move(stream), std::move(ssl));
  const auto done = co_await secured->handshake(until);
  SSL_set_app_data(secured->engine().ssl(), nullptr);
  if (!done) {
    ++statistics_.failed;
    if (done.error() != Code::cancelled) {
      forget_sessions();  // where one of them is the cause, the next try must not meet it again
    }
    co_return std::unexpected(
        client_handshake_error(*secured, done.error(), verdict, options_.server_name, options_.cures));
  }
  ++statistics_.handshakes;
  statistics_.resumed += secured->engine().resumed() ? 1 : 0;
  co_return std::unique_ptr<platform::Stream>(std::move(secured));
}

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::from_pem(std::string_view certificates, std::string_view key) {
  const auto identity = std::make_shared<TlsIdentity>();
  identity->chain_ = read_certificates(certificates);
  if (identity->chain_.empty()) {
    return fail(Code::invalid_request, "cert_file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  const BioPtr bio = view_of(key);
  identity->key_ = PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr);
  ERR_clear_error();
  if (identity->key_ == nullptr) {
    return fail(Code::invalid_request,
                key.contains("ENCRYPTED")
                    ? "key_file holds a key that is protected by a passphrase; store it without one "
                      "(openssl pkey), readable by weir's user alone"
                    : "key_file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
  const bool fits = X509_check_private_key(identity->chain_.front(), identity->key_) == 1;
  ERR_clear_error();
  if (!fits) {
    return fail(Code::invalid_request,
                "key_file holds the key of another certificate than the first one of cert_file; the server's own "
                "certificate stands first, those of its authorities follow");
  }
  return identity;
}

TlsIdentity::~TlsIdentity() {
  for (X509* certificate : chain_) {
    X509_free(certificate);
  }
  EVP_PKEY_free(key_);
}

std::int64_t TlsIdentity::expires() const {
  std::tm parts{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate()), &parts);
  return timegm(&parts);
}

TlsTicketKeys make_ticket_keys() {
  TlsTicketKeys keys(80, '\0');  // OpenSSL 3: a name of 16 bytes, and two keys of 32
  RAND_bytes(reinterpret_cast<unsigned char*>(keys.data()), static_cast<int>(keys.size()));
  return keys;
}

TlsServer::TlsServer(const Options& options) {
  replace(options);
}

void TlsServer::replace(const Options& options) {
  ContextPtr made = make(TLS_server_method(), options.minimum);
  SSL_CTX* context = made.get();
  SSL_CTX_use_certificate(context, options.identity->certificate());
  for (std::size_t i = 1; i < options.identity->chain_.size(); ++i) {
    SSL_CTX_add1_chain_cert(context, options.identity->chain_[i]);
  }
  SSL_CTX_use_PrivateKey(context, options.identity->key_);
  SSL_CTX_set_alpn_select_cb(context, &choose_http_1_1, nullptr);
  // Sessions are held by the clients, in tickets; nothing is kept here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  constexpr std::array<unsigned char, 4> name{'w', 'e', 'i', 'r'};
  SSL_CTX_set_session_id_context(context, name.data(), name.size());
  TlsTicketKeys keys = options.ticket_keys;
  SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), static_cast<long>(keys.size()));
  context_ = std::move(made);
}

Task<Result<std::unique_ptr<platform::Stream>>> TlsServer::secure(platform::Loop& loop,
                                                                  std::unique_ptr<platform::Stream> stream,
                                                                  platform::Until until) {
  SslPtr ssl(SSL_new(context_.get()));
  WEIR_ASSERT(ssl != nullptr, "OpenSSL has memory for a connection");
  SSL_set_accept_state(ssl.get());
  auto secured = std::make_unique<TlsStream>(loop, std::move(stream), std::move(ssl));
  const auto done = co_await secured->handshake(until);
  if (!done) {
    ++statistics_.failed;
    Error error = server_handshake_error(*secured, done.error());
    if (speaks_plain_http(*secured)) {
      const auto below = secured->release();
      const std::string answer = answer_to_plain_http();
      const std::string_view slice = answer;
      static_cast<void>(below->write_now({&slice, 1}));  // a few bytes on a new connection: they fit
      below->close();
    }
    co_return std::unexpected(std::move(error));
  }
  ++statistics_.handshakes;
  statistics_.resumed += secured->engine().resumed() ? 1 : 0;
  co_return std::unique_ptr<platform::Stream>(std::move(secured));
}

}  // namespace weir::net

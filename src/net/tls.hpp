#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls_version.hpp"
#include "platform/loop.hpp"
#include "platform/stream.hpp"

// OpenSSL's own names for what its small header does not declare.
using SSL_METHOD = struct ssl_method_st;
using SSL_SESSION = struct ssl_session_st;

namespace weir::net {

/// The authorities whose signature under a certificate is believed. Never changed once made; shared by all threads.
class TlsRoots {
 public:
  /// From certificates in PEM. An error's message follows the name of what held them: "holds no certificate".
  static Result<std::shared_ptr<const TlsRoots>> from_pem(std::string_view pem);
  explicit TlsRoots(X509_STORE* store);  // takes it over
  TlsRoots(const TlsRoots&) = delete;
  TlsRoots& operator=(const TlsRoots&) = delete;
  ~TlsRoots();
  [[nodiscard]] X509_STORE* store() const { return store_; }

 private:
  X509_STORE* store_;
};

struct TlsStatistics {
  std::uint64_t handshakes = 0;  // that succeeded
  std::uint64_t resumed = 0;     // of those: without a new key exchange of certificates
  std::uint64_t failed = 0;
};

/// What OpenSSL needs to make connections of one kind on one core.
class TlsContext {
 public:
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  [[nodiscard]] const TlsStatistics& statistics() const { return statistics_; }

 protected:
  struct Deleter {
    void operator()(SSL_CTX* context) const;
  };
  using ContextPtr = std::unique_ptr<SSL_CTX, Deleter>;

  TlsContext() = default;
  ~TlsContext() = default;
  static ContextPtr make(const SSL_METHOD* method, TlsVersion minimum);

  ContextPtr context_;
  TlsStatistics statistics_;
};

/// What messages tell a person to look at: the words of whoever makes the connection.
struct TlsCures {
  std::string_view ca_file = "tls.ca_file";   // where an authority is named; lives for ever
  std::string_view address = "its base_url";  // where the scheme stands; likewise
};

/// The client's side: secures connections to one server, and remembers its sessions. Belongs to one loop.
class TlsClient final : public TlsContext {
 public:
  struct Options {
    std::string server_name;                // whom the certificate must name: a host name or an IP address
    std::shared_ptr<const TlsRoots> roots;  // may be null where nothing is verified
    bool verify = true;
    TlsVersion minimum = TlsVersion::tls_1_2;
    TlsCures cures{};
  };
  explicit TlsClient(Options options);
  ~TlsClient();

  /// Errors: unreachable: it speaks no TLS, or is not whom we wanted, in words that follow the server's name; reset,
  /// end_of_stream: it left in the handshake; timeout, cancelled.
  Task<Result<std::unique_ptr<platform::Stream>>> secure(platform::Loop& loop, std::unique_ptr<platform::Stream> stream,
                                                         platform::Until until);

 private:
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  void use_session(SSL* ssl);
  void forget_sessions();

  Options options_;
  std::vector<SSL_SESSION*> sessions_;  // the newest last; each is used once where TLS 1.3 made it
};

/// A certificate with its chain and its key, checked to fit. Never changed once made; shared by all threads.
class TlsIdentity {
 public:
  /// An error says which of the two is wrong and why: "cert_file holds no certificate".
  static Result<std::shared_ptr<const TlsIdentity>> from_pem(std::string_view certificates, std::string_view key);
  TlsIdentity() = default;
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;
  ~TlsIdentity();
  [[nodiscard]] X509* certificate() const { return chain_.front(); }
  /// When the certificate expires, in seconds since 1970.
  [[nodiscard]] std::int64_t expires() const;

 private:
  friend class TlsServer;
  std::vector<X509*> chain_;  // the server's own first
  EVP_PKEY* key_ = nullptr;
};

/// What encrypts the tickets with which clients come back, the same on all cores: a client may come back to another.
using TlsTicketKeys = std::string;
TlsTicketKeys make_ticket_keys();

/// The server's side: secures accepted connections. Belongs to one loop.
class TlsServer final : public TlsContext {
 public:
  struct Options {
    std::shared_ptr<const TlsIdentity> identity;
    TlsVersion minimum = TlsVersion::tls_1_2;
    TlsTicketKeys ticket_keys;
  };
  explicit TlsServer(const Options& options);
  ~TlsServer() = default;

  /// New connections get this from now on; those that are open keep what they began with.
  void replace(const Options& options);
  /// Errors: upstream_malformed: no TLS, or none that both sides speak; reset, end_of_stream, timeout, cancelled. A
  /// client that speaks plain HTTP gets an answer that says so.
  Task<Result<std::unique_ptr<platform::Stream>>> secure(platform::Loop& loop, std::unique_ptr<platform::Stream> stream,
                                                         platform::Until until);
};

}  // namespace weir::net

#include "net/tls_failure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>

namespace weir::net {

namespace {

constexpr std::size_t names_max = 8;

/// "a.test, *.b.test": whom a certificate is for.
std::string names_of(X509* certificate) {
  std::string names;
  std::size_t count = 0;
  void* found = X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr);
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> all(static_cast<GENERAL_NAMES*>(found),
                                                                     &GENERAL_NAMES_free);
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()) && count < names_max; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    std::string text;
    if (name->type == GEN_DNS) {
      const auto* bytes = ASN1_STRING_get0_data(name->d.dNSName);
      text.assign(bytes, bytes + ASN1_STRING_length(name->d.dNSName));
    } else if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4) {
      const unsigned char* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
      text = fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
    } else {
      continue;
    }
    for (char& c : text) {
      c = c > ' ' && c < '\x7f' ? c : '?';
    }
    names += (count++ == 0 ? "" : ", ") + text.substr(0, 100);
  }
  return names;
}

std::string date_of(const ASN1_TIME* time) {
  std::tm parts{};
  return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", parts)
                                                               : std::string("an unreadable date");
}

/// What is wrong with the certificate, and the cure.
std::string words_of(const TlsVerdict& verdict, const std::string& server_name, const TlsCures& cures) {
  switch (verdict.error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("its certificate is not for {}{}", server_name,
                         verdict.names.empty() ? std::string(" and names nobody") : " but for " + verdict.names);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("its certificate, or one of its chain, has expired: it was valid until {}", verdict.ends);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("its certificate, or one of its chain, is not valid before {}", verdict.begins);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format(
          "its certificate is not signed by an authority that is known here ({}); if that is meant, name the "
          "authority's certificate in {}",
          X509_verify_cert_error_string(verdict.error), cures.ca_file);
    default: return fmt::format("its certificate is not accepted: {}", X509_verify_cert_error_string(verdict.error));
  }
}

std::string reason_text(int reason) {
  const char* text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  return text == nullptr ? fmt::format("reason {}", reason) : std::string(text);
}

/// What a peer says that speaks no TLS, where that is text.
std::string plain_text(const std::string& first_bytes) {
  std::string text;
  for (const char c : first_bytes) {
    if (c < ' ' || c > '~') {
      break;
    }
    text += c;
  }
  return text;
}

}  // namespace

int note_verdict(int accepted, X509_STORE_CTX* looking_at) {
  if (accepted == 1) {
    return 1;
  }
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(looking_at, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* verdict = static_cast<TlsVerdict*>(SSL_get_app_data(ssl));
  X509* certificate = X509_STORE_CTX_get_current_cert(looking_at);
  if (verdict != nullptr && verdict->error == 0) {
    verdict->error = X509_STORE_CTX_get_error(looking_at);
    if (certificate != nullptr) {
      verdict->names = names_of(certificate);
      verdict->begins = date_of(X509_get0_notBefore(certificate));
      verdict->ends = date_of(X509_get0_notAfter(certificate));
    }
  }
  return 0;
}

Error client_handshake_error(const TlsStream& stream, Code code, const TlsVerdict& verdict,
                             const std::string& server_name, const TlsCures& cures) {
  switch (code) {
    case Code::timeout: return {code, "the TLS handshake took too long"};
    case Code::end_of_stream: return {code, "it closed the connection during the TLS handshake"};
    case Code::reset: return {code, "it reset the connection during the TLS handshake"};
    case Code::upstream_malformed: break;
    default: return {code, "the TLS handshake was ended"};
  }
  if (verdict.error != 0) {
    return {Code::upstream_certificate, "TLS: " + words_of(verdict, server_name, cures)};
  }
  const int reason = stream.engine().reason();
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_UNKNOWN_PROTOCOL) {
    if (const std::string text = plain_text(stream.first_bytes()); text.starts_with("HTTP/")) {
      return {Code::unreachable,
              fmt::format("it answers in plain HTTP where TLS was expected; if that is meant, write http:// in {}",
                          cures.address)};
    }
    return {Code::unreachable, "it does not speak TLS on this port"};
  }
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
      reason == SSL_R_NO_PROTOCOLS_AVAILABLE) {
    return {Code::unreachable, "TLS: both sides have no version of TLS in common (see tls.min_version)"};
  }
  return {Code::unreachable, fmt::format("TLS: the handshake failed: {}", reason_text(reason))};
}

Error server_handshake_error(const TlsStream& stream, Code code) {
  if (code != Code::upstream_malformed) {
    return {code, "left during the TLS handshake"};
  }
  return {code, speaks_plain_http(stream)
                    ? std::string("speaks plain HTTP")
                    : fmt::format("failed in the TLS handshake: {}", reason_text(stream.engine().reason()))};
}

bool speaks_plain_http(const TlsStream& stream) {
  const int reason = stream.engine().reason();
  return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
}

}  // namespace weir::net

#pragma once

#include "base/result.hpp"
#include "net/tls.hpp"
#include "net/tls_stream.hpp"

namespace weir::net {

/// What was found wrong with the server's certificate, noted while it was looked at: later OpenSSL shows it no more.
struct TlsVerdict {
  int error = 0;      // X509_V_ERR_*; 0: nothing
  std::string names;  // whom the certificate is for
  std::string begins;
  std::string ends;
};
/// For SSL_set_verify; the connection's app data is its TlsVerdict, or null.
int note_verdict(int accepted, X509_STORE_CTX* looking_at);

/// Why a handshake as a client failed, in words that follow the server's name; `code` is what handshake() said.
Error client_handshake_error(const TlsStream& stream, Code code, const TlsVerdict& verdict,
                             const std::string& server_name, const TlsCures& cures);
/// The same for a server, in words that follow the client's address.
Error server_handshake_error(const TlsStream& stream, Code code);
/// The client speaks plain HTTP.
bool speaks_plain_http(const TlsStream& stream);

}  // namespace weir::net

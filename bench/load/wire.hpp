#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace weir::load {

/// The bytes of one connection: as they are, or through TLS. What TLS holds back looks like a socket that is not ready:
/// -1 with errno EAGAIN. Does not own the socket.
class Wire {
 public:
  Wire() = default;
  explicit Wire(int socket) : socket_(socket) {}
  /// Shakes hands on a socket that is still blocking. The certificate is not looked at: only loopback is ever loaded.
  /// Returns false when that fails.
  bool start_tls(SSL_CTX& context);
  [[nodiscard]] ssize_t send(const char* bytes, std::size_t count);
  [[nodiscard]] ssize_t receive(char* into, std::size_t count);
  /// Decrypted bytes wait that no event of the socket will tell about.
  [[nodiscard]] bool more_at_hand() const;

 private:
  struct FreeTls {
    void operator()(SSL* tls) const;
  };
  int socket_ = -1;
  std::unique_ptr<SSL, FreeTls> tls_;
};

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTlsContext>;
TlsContext make_tls_context();

}  // namespace weir::load

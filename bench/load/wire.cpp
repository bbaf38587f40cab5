#include "load/wire.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace weir::load {
namespace {

/// TLS's answer in the words of a socket call.
ssize_t as_socket_result(const SSL* tls, int result) {
  if (result > 0) {
    return result;
  }
  switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    default: errno = ECONNRESET; return -1;
  }
}

int as_int(std::size_t count) {
  return static_cast<int>(std::min<std::size_t>(count, INT_MAX));
}

}  // namespace

void Wire::FreeTls::operator()(SSL* tls) const {
  SSL_free(tls);
}

void FreeTlsContext::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

TlsContext make_tls_context() {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

bool Wire::start_tls(SSL_CTX& context) {
  tls_.reset(SSL_new(&context));
  return tls_ != nullptr && SSL_set_fd(tls_.get(), socket_) == 1 && SSL_connect(tls_.get()) == 1;
}

ssize_t Wire::send(const char* bytes, std::size_t count) {
  if (tls_ == nullptr) {
    return ::send(socket_, bytes, count, MSG_NOSIGNAL);
  }
  return as_socket_result(tls_.get(), SSL_write(tls_.get(), bytes, as_int(count)));
}

ssize_t Wire::receive(char* into, std::size_t count) {
  if (tls_ == nullptr) {
    return ::recv(socket_, into, count, 0);
  }
  return as_socket_result(tls_.get(), SSL_read(tls_.get(), into, as_int(count)));
}

bool Wire::more_at_hand() const {
  return tls_ != nullptr && SSL_pending(tls_.get()) > 0;
}

}  // namespace weir::load

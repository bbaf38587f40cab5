#include "net/tls_engine.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace weir::net {

void SslDeleter::operator()(SSL* ssl) const {
  SSL_free(ssl);
}

namespace {

constexpr std::size_t output_kept_max = 2048;  // of an empty output buffer: a slow stream's events need no more

}  // namespace

/// What OpenSSL takes for its socket.
struct TlsBio {
  static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
    auto& io = *static_cast<TlsEngine::Io*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *got = std::min(size, io.input.size());
    if (*got == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, io.input.data(), *got);
    io.input = io.input.subspan(*got);
    return 1;
  }
  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* taken) {
    auto& io = *static_cast<TlsEngine::Io*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    io.output.append(from, size);
    *taken = size;
    return 1;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }

  /// A table of functions, the same for all, never changed.
  static const BIO_METHOD* method() {
    struct Deleter {
      void operator()(BIO_METHOD* made) const { BIO_meth_free(made); }
    };
    static const std::unique_ptr<BIO_METHOD, Deleter> made = [] {
      BIO_METHOD* table = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
      WEIR_ASSERT(table != nullptr, "OpenSSL has memory for a table of functions");
      BIO_meth_set_read_ex(table, &TlsBio::read);
      BIO_meth_set_write_ex(table, &TlsBio::write);
      BIO_meth_set_ctrl(table, &TlsBio::control);
      BIO_meth_set_create(table, &TlsBio::create);
      return std::unique_ptr<BIO_METHOD, Deleter>(table);
    }();
    return made.get();
  }
  static BIO* make(TlsEngine::Io& io) {
    BIO* bio = BIO_new(method());
    WEIR_ASSERT(bio != nullptr, "OpenSSL has memory for a connection");
    BIO_set_data(bio, &io);
    return bio;
  }
};

TlsEngine::TlsEngine(SslPtr ssl) : ssl_(std::move(ssl)) {
  BIO* bio = TlsBio::make(io_);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsEngine::~TlsEngine() = default;

TlsEngine::Step TlsEngine::judge(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return Step::want_input;
    case SSL_ERROR_ZERO_RETURN: return Step::closed;
    default: break;
  }
  reason_ = ERR_GET_REASON(ERR_peek_error());
  return Step::failed;
}

TlsEngine::Step TlsEngine::handshake() {
  ERR_clear_error();  // SSL_get_error() looks at what the thread's last failure left behind
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? Step::done : judge(result);
}

TlsEngine::Step TlsEngine::look() {
  if (end_) {
    return *end_;
  }
  char first = 0;
  std::size_t got = 0;
  ERR_clear_error();
  const int result = SSL_peek_ex(ssl_.get(), &first, 1, &got);
  if (result == 1) {
    return Step::done;
  }
  const Step step = judge(result);
  if (step != Step::want_input) {
    end_ = step;
  }
  return step;
}

std::size_t TlsEngine::read(std::span<char> into) {
  std::size_t total = 0;
  while (total < into.size() && (total == 0 || look() == Step::done)) {
    std::size_t got = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got) != 1) {
      break;  // look() tells the reason again
    }
    total += got;
  }
  return total;
}

bool TlsEngine::may_hold_data() const {
  return end_ || !io_.input.empty() || SSL_pending(ssl_.get()) > 0;
}

bool TlsEngine::write(std::string_view plain) {
  std::size_t written = 0;
  ERR_clear_error();
  return SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) == 1 && written == plain.size();
}

void TlsEngine::close_notify() {
  if (SSL_is_init_finished(ssl_.get()) == 1 && reason_ == 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
}

void TlsEngine::take_output(std::size_t count) {
  io_.sent += count;
  if (io_.sent < io_.output.size()) {
    return;
  }
  io_.sent = 0;
  if (io_.output.capacity() > output_kept_max) {
    std::string().swap(io_.output);
  } else {
    io_.output.clear();
  }
}

bool TlsEngine::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

}  // namespace weir::net

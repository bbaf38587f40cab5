#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::net {

struct SslDeleter {
  void operator()(SSL* ssl) const;
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

/// One side of a TLS connection as a value: ciphertext in, plaintext out, and the other way round. No I/O, no clock.
///
/// OpenSSL reads from a view of what was fed and writes into a buffer of ours: no socket, and none of its own memory
/// buffers, which never shrink. Belongs to one thread.
class TlsEngine {
 public:
  static constexpr std::size_t record_bytes_max = std::size_t{16} * 1024;  // plaintext in one record

  enum class Step : std::uint8_t {
    done,
    want_input,  // more ciphertext is needed
    closed,      // the peer said orderly that it sends no more (close_notify)
    failed,      // an alert, or bytes that are no TLS; for good
  };

  explicit TlsEngine(SslPtr ssl);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  /// Shows ciphertext to the steps that follow. The view lives until input_left() is 0 or the next feed().
  void feed(std::span<const char> input) { io_.input = input; }
  /// Bytes of the last feed() that were not taken yet.
  [[nodiscard]] std::size_t input_left() const { return io_.input.size(); }
  /// look() may find something without new input: data, or the end.
  [[nodiscard]] bool may_hold_data() const;

  Step handshake();
  /// Whether there is plaintext (done), and if not why.
  Step look();
  /// After look() said done: as much as is there, up to `into.size()` > 0.
  std::size_t read(std::span<char> into);
  /// Encrypts `plain` (1 byte to record_bytes_max) as one record; false: for good no longer possible.
  bool write(std::string_view plain);
  /// Says orderly that no more will be sent.
  void close_notify();

  /// Ciphertext to be sent, in order. take_output() forgets its first bytes.
  [[nodiscard]] std::string_view output() const { return std::string_view(io_.output).substr(io_.sent); }
  void take_output(std::size_t count);

  /// The handshake used what an earlier connection had agreed on.
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  /// OpenSSL's reason for the step that failed (ERR_GET_REASON), and 0 where there was none.
  [[nodiscard]] int reason() const { return reason_; }

 private:
  friend struct TlsBio;
  struct Io {
    std::span<const char> input;
    std::string output;
    std::size_t sent = 0;  // first bytes of `output` that have left
  };
  Step judge(int result);

  Io io_;
  SslPtr ssl_;
  std::optional<Step> end_;  // closed or failed: what look() says from then on
  int reason_ = 0;
};

}  // namespace weir::net

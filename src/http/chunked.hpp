// The chunked transfer coding, both directions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

/// Takes a chunked body apart.
///
/// Feed bytes as they come, cut anywhere; each step tells how many of them it used and gives at most one piece of
/// payload, a view into the bytes fed. What follows the body (a pipelined message) is never touched. Chunk extensions
/// and trailers are checked, counted and dropped. No I/O, no allocation; not thread-safe. The payload's total size is
/// the caller's to bound.
/// ```
/// for (;;) {
///   const auto step = decoder.next(bytes);
///   bytes.remove_prefix(step.consumed);
///   if (step.kind != ChunkedDecoder::Kind::payload) { break; }
///   use(step.payload);
/// }
/// ```
/// Source: RFC 9112 section 7.1 (June 2022). Stricter than it: a blank may not follow the chunk size.
class ChunkedDecoder {
 public:
  static constexpr std::size_t size_digits_max = 16;            // what fits into 64 bits
  static constexpr std::size_t extension_bytes_max = 4 * 1024;  // per message
  static constexpr std::size_t trailer_bytes_max = 8 * 1024;    // per message

  enum class Kind : std::uint8_t {
    need_more,  // everything was used
    payload,
    done,   // the body's last byte was used
    error,  // reason() says why; stays so
  };
  struct Step {
    Kind kind = Kind::need_more;
    std::size_t consumed = 0;
    std::string_view payload;  // never empty with Kind::payload
  };

  Step next(std::string_view bytes);
  /// Why it failed; our words. Empty text while it has not.
  [[nodiscard]] const char* reason() const { return reason_; }
  /// How many bytes of the chunk that was begun are still to come: what a reader may ask its buffer for.
  [[nodiscard]] std::uint64_t chunk_left() const { return state_ == State::payload ? left_ : 0; }
  /// Ready for another body.
  void reset() { *this = ChunkedDecoder{}; }

 private:
  enum class State : std::uint8_t {
    size_first,  // the first digit of a chunk size
    size,        // more digits, or what ends them
    extension,   // after ";", up to CR
    size_lf,     // LF after the size line
    payload,
    payload_cr,  // CRLF behind the payload
    payload_lf,
    trailer_first,  // the first byte of a trailer line, or the CR of the last line
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    done,
    failed,
  };

  // Uses one byte of anything but payload. False once failed.
  bool take(char c);
  bool take_trailer(char c);
  bool fail(const char* reason);

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint16_t extension_bytes_ = 0;
  std::uint16_t trailer_bytes_ = 0;
  std::uint64_t left_ = 0;
  const char* reason_ = "";
};

/// Room for what append_chunk_head() writes.
inline constexpr std::size_t chunk_head_bytes_max = 16 + 2;
/// Behind each chunk's payload.
inline constexpr std::string_view chunk_end = "\r\n";
/// Ends a body, without trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// Writes `size` in hex and CRLF to `out`, which has room for chunk_head_bytes_max; gives the number of bytes written.
/// `size` must not be 0: that would end the body.
std::size_t append_chunk_head(char* out, std::size_t size);

/// The same as a value, for a list of buffers to write.
class ChunkHead {
 public:
  explicit ChunkHead(std::size_t size) : length_(append_chunk_head(text_.data(), size)) {}
  [[nodiscard]] std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, chunk_head_bytes_max> text_;
  std::size_t length_;
};

}  // namespace weir::http

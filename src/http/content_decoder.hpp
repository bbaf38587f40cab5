// Content-Encoding, taken off: gzip, deflate, br, zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace weir::http {

enum class ContentCoding : std::uint8_t { identity, gzip, deflate, br, zstd };

/// The coding that a Content-Encoding field names ("gzip", "x-gzip", "deflate", "br", "zstd", "identity", in any case);
/// an empty field is identity. Nothing for an unknown name and for more than one coding on top of each other.
[[nodiscard]] std::optional<ContentCoding> parse_content_encoding(std::string_view field);
/// As it is written in Content-Encoding and Accept-Encoding.
[[nodiscard]] std::string_view to_string(ContentCoding coding);
/// What a 415 answer says in Accept-Encoding (RFC 9110 section 12.5.3).
inline constexpr std::string_view accepted_content_codings = "gzip, deflate, br, zstd";

/// Takes one coding off a body.
///
/// Feed bytes as they come, cut anywhere, with room for what comes out: each step says how much it used of both. What
/// can be decoded of the bytes so far is given at once, so an encoded event stream stays a stream. The output is pulled
/// by the caller and counted against `decoded_bytes_max`: a bomb costs no more than one room and the window. No I/O;
/// not thread-safe.
/// ```
/// for (;;) {
///   const auto step = decoder.next(bytes, room);
///   bytes.remove_prefix(step.consumed);
///   if (step.kind == ContentDecoder::Kind::error) { return decoder.reason(); }
///   use(room.first(step.produced));
///   if (step.kind == ContentDecoder::Kind::need_more) { break; }  // all was used; feed more, or ask complete()
/// }
/// ```
/// Sources: RFC 1952 (gzip; members may follow each other), RFC 1950 and 1951 (deflate; the bare form, which many
/// servers send under that name, is told apart by its first two bytes), RFC 7932 (br; at most its 16 MiB window), RFC
/// 8878 and 9659 (zstd; frames may follow each other, a window of at most 8 MiB).
class ContentDecoder {
 public:
  static constexpr std::uint64_t unlimited = UINT64_MAX;

  enum class Kind : std::uint8_t {
    need_more,  // every byte was used and all that they decode to was given
    output,     // the room is full, or more bytes are left: call again
    error,      // reason() says why; stays so
  };
  struct Step {
    Kind kind = Kind::need_more;
    std::size_t consumed = 0;  // of the bytes
    std::size_t produced = 0;  // into the room; may be set beside any kind
  };

  /// `decoded_bytes_max`: of everything that comes out; beyond it, too_large().
  explicit ContentDecoder(ContentCoding coding, std::uint64_t decoded_bytes_max = unlimited);
  ContentDecoder(ContentDecoder&&) noexcept;
  ContentDecoder& operator=(ContentDecoder&&) noexcept;
  ~ContentDecoder();

  /// `room` must not be empty.
  Step next(std::string_view bytes, std::span<char> room);
  /// What was fed ends where a body may end. False in the midst of one, and after an error.
  [[nodiscard]] bool complete() const;
  /// The error is that more came out than was allowed.
  [[nodiscard]] bool too_large() const { return too_large_; }
  /// Why it failed; our words, a literal. Empty text while it has not.
  [[nodiscard]] const char* reason() const { return reason_; }
  /// What the library holds for it now, for the memory budget: it grows with the window, to at most about 50 KiB (gzip,
  /// deflate), 17 MiB (br), 9 MiB (zstd).
  [[nodiscard]] std::size_t memory_bytes() const;

  /// One library behind the interface above; defined in the .cpp.
  class Codec;

 private:
  std::unique_ptr<Codec> codec_;
  std::uint64_t left_;  // of what may come out
  const char* reason_ = "";
  bool too_large_ = false;
};

}  // namespace weir::http

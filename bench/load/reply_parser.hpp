#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::load {

/// Reads HTTP/1.1 replies on a connection that is kept open, cut anywhere.
///
/// No I/O. Strict where it decides framing: a final reply must carry a content length or be chunked, else the end could
/// not be told from a cut, and that is what a load generator has to notice. Replies to HEAD are not its business. Not
/// thread-safe. It shares no code with the server on purpose: a mistake made in both would cancel out.
class ReplyParser {
 public:
  struct Piece {
    enum class Kind : std::uint8_t {
      need_more,  ///< the input is used up
      body,       ///< `bytes` is the next part of the body; it points into the input
      complete,   ///< the reply ended; what is left of the input belongs to the next one
      malformed,  ///< framing cannot be trusted any more; the connection is of no further use
    };
    Kind kind;
    std::string_view bytes;
  };

  /// Takes bytes from the front of `input` and says what they were. Call until `need_more`, `complete` or `malformed`.
  Piece next(std::string_view& input);

  /// Forgets the finished reply; to be called before the next one.
  void reset();

  /// All three are valid once the head was read.
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  bool chunked() const { return framing_ == Framing::chunked; }

  /// Whether any byte of a reply has arrived since reset().
  bool started() const { return started_; }

 private:
  enum class State : std::uint8_t { head, sized_body, chunk_size, chunk_data, chunk_end, trailer, complete, malformed };
  enum class Framing : std::uint8_t { unknown, length, chunked, none };

  bool read_head(std::string_view& input);
  bool parse_head(std::string_view head);
  bool read_line(std::string_view& input, std::size_t bytes_max);
  Piece read_body(std::string_view& input, State after);

  State state_ = State::head;
  Framing framing_ = Framing::unknown;
  int status_ = 0;
  bool keep_alive_ = true;
  bool started_ = false;
  std::uint64_t left_ = 0;  // of the body or of the current chunk, in bytes
  std::string partial_;     // a head or line that came in several parts
  std::string_view line_;   // the last line read; valid until the next call
};

}  // namespace weir::load

#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include <optional>
#include <vector>

#include "http/chunked.hpp"
#include "http/head_parser.hpp"
#include "http/head_writer.hpp"
#include "platform/byte_writer.hpp"

namespace weir::http {

/// Writes one response to a connection: head and first bytes of the body together, then each piece at once.
///
/// Order: start(), field()*, then either whole(), or stream() with piece()* and finish(). Any step may be the last: an
/// answer that was started and not finished closes the connection in a way that no client takes for a good end.
class ResponseWriter {
 public:
  using Outcome = std::expected<void, Code>;
  struct Options {
    std::chrono::milliseconds write_timeout;
    const platform::Cancellation* closing = nullptr;  // once it is set, each head says that the connection closes
  };

  ResponseWriter(platform::ByteWriter& writer, Options options) : writer_(writer), options_(options) {}
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  /// For the connection, once for each request.
  void reset(Method method, Version version, bool keep_alive, std::string_view date,
             platform::Cancellation* cancellation);

  void start(int status);
  /// Left out if it could not stand on one line, and where it concerns the connection or the framing: those are written
  /// here.
  void field(std::string_view name, std::string_view value);
  /// The same for a field that the head parser read.
  void parsed_field(const Header& header);
  void lines(const FieldLines& lines) { HeadWriter(head_).lines(lines); }
  /// The whole body, with its length.
  Task<Outcome> whole(std::string_view body);
  /// A body that follows in pieces. `length`: where it is known in advance.
  void stream(std::optional<std::uint64_t> length);
  /// Each piece is one chunk; all leave in one write.
  Task<Outcome> pieces(std::span<const std::string_view> pieces);
  /// The end of the body, after a last piece that may be empty.
  Task<Outcome> finish(std::string_view last_piece = {});

  [[nodiscard]] bool started() const { return status_ != 0; }
  /// Something has left, so that no other answer can be given.
  [[nodiscard]] bool head_sent() const { return head_sent_; }
  [[nodiscard]] bool finished() const { return finished_; }
  /// The connection may carry another request.
  [[nodiscard]] bool keep_alive() const { return keep_alive_ && finished_; }
  void close_after() { keep_alive_ = false; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] int status() const { return status_; }
  /// How long this response has waited for its client to take it.
  [[nodiscard]] platform::Duration stalled() const { return writer_.stalled() - stalled_before_; }
  /// Writes go on though the request was cancelled: for an answer that says so. It is then waited for a short time
  /// only, since whoever cancelled waits too. It takes the place of a write that was cancelled before a byte of it
  /// left.
  void ignore_cancellation() {
    last_words_ = last_words_ || (cancellation_ != nullptr && cancellation_->cancelled());
    broken_ = broken_ && !(last_words_ && has_place_for_last_words_);
    cancellation_ = nullptr;
  }

 private:
  enum class Body : std::uint8_t { none, length, chunked, until_close };
  void end_head();
  Task<Outcome> write(std::span<const std::string_view> pieces, bool last);

  platform::ByteWriter& writer_;
  Options options_;
  platform::Cancellation* cancellation_ = nullptr;
  std::string head_;
  std::string_view date_;
  Method method_ = Method::get;
  Version version_ = Version::http_1_1;
  Body body_ = Body::none;
  int status_ = 0;
  bool keep_alive_ = false;
  bool date_written_ = false;
  bool head_sent_ = false;
  bool finished_ = false;
  bool last_words_ = false;
  bool broken_ = false;                    // a write failed: nothing more is written
  bool has_place_for_last_words_ = false;  // it failed before anything of it had left
  std::uint64_t bytes_sent_ = 0;
  platform::Duration stalled_before_{};  // the responses before this one
  std::vector<std::string_view> slices_;
  std::vector<ChunkHead> chunk_heads_;
};

}  // namespace weir::http

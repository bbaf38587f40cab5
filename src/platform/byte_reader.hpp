#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "platform/signal.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// The reading side of a connection: always keeps a read pending (while there is room), so that data and the peer's
/// leaving are noticed in every phase, and holds what came in one contiguous, bounded buffer.
///
/// Views of bytes() live until the owner waits, unless it pins the buffer: while pinned, nothing moves, and reading
/// goes on only into the room behind the data. At least `padding` readable bytes follow the data, as simdjson wants.
/// Belongs to the stream's loop. The stream outlives it.
class ByteReader final : ReadWaiter {
 public:
  static constexpr std::size_t padding = 64;
  struct Options {
    std::size_t initial_bytes = 4096;
    std::size_t bytes_max =
        std::size_t{64} * 1024;  // unread bytes at which it stops reading; reserve() may ask for more
  };
  ByteReader(Loop& loop, Stream& stream, Options options);
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;
  ~ByteReader() = default;  // the owner closes the stream first: a pending read points into the buffer

  /// Keeps a read pending from now on.
  void start();
  [[nodiscard]] std::string_view bytes() const { return {buffer_.get() + begin_, end_ - begin_}; }
  /// The same bytes for decoding in place.
  [[nodiscard]] std::span<char> bytes_for_update() { return {buffer_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t count);
  /// From the next read on there is room for `count` unread bytes in one piece.
  void reserve(std::size_t count) { wanted_ = count; }
  void pin() { pinned_ = true; }
  void unpin();
  /// Waits until bytes() holds more than `have` bytes. Errors: end_of_stream, reset, timeout, cancelled; end_of_stream
  /// also when the bound is reached.
  Task<std::expected<void, Code>> more(std::size_t have, Until until);
  [[nodiscard]] std::optional<Code> ended() const { return ended_; }
  /// Called, from the loop, each time bytes came or the end did, until it is taken back with nullptr. Must not wait or
  /// destroy.
  void on_arrival(std::move_only_function<void()> callback) { on_arrival_ = std::move(callback); }
  /// Called once, from the loop, when the peer closed or the connection broke.
  void on_end(std::move_only_function<void()> callback) { on_end_ = std::move(callback); }
  /// Gives back the memory of an unusually large message; for a connection that becomes idle.
  void shrink();

 private:
  void on_read(IoResult result) override;
  void read_on();
  void resize(std::size_t capacity);
  [[nodiscard]] std::size_t unread() const { return end_ - begin_; }

  Stream& stream_;
  Options options_;
  Signal arrived_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;  // without the padding
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t wanted_ = 0;
  bool started_ = false;
  bool reading_ = false;
  bool pinned_ = false;
  bool shrink_ = false;
  std::optional<Code> ended_;
  std::move_only_function<void()> on_arrival_;
  std::move_only_function<void()> on_end_;
};

}  // namespace weir::platform

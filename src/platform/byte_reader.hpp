#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "platform/recycled_memory.hpp"
#include "platform/signal.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// The reading side of a connection: always keeps a read pending (while there is room), so that data and the peer's
/// leaving are noticed in every phase, and holds what came in one contiguous, bounded buffer. While there is nothing to
/// hold it has no buffer.
///
/// Views of bytes() live until the owner waits, unless it pins the buffer: while pinned, nothing moves. At least
/// `padding` readable bytes follow the data, as simdjson wants.
/// Belongs to the stream's loop. The stream outlives it.
class ByteReader final : ReadWaiter {
 public:
  static constexpr std::size_t padding = 64;
  struct Options {
    std::size_t initial_bytes = 4096 - padding;  // a size class of recycled memory
    std::size_t bytes_max =
        std::size_t{64} * 1024;  // unread bytes at which it stops reading; reserve() and pin() may ask for more
  };
  ByteReader(Loop& loop, Stream& stream, Options options);
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;
  ~ByteReader() = default;  // the owner closes the stream first: a pending read points into the buffer

  /// Keeps a read pending from now on.
  void start();
  [[nodiscard]] std::string_view bytes() const { return {buffer_.data() + begin_, end_ - begin_}; }
  /// The same bytes for decoding in place.
  [[nodiscard]] std::span<char> bytes_for_update() { return {buffer_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t count);
  /// From the next read on there is room for `count` unread bytes in one piece.
  void reserve(std::size_t count) { wanted_ = count; }
  /// Nothing moves until unpin(). The first `in_use` bytes do not count as unread until then: however many they are,
  /// what comes behind them is read, up to bytes_max of it, and the end with it.
  void pin(std::size_t in_use = 0);
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
  /// If what came needs far less memory than it has, it moves to a place of its size: for what stays long.
  void trim();
  /// Gives back the memory of an unusually large message, too; for a connection that becomes idle.
  void shrink();

 private:
  std::span<char> read_space() override;
  void read_space_unused() override;
  void on_read(IoResult result) override;
  void read_on();
  void make_room();
  void resize(std::size_t capacity);
  void take_aside();
  void release_if_drained();
  [[nodiscard]] std::size_t bound() const { return std::max(options_.bytes_max, wanted_); }
  [[nodiscard]] std::size_t unread() const { return end_ - begin_; }
  [[nodiscard]] bool full() const;

  Stream& stream_;
  Options options_;
  Signal arrived_;
  RecycledBytes buffer_;
  std::size_t capacity_ = 0;  // without the padding
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t wanted_ = 0;
  std::size_t in_use_ = 0;  // at the front of what is unread, while it is pinned
  bool started_ = false;
  RecycledBytes aside_;  // what came while the buffer was pinned and full
  std::size_t aside_end_ = 0;
  bool aside_given_ = false;
  bool reading_ = false;
  bool space_given_ = false;  // bytes may be on their way into the buffer: it must not move
  bool pinned_ = false;
  bool shrink_ = false;
  std::optional<Code> ended_;
  std::move_only_function<void()> on_arrival_;
  std::move_only_function<void()> on_end_;
};

}  // namespace weir::platform

#pragma once

#include <span>
#include <string_view>

#include "platform/signal.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// The writing side of a connection: gather-writes, and waits for room where the peer is slow. No buffer of its own: a
/// slow peer stalls whoever writes. Belongs to the stream's loop; one write at a time.
class ByteWriter final : WriteWaiter {
 public:
  ByteWriter(Loop& loop, Stream& stream) : loop_(loop), stream_(stream), room_(loop) {}
  ByteWriter(const ByteWriter&) = delete;
  ByteWriter& operator=(const ByteWriter&) = delete;
  ~ByteWriter() = default;

  /// Writes all of `slices`; mostly in one system call and without waiting. `stall_max`: how long the peer may take
  /// nothing. Errors: reset, io_error, timeout, cancelled: then a part may have left. The slices and what they show
  /// must live until it returns.
  Task<std::expected<void, Code>> write(std::span<const std::string_view> slices, Until until,
                                        Duration stall_max = Duration::max());
  /// Of a write that failed: nothing of it has left, and nothing will, so something else can be written in its place.
  [[nodiscard]] bool untouched() const { return untouched_; }
  /// How long all writes so far have waited for room.
  [[nodiscard]] Duration stalled() const { return stalled_; }

 private:
  void on_writable() override { room_.notify(); }

  Loop& loop_;
  Stream& stream_;
  Signal room_;
  Duration stalled_{};
  bool untouched_ = false;
};

}  // namespace weir::platform

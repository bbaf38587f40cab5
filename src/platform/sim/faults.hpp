#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "platform/clock.hpp"

namespace weir::platform {

/// What the simulated machine can do to its users. Counted when it happens, so that a test knows which states it has
/// reached.
enum class Fault : std::uint8_t {
  partial_read,        // a read got less than was there and fitted
  partial_write,       // a write took less than there was room for
  no_room,             // a write took nothing: the peer reads too slowly
  split_segment,       // the bytes of one write came in several pieces
  reset,               // the network broke a connection
  discarded_by_reset,  // bytes that were on their way or unread got lost by a reset
  stall,               // bytes stopped flowing for a while
  stall_for_ever,      // bytes stopped flowing and never came
  late_close,          // the notice of a close came late
  spurious_wake,       // on_writable without room
  dial_unreachable,
  dial_refused,
  dial_silent,  // nobody answers the dialler, not even with a refusal
  clock_jump,   // wall time jumped
  disk_full,
  failed_operation,
  torn_tail,  // a crash took a part of what was not synced
  kinds
};

std::string_view to_string(Fault fault);

/// How often each fault happened.
class FaultCounts {
 public:
  void count(Fault fault) { ++counts_[static_cast<std::size_t>(fault)]; }
  [[nodiscard]] std::uint64_t of(Fault fault) const { return counts_[static_cast<std::size_t>(fault)]; }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(Fault::kinds)> counts_{};
};

/// A span of time or of bytes from which the seed picks.
struct DurationRange {
  Duration min{};
  Duration max{};
};
struct ByteRange {
  std::size_t min = 0;
  std::size_t max = 0;
};

/// How the way to one host behaves. Probabilities are between 0 and 1; by default nothing goes wrong.
struct LinkFaults {
  DurationRange latency{std::chrono::microseconds(50),
                        std::chrono::microseconds(50)};                // one way, drawn per piece; order is kept
  ByteRange capacity{std::size_t{64} * 1024, std::size_t{64} * 1024};  // per direction: written and not yet read
  double partial_read = 0;                                             // per read
  double partial_write = 0;                                            // per write
  double split = 0;                                                    // per write
  double spurious_wake = 0;                                            // per start_writable()
  double reset = 0;  // per write: the connection breaks for both sides
  double stall = 0;  // per write: this direction stops for `stall_for`
  DurationRange stall_for{std::chrono::milliseconds(100), std::chrono::seconds(5)};
  double stall_for_ever = 0;  // per write
  double late_close = 0;      // per FIN or RST: it comes `late_close_by` later
  DurationRange late_close_by{std::chrono::milliseconds(1), std::chrono::seconds(1)};
  double reset_discards = 0;  // per RST: what was unread or on its way is lost
  double dial_refused = 0;
  double dial_silent = 0;
};

/// How the machine itself behaves.
struct WorldFaults {
  bool reorder = false;  // what happens at the same instant happens in the seed's order, not in the order of its causes
  double hold = 0;       // per write: it leaves together with others (Loop::hold)
  DurationRange wake_delay{};  // between "there is something" and the call to the one who waits for it
  double clock_jump = 0;       // per event: wall time jumps
  Duration clock_jump_max = std::chrono::hours(1);
};

}  // namespace weir::platform

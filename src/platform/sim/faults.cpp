#include "platform/sim/faults.hpp"

namespace weir::platform {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::partial_read: return "partial_read";
    case Fault::partial_write: return "partial_write";
    case Fault::no_room: return "no_room";
    case Fault::split_segment: return "split_segment";
    case Fault::reset: return "reset";
    case Fault::discarded_by_reset: return "discarded_by_reset";
    case Fault::stall: return "stall";
    case Fault::stall_for_ever: return "stall_for_ever";
    case Fault::late_close: return "late_close";
    case Fault::spurious_wake: return "spurious_wake";
    case Fault::dial_unreachable: return "dial_unreachable";
    case Fault::dial_refused: return "dial_refused";
    case Fault::dial_silent: return "dial_silent";
    case Fault::clock_jump: return "clock_jump";
    case Fault::disk_full: return "disk_full";
    case Fault::failed_operation: return "failed_operation";
    case Fault::torn_tail: return "torn_tail";
    case Fault::kinds: break;
  }
  return "unknown";
}

}  // namespace weir::platform

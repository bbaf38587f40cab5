#pragma once

#include <chrono>
#include <cstdint>

#include "load/event_reader.hpp"
#include "load/load.hpp"
#include "load/reply_parser.hpp"

namespace weir::load {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Judges the reply to one request after the other on one connection, and measures its events.
///
/// No I/O and no clock of its own. Not thread-safe.
class ReplyCheck {
 public:
  enum class Verdict : std::uint8_t { unfinished, complete, failed };

  /// `options` and `report` belong to the run, which outlives its connections.
  ReplyCheck(const Options& options, Report& report) : options_(options), report_(report) {}

  /// Forgets the last reply. `due` is the time from which the next one is measured.
  void begin(TimePoint due);

  /// Takes all bytes of one read at `now`. After `failed` see fault().
  Verdict take(std::string_view bytes, TimePoint now);

  Fault fault() const { return fault_; }
  bool keep_alive() const { return parser_.keep_alive(); }
  std::uint64_t events() const { return data_events_; }

 private:
  Verdict fail(Fault fault);
  Verdict finish();
  void take_body(std::string_view bytes, TimePoint now);
  void take_event(std::string_view event, TimePoint now);

  const Options& options_;
  Report& report_;
  ReplyParser parser_;
  EventReader reader_;
  Fault fault_ = Fault::framing;
  TimePoint due_;
  TimePoint last_event_;
  std::uint64_t data_events_ = 0;
  std::uint64_t events_in_this_read_ = 0;
  bool done_ = false;
  bool error_event_ = false;
  bool after_done_ = false;
  char first_byte_ = 0;
  char last_byte_ = 0;
};

}  // namespace weir::load

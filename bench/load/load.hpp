#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/histogram.hpp"

namespace weir::load {

/// What to send, how often, and what to expect. Every loop is bounded: by `requests`, by `seconds`, or by both.
struct Options {
  std::string url;              ///< http://LOOPBACK:PORT/PATH; any other host is refused
  std::string method = "POST";  ///< or GET, which sends no body
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  ///< sent as it is, with each request; see chat_body()

  std::uint32_t connections = 1;  ///< 1 to 20,000
  std::uint64_t requests = 0;     ///< stop after so many; 0: only `seconds` ends the run
  double seconds = 10;            ///< start no request after so long; at most an hour
  double rate = 0;            ///< requests per second, at fixed times (open loop); 0: one after the other (closed loop)
  double spread_seconds = 0;  ///< closed loop: spread the connections' first requests evenly over so long
  double timeout_seconds = 30;  ///< for one reply, from its first byte sent to its last byte received

  int status_expected = 200;                     ///< any other is a fault
  bool stream = false;                           ///< the reply must be an event stream that ends with [DONE]
  std::optional<std::uint64_t> events_expected;  ///< data events in each stream, without [DONE]

  /// Hold mode: open one stream per connection, call `all_open` when each has had its first two events, then keep
  /// reading until `seconds` are over or `hold_until` (a file descriptor, -1: none) becomes readable or closed. Streams
  /// that are still open then are no errors.
  bool hold = false;
  int hold_until = -1;
  std::function<void(std::uint32_t streams)> all_open;
};

/// Why a reply counts as an error. One reply has at most one.
enum class Fault : std::uint8_t {
  connect,      ///< no connection
  closed,       ///< the connection ended before the reply did
  reset,        ///< the same, by RST or another socket error
  status,       ///< not the one that was expected
  framing,      ///< not HTTP/1.1 as it must be, or bytes after the end of the reply
  body,         ///< no whole JSON object; a stream without [DONE], with events after it, or with a wrong number of them
  error_event,  ///< a stream that ended with an error event
  timeout,      ///< not complete in time
  not_sent,     ///< open loop: its time came, but the backlog was full
};
constexpr std::size_t fault_count = 9;
std::string_view name_of(Fault fault);

/// What was seen. Latency is measured from the time a request was due: in an open loop that is its place in the
/// schedule, so that a server that stalls is charged for all requests that had to wait (no coordinated omission).
struct Report {
  std::uint64_t complete = 0;  ///< replies that passed every check
  std::array<std::uint64_t, fault_count> faults{};
  std::uint64_t reconnects = 0;    ///< connections opened after the start
  std::uint64_t events = 0;        ///< data and [DONE] events
  std::uint64_t shared_reads = 0;  ///< events that came in the same read as the event before
  std::uint64_t body_bytes = 0;
  std::chrono::nanoseconds duration{0};  ///< from the first request due to the last reply

  Histogram latency;  ///< due time to last byte, complete replies only
  Histogram late;     ///< open loop: due time to the moment of sending; the generator's own and its connections' delay
  Histogram first_event;  ///< due time to the first event, streams only
  Histogram gap;          ///< between the events of one stream
  Histogram transit;      ///< from the mock upstream's write to our read, per event

  std::uint64_t errors() const;
  /// One JSON object on one line.
  std::string json(const Options& options) const;
};

/// Runs to the end in the calling thread; the error is a sentence about the options or the machine (not about single
/// replies).
std::expected<Report, std::string> run(const Options& options);

/// A chat completion request of exactly `bytes` bytes (or the smallest possible), written like a long conversation.
std::string chat_body(std::string_view model, std::size_t bytes, bool stream);

}  // namespace weir::load

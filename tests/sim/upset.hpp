#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sim {

/// What an upstream does wrong.
enum class Upset : std::uint8_t {
  none,
  refused,       // nobody listens
  unreachable,   // its name does not resolve
  silent_dial,   // nobody answers the dialler
  reset,         // RST
  fin,           // an orderly close where none belongs
  silence,       // sends nothing more and keeps the socket open
  slow,          // pauses, perhaps longer than the gateway's patience, then goes on
  malformed,     // bytes that break HTTP, JSON or the stream's grammar
  error,         // an error status, or an error event
  missing_done,  // everything but `[DONE]`
  held_open,     // everything, but the body never ends
  nonsense,      // 200 and a page of HTML, or broken JSON, or nothing at all
  wrong_length,  // of a body that is not streamed: too long, so that its end never comes, or too short
  trickle,       // for a while every byte comes on its own
  kinds
};
std::string_view to_string(Upset upset);

/// How far an answer had come when it happened.
enum class Phase : std::uint8_t {
  dialling,
  before_head,
  first_event_held,  // head and perhaps a first event without content have left the upstream
  after_content,
  within_body,  // of an answer that is not streamed
  after_end,    // the answer is whole; the connection is idle or should be
  kinds
};
std::string_view to_string(Phase phase);

/// How a client behaves badly.
enum class Mischief : std::uint8_t { leave_fin, leave_reset, slow_reading, kinds };
std::string_view to_string(Mischief mischief);
enum class ClientPhase : std::uint8_t { sending, waiting, receiving, idle, pipelined, kinds };
std::string_view to_string(ClientPhase phase);

/// Counts the states that the runs reached, so that a state which no seed reaches is a failure and not a comfort.
class Reached {
 public:
  void count(Upset upset, Phase phase) { ++cells_[{std::string(to_string(upset)), std::string(to_string(phase))}]; }
  void count_status(int status, bool retry_after, std::string_view says);
  /// A chunk that promises more than came before the connection ended.
  void count_truncated_chunk(Phase phase) { ++cells_[{"truncated chunk", std::string(to_string(phase))}]; }
  void count(Mischief mischief, ClientPhase phase) {
    ++cells_[{std::string(to_string(mischief)), std::string(to_string(phase))}];
  }
  /// A pause that ended just before the gateway's patience with it did.
  void count_slow_in_time(Phase phase) { ++cells_[{"slow, just in time", std::string(to_string(phase))}]; }
  /// An answer whose last event lacks the whole or a part of the two line ends behind it.
  void count_unended(std::string_view line_ends);
  /// The gateway's memory was looked at while a client kept its connection and had nothing to ask.
  void count_idle_memory() { ++cells_[{"memory judged", std::string(to_string(ClientPhase::idle))}]; }
  void count_reload(bool during_calls) { ++cells_[{during_calls ? "reload during calls" : "reload", "outcome"}]; }
  void count_early_error() { ++cells_[{"error before the body came", std::string(to_string(Phase::before_head))}]; }
  void count_network(std::string_view fault, std::uint64_t times) { cells_[{std::string(fault), "network"}] += times; }
  void count_outcome(std::string_view outcome) { ++cells_[{std::string(outcome), "outcome"}]; }
  void merge(const Reached& other);
  /// One table: kinds by phases; `-` where a kind cannot happen.
  [[nodiscard]] std::string table() const;
  /// States that can happen and did not.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  using Cell = std::pair<std::string, std::string>;
  [[nodiscard]] static const std::vector<Cell>& possible();
  std::map<Cell, std::uint64_t> cells_;
};

}  // namespace weir::sim

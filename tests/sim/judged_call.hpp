#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// One call with all that belongs to it, and what more than one part of the judge asks about it. Scenario, history and
/// violations outlive it.
struct JudgedCall {
  JudgedCall(const Scenario& its_scenario, History& its_history, std::vector<std::string>& all_violations,
             const ClientCall& its_client);

  /// Appends to the violations, with the call's id.
  template <class... Arguments>
  void violate(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    violations.push_back(client.plan.id + ": " + fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  /// Counts how the call ended.
  void count(std::string_view outcome) { history.reached.count_outcome(outcome); }

  /// Of any call; null if there is none.
  [[nodiscard]] const UpstreamCall* upstream_call(std::uint64_t serial) const;
  /// The attempt in the row that this upstream answered; null if there is none.
  [[nodiscard]] const ledger::AttemptRecord* attempt_of(const UpstreamCall& upstream) const;
  /// It answered that its model has too small a window: another one may have a larger one.
  [[nodiscard]] bool is_too_long(const ledger::AttemptRecord& attempt) const;
  /// The record says that it was passed over: because of its breaker, or because it was full.
  [[nodiscard]] bool was_left_alone(const std::string& provider) const;
  /// All that could be on its way to this client fits into its connection, so no write to it can be half done: whatever
  /// the gateway still has to say, it can say.
  [[nodiscard]] bool could_take_it() const;
  [[nodiscard]] bool out_of_time() const;

  const Scenario& scenario;
  History& history;
  std::vector<std::string>& violations;
  const ClientCall& client;                    // what the client saw of it
  const ledger::RequestRecord* row = nullptr;  // the gateway's record of it; null unless there is exactly one
  std::vector<const UpstreamCall*> upstreams;  // what the upstreams saw of it
  bool stayed = false;                         // the client did its part: it must have an answer, and a definite one
  bool drained = false;                        // it was not over when the gateway began to stop
};

/// What the request itself is to blame for.
bool callers_fault(int status);

}  // namespace weir::sim

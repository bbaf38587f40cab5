#include "sim/money_states.hpp"

#include <fmt/format.h>

namespace weir::sim {

const std::vector<std::string_view>& MoneyStates::possible() {
  static const std::vector<std::string_view> all = {
      "call complete",
      "call left by its caller",
      "call failed upstream",
      "call refused or failed here",
      "call unknown",
      "attempt unknown, provider asked",
      "attempt unknown, provider never asked",
      "402 budget exhausted",
      "429 budget busy",
      "503 spending not read yet",
      "429 requests",
      "429 tokens",
      "429 in flight",
      "caps looked at with money held",
      "came back as told",
      "killed at a moment",
      "killed at a file or the store",
      "killed while calls ran",
      "killed in recovery",
      "ended in good order",
      "recovered calls",
      "recovered what was in the store",
      "held for the dead",
      "journal rotated",
      "a file of the journal written again",
      "the store refused records",
      "the disk was full",
      "SQLite as the store",
  };
  return all;
}

void MoneyStates::merge(const MoneyStates& other) {
  for (const auto& [state, count] : other.counts_) {
    counts_[state] += count;
  }
}

std::uint64_t MoneyStates::of(std::string_view state) const {
  const auto found = counts_.find(state);
  return found == counts_.end() ? 0 : found->second;
}

std::string MoneyStates::table() const {
  std::string text = "state reached, of money\n";
  for (const std::string_view state : possible()) {
    text += fmt::format("{:<42} {:>9}\n", state, of(state));
  }
  return text;
}

std::vector<std::string> MoneyStates::missing() const {
  std::vector<std::string> states;
  for (const std::string_view state : possible()) {
    if (of(state) == 0) {
      states.emplace_back(state);
    }
  }
  return states;
}

}  // namespace weir::sim

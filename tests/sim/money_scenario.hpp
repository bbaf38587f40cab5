#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/budget_rules.hpp"
#include "limits/limit.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// One who has a key, and what he may use.
struct CallerPlan {
  std::string name;  // of the key; its id is "config:" and this
  std::string tenant;
  limits::LimitSet limits;  // of one kind at most
  std::int64_t cap = 0;     // in picodollars; 0: no budget of its own
  std::int64_t output_max = 0;
  [[nodiscard]] std::string key_id() const { return "config:" + name; }
  [[nodiscard]] std::string key() const { return "wr-simulated-key-of-" + name; }
};

/// The process is killed: so long after it began, or when it does so many operations on files and store.
struct KillPlan {
  Duration after{};
  std::uint64_t operation = 0;  // 0: at its time
  Duration down{};              // until the next one begins
};

/// For a while the store refuses everything, or the disk is full.
struct OutagePlan {
  bool disk = false;
  Duration after{};
  Duration lasts{};
};

/// A world in which callers have budgets that they exhaust and limits that they reach, and the gateway dies and begins
/// again on the same disk and the same store.
struct MoneyScenario {
  Scenario base;
  std::vector<CallerPlan> callers;
  std::vector<std::pair<std::string, std::int64_t>> tenant_caps;
  std::vector<KillPlan> kills;  // of the first process, the second ...
  bool dies_in_the_evening = false;
  std::optional<OutagePlan> outage;  // only where nobody dies before it is over
  Duration turn_every{};             // of journal and store
  std::size_t journal_segment = 0;
  bool sqlite = false;
};

MoneyScenario make_money_scenario(std::uint64_t seed);

}  // namespace weir::sim

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/kept_gateway.hpp"
#include "sim/money_scenario.hpp"

namespace weir::sim {

/// One upstream call as the store has it.
struct LedgerAttempt {
  std::string provider;
  std::string end_state;
  int status = 0;
  std::string upstream_request_id;
  bool connected = false;
  std::optional<std::int64_t> charged;  // picodollars, as are all amounts here
  std::optional<std::int64_t> reserved;
  platform::WallTime expires{};
};
/// One call as the store has it.
struct LedgerRow {
  std::string id;
  std::string call;  // the caller's own id
  std::string key_id;
  std::string tenant;
  std::string end_state;
  std::vector<LedgerAttempt> attempts;
  [[nodiscard]] std::int64_t charged() const;
};

/// Everything in the store, read as an analyst would.
std::vector<LedgerRow> read_ledger(store::Store& store);
/// Whether that owner pays for the call.
bool pays(const ledger::Budgets::Standing& owner, const LedgerRow& row);

/// What must hold of money, limits and rows when everything is over, from what the upstreams and the clients saw, what
/// the processes told while they lived, and what is in the store.
std::vector<std::string> judge_money(const MoneyScenario& scenario, const History& history, MoneyHistory& money,
                                     const std::vector<LedgerRow>& ledger);

}  // namespace weir::sim

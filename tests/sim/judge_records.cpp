#include "sim/judge_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace weir::sim {

using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

/// What the provider told is what is paid for; what it refused, or never got, is free.
void judge_charge(const Scenario& scenario, const RequestRecord& record, const AttemptRecord& attempt,
                  std::vector<std::string>& violations) {
  if (scenario.metered != (attempt.reserved != nullptr)) {
    violations.push_back(fmt::format("an attempt of {} is {}", record.client_request_id,
                                     scenario.metered ? "outside of the budget" : "paid for, and there is no budget"));
    return;
  }
  if (!scenario.metered) {
    return;
  }
  if (!attempt.reserved->charged) {
    violations.push_back(fmt::format("an attempt of {} was not charged for", record.client_request_id));
    return;
  }
  const std::int64_t charged = attempt.reserved->charged->in_picodollars();
  const bool told = attempt.usage_source == ledger::UsageSource::provider && attempt.status < 300;
  const bool free = attempt.status >= 300 || (attempt.status == 0 && !attempt.connected);
  const std::int64_t due = free ? 0
                                : attempt.usage.input_tokens.value_or(0) * input_price +
                                      attempt.usage.output_tokens.value_or(0) * output_price;
  if ((told || free) && charged != due) {
    violations.push_back(
        fmt::format("an attempt of {} was charged {} picodollars and cost {}", record.client_request_id, charged, due));
  }
  // Who sends more than he was asked for, and does not say what it was, is paid for what came.
  if (told && charged > attempt.reserved->money.value_or(ledger::Money{}).in_picodollars()) {
    violations.push_back(fmt::format("an attempt of {} was charged {} picodollars, more than it held",
                                     record.client_request_id, charged));
  }
}

}  // namespace

void judge_records(const Scenario& scenario, const History& history, std::vector<std::string>& violations) {
  std::set<std::string> ids;
  for (const auto& record : history.records) {
    if (!ids.insert(record->id).second) {
      violations.push_back(fmt::format("two rows have the id {}", record->id));
    }
    for (const AttemptRecord& attempt : record->attempts) {
      judge_charge(scenario, *record, attempt, violations);
    }
    if (record->end_state == EndState::open) {
      violations.push_back(fmt::format("the row of {} was never closed", record->client_request_id));
    }
    if (std::ranges::none_of(history.client_calls,
                             [&](const ClientCall& call) { return call.plan.id == record->client_request_id; })) {
      violations.push_back(fmt::format("a row of a call that nobody made: {}", record->client_request_id));
    }
  }
}

}  // namespace weir::sim

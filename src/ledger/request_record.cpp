#include "ledger/request_record.hpp"

#include <utility>

namespace weir::ledger {

void settle_cost(AttemptRecord& attempt, std::shared_ptr<const ModelPrice> price) {
  const bool never_asked = attempt.status == 0 && !attempt.connected;
  if (never_asked || attempt.status >= 300) {
    attempt.cost = Money{};
    return;
  }
  attempt.cost = price ? cost_of(*price, attempt.usage, attempt.tier.value_or(Tier::standard)) : std::nullopt;
  attempt.price = std::move(price);
}

std::optional<Money> cost_of(const RequestRecord& record) {
  Money sum;
  for (const AttemptRecord& attempt : record.attempts) {
    if (!attempt.cost) {
      return std::nullopt;
    }
    sum += *attempt.cost;
  }
  return sum;
}

std::string_view to_string(UsageSource source) {
  switch (source) {
    case UsageSource::none: return "none";
    case UsageSource::provider: return "provider";
    case UsageSource::counted: return "counted";
    case UsageSource::estimated: return "estimated";
  }
  return "none";
}

std::string_view to_string(EndState state) {
  switch (state) {
    case EndState::open: return "open";
    case EndState::complete: return "complete";
    case EndState::client_abort: return "client_abort";
    case EndState::upstream_error: return "upstream_error";
    case EndState::gateway_error: return "gateway_error";
  }
  return "open";
}

}  // namespace weir::ledger

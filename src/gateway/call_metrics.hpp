#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "ledger/request_record.hpp"
#include "observe/metrics.hpp"

namespace weir::gateway {

/// Counts calls and attempts. The cells that nearly every call touches are found once per route and target and kept, so
/// that counting a call costs a hash lookup and a few additions. Belongs to one loop.
class CallMetrics {
 public:
  explicit CallMetrics(observe::MetricShard& shard) : shard_(shard) {}

  void call_started() { in_flight().add(1); }
  void call_ended(const ledger::RequestRecord& record);
  /// `label`: the target as configured, never a name that a caller made up.
  void attempt_ended(std::string_view label, const ledger::AttemptRecord& attempt);
  void fallback(std::string_view from, std::string_view to);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct EndpointCells {
    observe::Cell* seconds;
    observe::Cell* first_token;
    observe::Cell* added;
    std::unordered_map<std::string, observe::Cell*, Hash, std::equal_to<>> ok_by_route;  // status 200
  };
  struct TargetCells {
    observe::Cell* complete;
    observe::Cell* events;
    observe::Cell* tokens_in;
    observe::Cell* tokens_out;
  };
  observe::Cell& in_flight();
  EndpointCells& endpoint(std::string_view name);
  TargetCells& target(std::string_view label);

  observe::MetricShard& shard_;
  observe::Cell* in_flight_ = nullptr;
  std::unordered_map<std::string, EndpointCells, Hash, std::equal_to<>> endpoints_;
  std::unordered_map<std::string, TargetCells, Hash, std::equal_to<>> targets_;
};

}  // namespace weir::gateway

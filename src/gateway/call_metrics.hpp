#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ledger/request_record.hpp"
#include "observe/metrics.hpp"

namespace weir::gateway {

/// How attempts ended in the last minute, in steps of ten seconds. Plain value.
class RecentOutcomes {
 public:
  struct Sum {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
  };
  void add(platform::Instant now, bool succeeded);
  [[nodiscard]] Sum sum(platform::Instant now) const;

 private:
  struct Slot {
    std::int64_t number = -1;  // of ten seconds each, since the clock's beginning
    Sum sum;
  };
  std::array<Slot, 6> slots_;
};

/// Counts calls and attempts. The cells that nearly every call touches are found once per route and target and kept, so
/// that counting a call costs few lookups and additions. Belongs to one loop.
class CallMetrics {
 public:
  explicit CallMetrics(observe::MetricShard& shard) : shard_(shard) {}
  CallMetrics(const CallMetrics&) = delete;
  CallMetrics& operator=(const CallMetrics&) = delete;
  ~CallMetrics() = default;

  void call_started() { in_flight().add(1); }
  void call_ended(const ledger::RequestRecord& record);
  /// `label`: the target as configured, never a name that a caller made up.
  void attempt_ended(std::string_view label, const ledger::AttemptRecord& attempt, platform::Instant now);
  /// What it used and cost; later than its end where that is still counted.
  void usage_known(std::string_view label, const ledger::AttemptRecord& attempt);
  /// A call was refused by a limit.
  void limited(std::string_view scope, std::string_view unit);
  void budget_refused(std::string_view owner, std::string_view why);
  void budget_warning(std::string_view owner, int percent);
  void fallback(std::string_view from, std::string_view to);
  /// An attempt to go on with a stream that broke off has ended, or none was made.
  void recovery(std::string_view how, std::string_view outcome);
  /// Somebody was refused for who he is, or because of what his key may.
  void caller_refused(Code code);
  /// Adds how the attempts of the last minute ended, by provider.
  void collect(observe::MetricShard& shard, platform::Instant now) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  /// Made when they are first asked for, and then kept. The last one is remembered: mostly it is asked for again.
  template <class Cells>
  class ByName {
   public:
    template <class Make>
    Cells& get(std::string_view name, Make make) {
      if (last_ == nullptr || last_->first != name) {
        auto found = all_.find(name);
        if (found == all_.end()) {
          found = all_.emplace(std::string(name), make()).first;
        }
        last_ = &*found;
      }
      return last_->second;
    }
    [[nodiscard]] auto begin() const { return all_.begin(); }
    [[nodiscard]] auto end() const { return all_.end(); }

   private:
    using All = std::unordered_map<std::string, Cells, Hash, std::equal_to<>>;
    All all_;
    All::value_type* last_ = nullptr;
  };
  struct EndpointCells {
    observe::Cell* seconds;
    observe::Cell* first_token;
    observe::Cell* added;
    observe::Cell* streams;
    ByName<observe::Cell*> ok_by_route;  // status 200
  };
  struct TargetCells {
    observe::Cell* complete;
    observe::Cell* events;
    observe::Cell* tokens_in;
    observe::Cell* tokens_out;
    observe::Cell* seconds;
    observe::Cell* cost;
    // Of calls whose cost is unknown; null: there was none yet.
    observe::Cell* without_price = nullptr;
    observe::Cell* without_usage = nullptr;
    RecentOutcomes recent{};
  };
  observe::Cell& in_flight();
  EndpointCells& endpoint(std::string_view name);
  TargetCells& target(std::string_view label);

  observe::MetricShard& shard_;
  observe::Cell* in_flight_ = nullptr;
  ByName<EndpointCells> endpoints_;
  ByName<TargetCells> targets_;
};

}  // namespace weir::gateway

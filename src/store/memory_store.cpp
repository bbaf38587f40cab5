#include <algorithm>
#include <map>
#include <tuple>

#include "base/ids.hpp"
#include "store/memory_identities.hpp"
#include "store/store.hpp"

namespace weir::store {

namespace {

bool matches(const RequestQuery& query, const InferenceLog& call) {
  const int most = query.status_to.value_or(query.status_from.value_or(0));
  return (query.key_id.empty() || call.key_id == query.key_id) && (query.model.empty() || call.model == query.model) &&
         (query.tenant.empty() || call.tenant == query.tenant) &&
         (query.end_state.empty() || call.end_state == query.end_state) &&
         (!query.status_from || (call.status >= *query.status_from && call.status <= most));
}

class MemoryRequestLog final : public RequestLog {
 public:
  Result<void> put(std::span<const InferenceLog> calls) override {
    for (const InferenceLog& call : calls) {
      calls_.emplace(call.id, call);
    }
    return {};
  }
  Result<std::optional<std::string>> find(std::string_view id) override {
    const auto found = calls_.find(id);
    return found == calls_.end() ? std::nullopt : std::optional(found->second.record);
  }
  Result<RequestPage> list(const RequestQuery& query) override {
    RequestPage page;
    std::string last;
    auto at = query.after.empty() ? calls_.end() : calls_.lower_bound(query.after);
    while (at != calls_.begin() && (--at)->first >= query.from) {
      if (!matches(query, at->second)) {
        continue;
      }
      if (page.records.size() == static_cast<std::size_t>(query.limit)) {
        page.next = last;
        break;
      }
      last = at->first;
      page.records.push_back(at->second.record);
    }
    return page;
  }
  Result<std::vector<UsageRow>> usage(const UsageQuery& query) override {
    std::map<std::tuple<std::string, std::string, std::string, std::string>, UsageRow> rows;
    for (auto at = calls_.lower_bound(query.from); at != calls_.end() && (query.to.empty() || at->first < query.to);
         ++at) {
      const InferenceLog& call = at->second;
      if ((!query.key_id.empty() && call.key_id != query.key_id) ||
          (!query.tenant.empty() && call.tenant != query.tenant) ||
          (!query.model.empty() && call.model != query.model)) {
        continue;
      }
      const std::string tenant = query.by_tenant ? call.tenant : "";
      const std::string key = query.by_key ? call.key_id : "";
      const std::string model = query.by_model ? call.model : "";
      const std::string day = query.by_day ? call.time.substr(0, 10) : "";
      UsageRow& row = rows[{day, tenant, key, model}];
      row.tenant = tenant;
      row.key_id = key;
      row.model = model;
      row.day = day;
      ++row.requests;
      row.errors += call.end_state != "complete" || call.status >= 400 ? 1 : 0;
      row.attempts += static_cast<std::int64_t>(call.attempts.size());
      row.cached += call.cached ? 1 : 0;
      row.input_tokens += call.input_tokens.value_or(0);
      row.cached_input_tokens += call.cached_input_tokens.value_or(0);
      row.output_tokens += call.output_tokens.value_or(0);
      row.reasoning_tokens += call.reasoning_tokens.value_or(0);
      if (call.cost_picodollars) {
        row.cost_picodollars = row.cost_picodollars.value_or(0) + *call.cost_picodollars;
      } else if (!call.attempts.empty()) {
        ++row.unpriced;
      }
    }
    std::vector<UsageRow> sorted;
    for (auto& [group, row] : rows) {
      sorted.push_back(std::move(row));
    }
    return sorted;
  }
  Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) override {
    std::int64_t removed = 0;
    while (removed < calls_max && !calls_.empty() && calls_.begin()->first < before) {
      calls_.erase(calls_.begin());
      ++removed;
    }
    return removed;
  }
  [[nodiscard]] std::int64_t bytes() const {
    std::size_t sum = 0;
    for (const auto& [id, call] : calls_) {
      sum += sizeof call + call.record.size() + call.attempts.size() * sizeof(InferenceAttempt);
    }
    return static_cast<std::int64_t>(sum);
  }

 private:
  std::map<std::string, InferenceLog, std::less<>> calls_;
};

class MemoryStore final : public Store {
 public:
  RequestLog& requests() override { return requests_; }
  ApiKeys& keys() override { return keys_; }
  Tenants& tenants() override { return tenants_; }
  AuditLog& audit() override { return audit_; }
  Result<void> atomically(const std::function<Result<void>()>& work) override {
    undo_.begin();
    auto done = work();
    if (done) {
      undo_.keep();
    } else {
      undo_.take_back();
    }
    return done;
  }
  Result<void> make_durable() override { return {}; }
  Result<std::int64_t> bytes() override { return requests_.bytes(); }
  Result<void> shrink() override { return {}; }
  Result<void> backup(const std::string&) override {
    return fail(Code::store_unavailable, "nothing is stored: `store.url` is none");
  }
  int schema_version() override { return 0; }

 private:
  Undo undo_;
  MemoryRequestLog requests_;
  MemoryApiKeys keys_{undo_};
  MemoryTenants tenants_{undo_};
  MemoryAuditLog audit_{undo_};
};

}  // namespace

std::unique_ptr<Store> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

std::string first_id_at(platform::WallTime time) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return make_request_id(static_cast<std::uint64_t>(std::max<std::int64_t>(milliseconds, 0)), 0, 0);
}

}  // namespace weir::store

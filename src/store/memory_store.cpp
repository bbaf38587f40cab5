#include <algorithm>
#include <map>
#include <utility>

#include "base/ids.hpp"
#include "store/call_form.hpp"
#include "store/memory_identities.hpp"
#include "store/store.hpp"

namespace weir::store {

namespace {

class MemoryRequestLog final : public RequestLog {
 public:
  Result<void> put(std::span<const std::string_view> records, Repeats) override {
    std::vector<Call> read;
    for (const std::string_view record : records) {
      auto row = row_of(record);
      if (!row) {
        return std::unexpected(std::move(row.error()));
      }
      read.push_back({.row = std::move(*row), .record = std::string(record)});
    }
    for (Call& call : read) {
      std::string id = call.row.id;
      calls_.try_emplace(std::move(id), std::move(call));
    }
    return {};
  }
  Result<std::optional<std::string>> find(std::string_view id) override {
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
      return std::nullopt;
    }
    auto object = as_object(found->second.record);
    return object ? Result<std::optional<std::string>>(std::move(*object)) : std::unexpected(std::move(object.error()));
  }
  Result<RequestPage> list(const RequestQuery& query) override {
    RequestPage page;
    std::string last;
    auto at = query.after.empty() ? calls_.end() : calls_.lower_bound(query.after);
    while (at != calls_.begin() && (--at)->first >= query.from) {
      told_();
      if (!matches(query, at->second.row)) {
        continue;
      }
      if (page.records.size() == static_cast<std::size_t>(query.limit)) {
        page.next = last;
        break;
      }
      auto object = as_object(at->second.record);
      if (!object) {
        return std::unexpected(std::move(object.error()));
      }
      last = at->first;
      page.records.push_back(std::move(*object));
    }
    return page;
  }
  Result<void> visit(std::string_view from, const std::function<void(std::string_view record)>& show) override {
    for (auto at = calls_.lower_bound(from); at != calls_.end(); ++at) {
      told_();
      show(at->second.record);
    }
    return {};
  }
  Result<std::vector<UsageRow>> usage(const UsageQuery& query) override {
    UsageSums sums(query);
    for (auto at = calls_.lower_bound(query.from); at != calls_.end() && (query.to.empty() || at->first < query.to);
         ++at) {
      told_();
      sums.add(at->second.row);
    }
    return sums.rows();
  }
  void on_progress(std::function<void()> told) { told_ = std::move(told); }
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
      sum += sizeof call + call.record.size() + call.row.attempts.size() * sizeof(InferenceAttempt);
    }
    return static_cast<std::int64_t>(sum);
  }

 private:
  struct Call {
    InferenceLog row;
    std::string record;
  };
  std::map<std::string, Call, std::less<>> calls_;
  std::function<void()> told_ = [] {};
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
  void on_progress(std::function<void()> told) override { requests_.on_progress(std::move(told)); }

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

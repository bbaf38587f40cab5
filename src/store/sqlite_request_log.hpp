#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/sqlite_database.hpp"
#include "store/store.hpp"

namespace weir::store {

/// Calls in SQLite, in blocks: one row holds the records of up to some hundred calls, as a JSON array. A row for each
/// call, with its columns and those of its attempts, costs thirty times as much as what a block costs for each of its
/// calls; what analysts ask for is made by views when they ask. `database` outlives it.
class SqliteRequestLog final : public RequestLog {
 public:
  explicit SqliteRequestLog(SqliteDatabase& database) : database_(database) {}

  void on_progress(std::function<void()> told) { told_ = std::move(told); }

  Result<void> put(std::span<const std::string_view> records, Repeats repeats) override;
  Result<std::optional<std::string>> find(std::string_view id) override;
  Result<RequestPage> list(const RequestQuery& query) override;
  Result<void> visit(std::string_view from, const std::function<void(std::string_view record)>& show) override;
  Result<std::vector<UsageRow>> usage(const UsageQuery& query) override;
  Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) override;

 private:
  /// Calls `visit` with the rows of a statement that is bound, until there is none or it returns false.
  template <class Visit>
  Result<void> walk(SqliteStatement& blocks, Visit visit);
  /// Shows each record with an id from `from` to before `to`, in any order.
  template <class Show>
  Result<void> walk_between(std::string_view from, std::string_view to, Show show);
  /// Calls `visit` with the blocks in which the record of the call with this id may stand, until it returns false.
  template <class Visit>
  Result<void> walk_around(std::string_view id, Visit visit);
  /// True: a call with this id is there.
  Result<bool> has(std::string_view id);
  Result<std::vector<std::string_view>> those_that_are_new(std::span<const std::string_view> records);
  Result<void> put_block(std::span<const std::string_view> records);

  SqliteDatabase& database_;
  std::string block_;
  std::function<void()> told_ = [] {};
};

}  // namespace weir::store

#include "app/allowance_table.hpp"

#include <utility>

namespace weir::app {

namespace {

/// True: calls need not look at it. Keys may have budgets of their own, and then the longest answer counts.
bool says_nothing(const gateway::Allowances& all) {
  return all.empty() && all.max_output_tokens == gateway::Allowances().max_output_tokens;
}

}  // namespace

Result<void> AllowanceTable::check(const gateway::Allowances& configured) const {
  const std::lock_guard one_at_a_time(changing_);
  return check_depths(*all(), with_stored_tenants(configured, stored_));
}

AllowanceTable::Change AllowanceTable::use(Allowances configured) {
  const std::lock_guard one_at_a_time(changing_);
  {
    const std::lock_guard lock(mutex_);
    std::swap(configured_, configured);
  }
  return merge();
}

AllowanceTable::Change AllowanceTable::use_stored(StoredTenants stored) {
  const std::lock_guard one_at_a_time(changing_);
  stored_ = std::move(stored);
  return merge();
}

AllowanceTable::Change AllowanceTable::merge() {
  Allowances next = configured();
  if (!stored_.tenants.empty()) {
    next = std::make_shared<const gateway::Allowances>(with_stored_tenants(*next, stored_));
  }
  if (all_ != nullptr && *all_ == *next) {
    return {.before = all_, .now = all_};
  }
  Change change{.before = all_ != nullptr ? all_ : next, .now = next};
  Allowances limiting = says_nothing(*next) ? nullptr : next;
  const std::lock_guard lock(mutex_);
  std::swap(all_, next);
  std::swap(in_use_, limiting);
  return change;
}

AllowanceTable::Allowances AllowanceTable::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

AllowanceTable::Allowances AllowanceTable::configured() const {
  const std::lock_guard lock(mutex_);
  return configured_;
}

AllowanceTable::Allowances AllowanceTable::all() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

std::vector<std::string> AllowanceTable::above(std::string_view tenant) const {
  std::vector<std::string> above;
  all()->each_above(tenant, [&](const std::string& name, const gateway::TenantAllowance&) { above.push_back(name); });
  return above;
}

}  // namespace weir::app

#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/stored_tenants.hpp"

namespace weir::app {

/// What calls are judged by at this moment: what the configuration says, and the store's tenants. A reload and a change
/// of the store may come at the same time, and neither undoes the other.
///
/// Any thread; what cores ask for is the copy of a pointer.
class AllowanceTable {
 public:
  using Allowances = std::shared_ptr<const gateway::Allowances>;

  explicit AllowanceTable(Allowances configured) : configured_(std::move(configured)) { merge(); }

  /// What changed, for those who have to know it; never null.
  struct Change {
    Allowances before;
    Allowances now;
  };
  /// Whether use() may be given it: an error where the store's tenants would stand too deep below its own.
  [[nodiscard]] Result<void> check(const gateway::Allowances& configured) const;
  Change use(Allowances configured);
  Change use_stored(StoredTenants stored);

  /// For calls that begin now; null: nothing is limited. The same pointer for as long as it says the same.
  [[nodiscard]] Allowances in_use() const;
  [[nodiscard]] Allowances configured() const;
  /// Calls may not need to look at it.
  [[nodiscard]] Allowances all() const;
  /// The tenants that `tenant` is part of, from near to far.
  [[nodiscard]] std::vector<std::string> above(std::string_view tenant) const;

 private:
  Change merge();

  mutable std::mutex changing_;  // one change at a time; taken before the other
  StoredTenants stored_;
  mutable std::mutex mutex_;  // held for the copy of pointers
  Allowances configured_;
  Allowances all_;
  Allowances in_use_;
};

}  // namespace weir::app

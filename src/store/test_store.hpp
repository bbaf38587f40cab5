#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/store.hpp"

/// For tests: a store in memory of which a test replaces what it is about.
namespace weir::store {

class TestStore : public Store {
 public:
  RequestLog& requests() override { return memory_->requests(); }
  ApiKeys& keys() override { return memory_->keys(); }
  Tenants& tenants() override { return memory_->tenants(); }
  AuditLog& audit() override { return memory_->audit(); }
  Result<void> atomically(const std::function<Result<void>()>& work) override { return work(); }
  Result<void> make_durable() override { return {}; }
  Result<std::int64_t> bytes() override { return 0; }
  Result<void> shrink() override { return {}; }
  Result<void> backup(const std::string&) override { return {}; }
  int schema_version() override { return 1; }
  void on_progress(std::function<void()>) override {}

 protected:
  [[nodiscard]] Store& memory() { return *memory_; }

 private:
  std::unique_ptr<Store> memory_ = make_memory_store();
};

}  // namespace weir::store

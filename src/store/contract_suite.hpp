#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "store/sqlite_store.hpp"
#include "store/store.hpp"

/// For tests: one suite for every store. What the interfaces promise holds for each implementation.
namespace weir::store {

/// A folder of the test's own, gone with it.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "weir-store-XXXXXX") { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Kind {
  const char* name;
  std::unique_ptr<Store> (*make)(const Folder&);
};

inline std::unique_ptr<Store> make_sqlite(const Folder& folder) {
  auto store = open_sqlite_store({.file = folder.file("weir.db")});
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return std::move(*store);
}

class ContractSuite : public testing::TestWithParam<Kind> {
 protected:
  Folder folder;
  std::unique_ptr<Store> store = GetParam().make(folder);
};

/// Another database is one line more here.
inline auto all_stores() {
  return testing::Values(Kind{"memory", [](const Folder&) { return make_memory_store(); }},
                         Kind{"sqlite", make_sqlite});
}

#define WEIR_FOR_ALL_STORES(suite) \
  INSTANTIATE_TEST_SUITE_P(All, suite, all_stores(), [](const auto& kind) { return std::string(kind.param.name); })

}  // namespace weir::store

#include "api/registry.hpp"

#include <gtest/gtest.h>

namespace weir::api {
namespace {

Registry registry_of(const std::vector<std::pair<std::string_view, std::string_view>>& endpoints) {
  Registry registry;
  for (const auto& [method, path] : endpoints) {
    registry.add({.method = method, .path = path, .upstream_path = "", .summary = ""},
                 [](ApiRequest&) -> Task<void> { co_return; });
  }
  return registry;
}

TEST(Registry, finds_the_endpoint_and_what_its_braces_stand_for) {
  const Registry registry = registry_of(
      {{"POST", "/things/{id}/turn"}, {"GET", "/things/{id}"}, {"DELETE", "/things/{id}"}, {"GET", "/things"}});
  struct Row {
    std::string_view method;
    std::string_view path;
    std::string_view found;
    std::string_view rest;
    std::string_view allowed;
  };
  for (const Row& row : std::vector<Row>{{"GET", "/things", "/things", "", ""},
                                         {"GET", "/things/a", "/things/{id}", "a", ""},
                                         {"HEAD", "/things/a", "/things/{id}", "a", ""},
                                         {"GET", "/things/a/b", "/things/{id}", "a/b", ""},
                                         {"POST", "/things/a/turn", "/things/{id}/turn", "a", ""},
                                         {"POST", "/things/turn", "", "", "GET, HEAD, DELETE"},
                                         {"POST", "/things//turn", "", "", "GET, HEAD, DELETE"},
                                         {"POST", "/things/a/b/turn", "", "", "GET, HEAD, DELETE"},
                                         {"POST", "/things/a/turning", "", "", "GET, HEAD, DELETE"},
                                         {"PUT", "/things/a/turn", "", "", "POST"},
                                         {"GET", "/things/a/turn", "", "", "POST"},
                                         {"DELETE", "/things/a/turn", "", "", "POST"},
                                         {"GET", "/things/a%2Fturn", "/things/{id}", "a%2Fturn", ""},
                                         {"GET", "/things/", "", "", ""},
                                         {"GET", "/thing", "", "", ""}}) {
    const Registry::Match match = registry.find(row.method, row.path);
    EXPECT_EQ(match.entry == nullptr ? "" : match.entry->endpoint.path, row.found) << row.method << " " << row.path;
    EXPECT_EQ(match.rest, row.rest) << row.method << " " << row.path;
    if (match.entry == nullptr) {
      EXPECT_EQ(match.allowed_methods, row.allowed) << row.method << " " << row.path;
    }
  }
}

}  // namespace
}  // namespace weir::api

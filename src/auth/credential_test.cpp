#include "auth/credential.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::auth {
namespace {

using enum Credential::State;

struct Row {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  Credential::State state;
  std::string_view key;
};

TEST(Credential, is_read_from_three_headers_that_must_agree) {
  const std::vector<Row> rows{
      {{}, none, ""},
      {{{"Authorization", "Bearer wr-1"}}, one, "wr-1"},
      {{{"authorization", "bearer   wr-1"}}, one, "wr-1"},
      {{{"AUTHORIZATION", "BEARER wr-1 "}}, one, "wr-1"},
      {{{"X-API-Key", "wr-1"}}, one, "wr-1"},
      {{{"api-key", "wr-1"}}, one, "wr-1"},
      {{{"Authorization", "Bearer wr-1"}, {"X-API-Key", "wr-1"}, {"api-key", "wr-1"}}, one, "wr-1"},
      {{{"Authorization", "Bearer wr-1"}, {"X-API-Key", "wr-2"}}, differ, ""},
      {{{"Authorization", "Bearer wr-1"}, {"X-API-Key", "wr-2"}, {"api-key", "wr-2"}}, differ, ""},
      {{{"X-API-Key", "wr-1"}, {"api-key", "WR-1"}}, differ, ""},
      {{{"Authorization", "Bearer wr-1"}, {"Authorization", "Bearer wr-2"}}, differ, ""},
      {{{"X-API-Key", "wr-1"}, {"x-api-key", "wr-1"}}, one, "wr-1"},
      {{{"X-API-Key", "wr-1"}, {"Accept", "x"}, {"x-api-key", "wr-2"}}, differ, ""},
      // Clients without a key send an empty one.
      {{{"Authorization", "Bearer"}}, none, ""},
      {{{"Authorization", "Bearer "}, {"X-API-Key", ""}}, none, ""},
      {{{"Authorization", "Bearer "}, {"X-API-Key", "wr-1"}}, one, "wr-1"},
      // Another scheme is a proxy's business, unless it is all there is.
      {{{"Authorization", "Basic d2VpcjprZXk="}}, no_bearer, ""},
      {{{"Authorization", "wr-1"}}, no_bearer, ""},
      {{{"Authorization", "Bearerwr-1"}}, no_bearer, ""},
      {{{"Authorization", "Basic d2VpcjprZXk="}, {"X-API-Key", "wr-1"}}, one, "wr-1"},
      {{{"Authorization", "Basic d2VpcjprZXk="}, {"Authorization", "Bearer wr-1"}}, one, "wr-1"},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    http::Headers headers;
    for (const auto& [name, value] : rows[i].fields) {
      ASSERT_TRUE(headers.add(name, http::trim(value)));
    }
    const Credential credential = read_credential(headers);
    EXPECT_EQ(credential.state, rows[i].state) << "row " << i;
    EXPECT_EQ(credential.key, rows[i].key) << "row " << i;
  }
}

}  // namespace
}  // namespace weir::auth

#include "gateway/key_turn.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using llm::Cause;
using platform::Instant;

constexpr Instant start{1h};

AttemptResult failed(Cause cause) {
  AttemptResult result{.kind = AttemptResult::Kind::failed};
  result.failure.cause = cause;
  return result;
}

class TurnOfAKey : public testing::Test {
 protected:
  /// One attempt of `turn`, which fails for that cause; its key.
  std::string attempt(KeyTurn& turn, Cause cause) {
    const auto* key = turn.key(start);
    const std::string label = key == nullptr ? "none" : key->label();
    turn.report(failed(cause), {}, start);
    return label;
  }
  std::shared_ptr<providers::KeyPool> pool_ = std::make_shared<providers::KeyPool>(
      "acme",
      std::vector<providers::KeyPool::KeyOptions>{{.label = "a", .value = Secret("sk-a")},
                                                  {.label = "b", .value = Secret("sk-b")}},
      providers::KeyChoice::round_robin);
};

TEST_F(TurnOfAKey, asks_again_with_the_same_key) {
  KeyTurn turn(pool_.get(), "m");
  EXPECT_EQ(attempt(turn, Cause::transport), "a");
  EXPECT_EQ(attempt(turn, Cause::transport), "a") << "a connection that was closed under it says nothing of the key";
}

TEST_F(TurnOfAKey, asks_again_with_another_key_once_another_call_was_refused) {
  KeyTurn turn(pool_.get(), "m");
  EXPECT_EQ(attempt(turn, Cause::transport), "a");
  KeyTurn first(pool_.get(), "m");
  EXPECT_EQ(attempt(first, Cause::transport), "b");
  KeyTurn second(pool_.get(), "m");
  EXPECT_EQ(attempt(second, Cause::credential), "a");
  EXPECT_EQ(attempt(turn, Cause::transport), "b");
}

TEST_F(TurnOfAKey, asks_again_with_a_refused_key_if_no_other_is_left) {
  KeyTurn turn(pool_.get(), "m");
  EXPECT_EQ(attempt(turn, Cause::credential), "a");
  EXPECT_TRUE(turn.change(Cause::credential, start));
  EXPECT_EQ(attempt(turn, Cause::transport), "b");
  KeyTurn other(pool_.get(), "m");
  EXPECT_EQ(attempt(other, Cause::credential), "b");
  EXPECT_FALSE(other.change(Cause::credential, start));
  EXPECT_EQ(attempt(turn, Cause::credential), "b") << "and not a, which refused this call already";
  EXPECT_FALSE(turn.change(Cause::credential, start));
}

TEST_F(TurnOfAKey, without_a_pool_none_is_sent) {
  KeyTurn turn(nullptr, "m");
  EXPECT_EQ(attempt(turn, Cause::credential), "none");
  EXPECT_FALSE(turn.change(Cause::credential, start));
}

}  // namespace
}  // namespace weir::gateway

#include "store/call_form.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace weir::store {
namespace {

using namespace std::chrono_literals;

// Settled by an estimate, also of its tokens; not settled, and its cost is known; its end was never seen. Names with
// escapes.
constexpr std::string_view record =
    R"(["req_1",[["a/x","complete",200,0,0,0,0,1,2,3,4,0,1,0,"",10,5,0,0,0.25,0,0,711,"",0,0,0,"",0,0,0,)"
    R"({"usd":0.60,"tokens":100,"output_tokens":90,"until":"2026-11-21T12:11:00.000Z"},0.30,19,8],)"
    R"(["a/x","complete",200,0,0,0,0,1,2,3,4,0,1,0,"",7,3,0,0,0.01],)"
    R"(["b/y","unknown",0,0,0,0,0,1,"","","",0,1,0,0,"","","","",null,0,0,0,"",0,0,0,"",0,0,0,)"
    R"({"usd":0.60,"tokens":100,"output_tokens":90,"until":"2026-11-21T12:11:00.000Z"}]],)"
    R"(1795262400000,"/v1/chat/completions","te\"am","ad\u00e4\\","key_1",0,"127.0.0.1:1",0,0,"m","m\n","a/x",0,200,"complete",)"
    R"(0,0,85,1500,19,"",1024,711,17,8,0,0,"provider",0.31])";

TEST(CallCharge, is_what_each_attempt_was_settled_with_or_cost) {
  const auto charge = charge_of(record);
  ASSERT_TRUE(charge) << charge.error().message;
  EXPECT_EQ(charge->ended, platform::WallTime(1795262400000ms) + 1500us);
  EXPECT_EQ(charge->tenant, "te\"am");
  EXPECT_EQ(charge->user, "ad\u00e4\\");
  EXPECT_EQ(charge->key_id, "key_1");
  EXPECT_EQ(charge->route, "m\n");
  ASSERT_EQ(charge->attempts.size(), 3U);
  EXPECT_EQ(charge->attempts[0].picodollars, 300'000'000'000);
  EXPECT_EQ(charge->attempts[0].tokens, 19);
  EXPECT_EQ(charge->attempts[0].output_tokens, 8);
  EXPECT_EQ(charge->attempts[1].picodollars, 10'000'000'000);
  EXPECT_EQ(charge->attempts[1].tokens, 10);
  EXPECT_EQ(charge->attempts[2].picodollars, std::nullopt);
  EXPECT_EQ(charge->attempts[2].tokens, 0);
  ASSERT_EQ(charge->open.size(), 1U);
  EXPECT_EQ(charge->open[0].worst.picodollars, 600'000'000'000);
  EXPECT_EQ(charge->open[0].worst.tokens, 100);
  EXPECT_EQ(charge->open[0].worst.output_tokens, 90);
  EXPECT_EQ(charge->open[0].expires, platform::WallTime(1795262400000ms) + 11min);
}

TEST(CallCharge, is_not_read_from_a_record_that_is_damaged) {
  for (std::size_t bytes = 0; bytes < record.size(); ++bytes) {
    EXPECT_FALSE(charge_of(std::string(record.substr(0, bytes)))) << bytes;
  }
}

}  // namespace
}  // namespace weir::store

// When a loop holds writes, and when held writes leave.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "platform/real_loop.hpp"

namespace weir::platform {
namespace {

class Letter final : public HeldWrite {
 public:
  explicit Letter(std::vector<int>& left, int number) : left_(left), number_(number) {}
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;
  ~Letter() = default;
  void leave() override { left_.push_back(number_); }

 private:
  std::vector<int>& left_;
  int number_;
};

/// A loop whose turns are run one after the other, each with some writes.
class HeldWrites : public testing::Test {
 protected:
  /// Several events that are there together, each with one write. Returns how many of these are held.
  int events(int count) {
    int held = 0;
    for (int i = 0; i < count; ++i) {
      loop_.post([this, &held] { held += write() ? 1 : 0; });
    }
    turn();
    return held;
  }
  /// One event after the other.
  int lone_events(int count) {
    int held = 0;
    for (int i = 0; i < count; ++i) {
      held += events(1);
    }
    return held;
  }
  bool write() {
    letters_.emplace_back(left_, static_cast<int>(letters_.size()));
    const bool held = loop_.hold(letters_.back());
    if (!held) {
      letters_.back().leave();
    }
    return held;
  }
  void turn() {
    loop_.context().restart();
    loop_.context().poll();
  }

  RealLoop loop_;
  std::deque<Letter> letters_;
  std::vector<int> left_;
};

TEST_F(HeldWrites, who_writes_alone_is_never_held) {
  EXPECT_EQ(lone_events(200), 0);
  EXPECT_EQ(left_.size(), 200U);
}

TEST_F(HeldWrites, a_few_are_no_crowd) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(events(3), 0);
  }
}

TEST_F(HeldWrites, a_crowd_is_noticed_and_leaves_together) {
  for (int i = 0; i < 10 && events(10) == 0; ++i) {
  }
  left_.clear();
  std::size_t left_during_events = 0;
  for (int i = 0; i < 5; ++i) {
    loop_.post([&] {
      EXPECT_TRUE(write());
      left_during_events += left_.size();
    });
  }
  turn();
  EXPECT_EQ(left_during_events, 0U) << "they leave behind the last event";
  ASSERT_EQ(left_.size(), 5U);
  EXPECT_TRUE(std::ranges::is_sorted(left_)) << "in their order";
}

TEST_F(HeldWrites, a_crowd_that_is_gone_is_forgotten) {
  for (int i = 0; i < 10 && events(10) == 0; ++i) {
  }
  EXPECT_GT(events(10), 0);
  EXPECT_GT(lone_events(1), 0);
  lone_events(50);
  EXPECT_EQ(lone_events(50), 0);
  EXPECT_EQ(left_.size(), letters_.size()) << "all have left";
}

TEST_F(HeldWrites, one_that_is_gone_does_not_leave) {
  for (int i = 0; i < 10 && events(10) == 0; ++i) {
  }
  left_.clear();
  auto gone = std::make_unique<Letter>(left_, -1);
  loop_.post([&] { EXPECT_TRUE(loop_.hold(*gone)); });
  loop_.post([&] { EXPECT_TRUE(write()); });
  loop_.post([&] { gone.reset(); });
  turn();
  EXPECT_EQ(left_, std::vector<int>{static_cast<int>(letters_.size()) - 1});
}

}  // namespace
}  // namespace weir::platform

// What loops promise of posts, timers and signals; and on which machines all of the suite runs.
#include "platform/test_contract.hpp"

namespace weir::platform {
namespace {

std::vector<Kind> kinds() {
  std::vector<Kind> all{{"real", real_machine}, {"simulated", simulated_machine}};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    all.push_back({"rough_" + std::to_string(seed), [seed] { return rough_machine(seed); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Platform, Contract, testing::ValuesIn(kinds()),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

CONTRACT(posts_run_later_and_in_order) {
  std::vector<int> ran;
  Signal done(machine.loop());
  for (int i = 0; i < 5; ++i) {
    machine.loop().post([&, i] {
      ran.push_back(i);
      if (i == 4) {
        done.notify();
      }
    });
  }
  EXPECT_TRUE(ran.empty()) << "not inside post()";
  std::ignore = co_await done.wait({});
  EXPECT_EQ(ran, (std::vector{0, 1, 2, 3, 4}));
}

CONTRACT(a_post_from_elsewhere_arrives) {
  Signal done(machine.loop());
  bool ran = false;
  machine.post_from_elsewhere([&] {
    ran = true;
    done.notify();
  });
  std::ignore = co_await done.wait({});
  EXPECT_TRUE(ran);
}

Task<void> note_after(Loop& loop, Instant due, int number, std::vector<int>& order) {
  co_await sleep(loop, {.deadline = due});
  order.push_back(number);
}

CONTRACT(sleepers_wake_in_the_order_of_their_deadlines) {
  std::vector<int> order;
  const Instant now = machine.loop().now();
  const Running third(machine.loop(), note_after(machine.loop(), now + 30ms, 3, order));
  const Running first(machine.loop(), note_after(machine.loop(), now + 10ms, 1, order));
  const Running second(machine.loop(), note_after(machine.loop(), now + 20ms, 2, order));
  co_await sleep(machine.loop(), {.deadline = now + 40ms});
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_GE(machine.loop().now(), now + 40ms);
  if (machine.time_is_exact()) {
    EXPECT_EQ(machine.loop().now(), now + 40ms);
  }
}

CONTRACT(a_deadline_in_the_past_ends_the_wait_soon) {
  Signal nobody(machine.loop());
  const Wake wake = co_await nobody.wait({.deadline = machine.loop().now() - 1s});
  EXPECT_EQ(wake, Wake::timeout);
}

CONTRACT(a_notify_without_a_waiter_is_kept_once) {
  Signal signal(machine.loop());
  signal.notify();
  signal.notify();
  EXPECT_EQ(co_await signal.wait({}), Wake::notified);
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout);
  signal.notify();
  signal.clear();
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout);
}

Task<void> wait_for(Signal& signal, Until until, std::vector<Wake>& wakes) {
  wakes.push_back(co_await signal.wait(until));
}

CONTRACT(a_waker_goes_on_before_the_one_it_woke) {
  Signal signal(machine.loop());
  std::vector<Wake> wakes;
  const Running waiter(machine.loop(), wait_for(signal, {}, wakes));
  co_await settle(machine.loop());
  signal.notify();
  EXPECT_TRUE(wakes.empty());
  co_await settle(machine.loop());
  EXPECT_EQ(wakes, (std::vector{Wake::notified}));
}

CONTRACT(a_cancellation_reaches_every_wait_below_it) {
  Cancellation parent;
  Cancellation child(&parent);
  Signal first(machine.loop());
  Signal second(machine.loop());
  std::vector<Wake> wakes;
  const Running a(machine.loop(), wait_for(first, {.cancellation = &parent}, wakes));
  const Running b(machine.loop(), wait_for(second, {.cancellation = &child}, wakes));
  co_await settle(machine.loop());
  parent.cancel();
  EXPECT_TRUE(wakes.empty()) << "not inside cancel()";
  co_await settle(machine.loop());
  EXPECT_EQ(wakes, (std::vector{Wake::cancelled, Wake::cancelled}));
  EXPECT_TRUE(child.cancelled());
  EXPECT_EQ(co_await first.wait({.cancellation = &child}), Wake::cancelled) << "and every later one";
}

CONTRACT(a_child_that_is_cancelled_leaves_its_parent_alone) {
  Cancellation parent;
  {
    Cancellation child(&parent);
    child.cancel();
  }
  EXPECT_FALSE(parent.cancelled());
  Signal signal(machine.loop());
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now(), .cancellation = &parent}), Wake::timeout);
}

CONTRACT(a_waiting_coroutine_can_be_destroyed) {
  Cancellation cancellation;
  Signal signal(machine.loop());
  std::vector<Wake> wakes;
  for (const bool woken_already : {false, true}) {
    {
      const Until until{.deadline = machine.loop().now() + 10ms, .cancellation = &cancellation};
      const Running waiter(machine.loop(), wait_for(signal, until, wakes));
      co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 2ms});
      if (woken_already) {
        signal.notify();  // it is in the ready queue when it goes
      }
    }
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 20ms});
  }
  cancellation.cancel();
  signal.clear();
  EXPECT_TRUE(wakes.empty());
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout)
      << "and the signal can be used again";
}

}  // namespace
}  // namespace weir::platform

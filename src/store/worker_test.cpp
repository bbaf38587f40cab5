#include "store/worker.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "store/test_record.hpp"

namespace weir::store {
namespace {

using namespace std::chrono_literals;

/// What the worker's thread meets, in the hands of the test.
struct Surroundings {
  std::atomic<bool> opens = true;
  std::atomic<bool> round_fails = false;
  std::atomic<int> opened = 0;
  std::atomic<int> rounds = 0;
  std::atomic<int> to_do = 0;
  std::mutex mutex;
  std::vector<std::string> changes;

  Worker make(Worker::Options options = {.pause = 1ms, .retry = 1ms, .idle_round = 1h}) {
    return Worker(
        [this]() -> Result<std::unique_ptr<Store>> {
          if (!opens) {
            return fail(Code::store_unavailable, "cannot be opened");
          }
          ++opened;
          return make_memory_store();
        },
        [this](Store&) -> Result<bool> {
          ++rounds;
          rounds.notify_all();
          if (round_fails) {
            return fail(Code::store_unavailable, "locked");
          }
          return to_do > 0 && --to_do > 0;
        },
        [this](const Error* error) {
          const std::lock_guard lock(mutex);
          changes.push_back(error == nullptr ? "back" : error->message);
        },
        options);
  }
  void wait_for_rounds(int number) const {
    for (int seen = rounds; seen < number; seen = rounds) {
      rounds.wait(seen);
    }
  }
};

/// Asks and waits for the answer, as a request does on its loop.
std::string answer_of(Worker& worker) {
  std::promise<std::string> answer;
  const bool posted =
      worker.post([&](Result<Store*> store) { answer.set_value(store ? "answered" : store.error().message); });
  return posted ? answer.get_future().get() : "not taken";
}

TEST(StoreWorker, answers_questions_once_the_store_is_open) {
  Surroundings around;
  Worker worker = around.make();
  worker.start();
  EXPECT_EQ(answer_of(worker), "answered");
  EXPECT_TRUE(worker.available());
}

TEST(StoreWorker, does_its_rounds_before_it_answers) {
  Surroundings around;
  around.to_do = 5;
  Worker worker = around.make();
  worker.start();
  EXPECT_EQ(answer_of(worker), "answered");
  EXPECT_GE(around.rounds, 5);
}

TEST(StoreWorker, tries_again_until_the_store_is_back_and_tells_each_change_once) {
  Surroundings around;
  around.opens = false;
  Worker worker = around.make();
  worker.start();
  EXPECT_TRUE(answer_of(worker).contains("cannot be opened"));
  EXPECT_FALSE(worker.available());
  around.round_fails = true;
  around.opens = true;
  around.wait_for_rounds(3);
  around.round_fails = false;
  const int failed = around.rounds;
  worker.nudge();  // it may be good already, and then rests
  around.wait_for_rounds(failed + 1);
  EXPECT_EQ(answer_of(worker), "answered");
  EXPECT_TRUE(worker.available());
  const std::lock_guard lock(around.mutex);
  EXPECT_EQ(around.changes, (std::vector<std::string>{"cannot be opened", "back"}));
}

TEST(StoreWorker, opens_a_store_anew_that_keeps_failing) {
  Surroundings around;
  around.round_fails = true;
  Worker worker = around.make();
  worker.start();
  around.wait_for_rounds(30);
  EXPECT_GE(around.opened, 2);
  EXPECT_LE(around.opened, around.rounds / 10 + 1) << "not for each failure";
}

TEST(StoreWorker, refuses_questions_beyond_its_bound_and_answers_all_others_at_its_end) {
  Surroundings around;
  std::vector<std::string> answers;
  {
    Worker worker = around.make({.queued_max = 2});  // never started: questions stay
    const auto ask = [&] {
      return worker.post([&](Result<Store*> store) { answers.push_back(store ? "yes" : store.error().message); });
    };
    EXPECT_TRUE(ask());
    EXPECT_TRUE(ask());
    EXPECT_FALSE(ask());
  }
  EXPECT_EQ(answers, (std::vector<std::string>{"The gateway stops.", "The gateway stops."}));
}

TEST(StoreWorker, a_question_that_goes_forward_is_not_stuck_however_long_it_takes) {
  Surroundings around;
  Worker worker = around.make({.pause = 1ms, .retry = 1ms, .idle_round = 1h, .stuck_after = 1s});
  worker.start();
  std::promise<bool> answers_again;
  const bool posted = worker.post([&](Result<Store*> store) {
    ASSERT_TRUE(store.has_value());
    ASSERT_TRUE(put_calls(**store, {{InferenceLog{.id = "req_1"}}}).has_value());
    while (worker.answers()) {  // until it counts as stuck
      std::this_thread::yield();
    }
    ASSERT_TRUE((*store)->requests().usage({}).has_value());
    answers_again.set_value(worker.answers());
  });
  ASSERT_TRUE(posted);
  EXPECT_TRUE(answers_again.get_future().get());
  EXPECT_TRUE(worker.available());
}

TEST(StoreWorker, finishes_what_there_is_to_do) {
  Surroundings around;
  Worker worker = around.make();
  worker.start();
  around.wait_for_rounds(1);
  around.to_do = 100;
  EXPECT_TRUE(worker.finish());
  EXPECT_EQ(around.to_do, 0);
  EXPECT_EQ(answer_of(worker), "not taken");
  around.round_fails = true;
  EXPECT_FALSE(worker.finish());
}

}  // namespace
}  // namespace weir::store

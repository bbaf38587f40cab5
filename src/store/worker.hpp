#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/result.hpp"
#include "platform/loop.hpp"
#include "platform/signal.hpp"
#include "store/store.hpp"

namespace weir::store {

/// The one thread on which the store is used: it opens the store, does the rounds of work that nobody waits for, and
/// answers questions from a bounded queue.
///
/// A store that cannot be opened, is locked or hangs delays this thread alone: questions then end with
/// store_unavailable or at their own deadline, and rounds are tried again. Members are for any thread.
class Worker {
 public:
  using Open = std::function<Result<std::unique_ptr<Store>>()>;
  /// Work between the questions. True: there is more to do at once.
  using Round = std::function<Result<bool>(Store&)>;
  /// Told when the store becomes unavailable (with the words), and when it is back (null). On the worker's thread.
  using OnChange = std::function<void(const Error*)>;
  using Job = std::move_only_function<void(Result<Store*>)>;
  struct Options {
    std::size_t queued_max = 64;                   // questions
    std::chrono::milliseconds pause{50};           // at least, between two rounds: news come in batches
    std::chrono::milliseconds retry{500};          // after a failure
    std::chrono::milliseconds idle_round{5'000};   // a round without news
    std::chrono::milliseconds stuck_after{2'000};  // without any progress in what it was asked
  };
  Worker(Open open, Round round, OnChange on_change, Options options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Ends the thread; questions that wait are answered with store_unavailable.
  ~Worker();

  /// Opens the store and begins. Once.
  void start();
  /// In place of start(), where time is simulated: one round, on this thread. True: there is more to do at once.
  bool turn() { return do_round(); }
  /// There is something for a round.
  void nudge();
  /// False where too many questions wait or the worker has ended; the job is then not called.
  bool post(Job job);
  /// Whether the store could be used the last time; true before the first.
  [[nodiscard]] bool available() const { return available_.load(std::memory_order_relaxed); }
  /// Whether it answers at this moment: it could be used the last time, and is not stuck in what it was asked since.
  [[nodiscard]] bool answers() const;
  /// Rounds until one has nothing more to do or fails, then no more. False: it failed.
  bool finish();

 private:
  void run();
  bool do_round();
  void use(std::unique_ptr<Store> opened);
  void note_progress();
  void note(const Error* error);

  const Open open_;
  const Round round_;
  const OnChange on_change_;
  const Options options_;
  std::unique_ptr<Store> store_;  // of the thread
  int failures_ = 0;              // of the thread: of rounds, since the last good one
  std::atomic<bool> available_ = true;
  std::atomic<std::int64_t> progress_us_ = 0;  // the machine's clock; 0: nothing is being done
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool nudged_ = true;  // what an earlier process left is looked for at once
  bool idle_ = false;   // waits for a nudge, not for the end of its pause
  bool stopping_ = false;
  std::thread thread_;
};

/// What a question to the store is asked with. An answer that comes after `until` is dropped.
template <class Answer>
Task<Result<Answer>> ask(Worker& worker, platform::Loop& loop, std::move_only_function<Result<Answer>(Store&)> question,
                         platform::Until until) {
  struct Asked {
    explicit Asked(platform::Loop& on) : done(on) {}
    platform::Signal done;
    std::optional<Result<Answer>> answer;
  };
  auto asked = std::make_shared<Asked>(loop);
  const bool posted = worker.post([asked, &loop, question = std::move(question)](Result<Store*> store) mutable {
    Result<Answer> answer = store ? question(**store) : Result<Answer>(std::unexpected(std::move(store.error())));
    loop.post([asked = std::move(asked), answer = std::move(answer)]() mutable {
      asked->answer = std::move(answer);
      asked->done.notify();
    });
  });
  if (!posted) {
    co_return fail(Code::store_unavailable, "The store is busy with other questions. Try again.");
  }
  if (co_await asked->done.wait(until) != platform::Wake::notified) {
    co_return fail(Code::store_unavailable, "The store did not answer in time. Calls of models go on; try again.");
  }
  co_return std::move(*asked->answer);
}

}  // namespace weir::store

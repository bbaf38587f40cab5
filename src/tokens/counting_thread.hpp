#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tokens/count.hpp"

namespace weir::tokens {

/// Counts tokens beside the request threads: one thread of low priority with a bounded queue.
///
/// The vocabularies are read with the first job, and given back when none came for a while: a process that never counts
/// does not hold them. Members are for any thread.
class CountingThread final : public Counting {
 public:
  struct Options {
    std::size_t queued_max = 1024;                         // jobs that wait
    std::size_t queued_bytes_max = std::size_t{64} << 20;  // of them together
    std::chrono::seconds vocabularies_kept{60};            // without a job
  };
  explicit CountingThread(Options options);
  CountingThread() : CountingThread(Options{}) {}
  CountingThread(const CountingThread&) = delete;
  CountingThread& operator=(const CountingThread&) = delete;
  ~CountingThread() override;

  /// False after stop(), too.
  bool submit(CountJob job, Abandoned abandoned, Done done) override;
  /// Leaves what is to be counted, and ends the thread.
  void stop();

 private:
  struct Waiting {
    CountJob job;
    Abandoned abandoned;
    Done done;
  };
  void run();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  Abandoned current_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::tokens

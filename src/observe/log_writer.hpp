#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "observe/log.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"

namespace weir::observe {

/// The log of a running weir: a bounded queue of whole lines, and one thread that appends them in batches.
///
/// Who logs writes the line, while what it tells of is at hand: another thread would first have to fetch all of it from
/// memory, and the record of each call would live until then. A line waits at most about 20 ms. When the queue is full,
/// lines are dropped and counted, never waited for; the count is written when there is room again. Destroying it writes
/// what is queued. Thread-safe.
class LogWriter final : public Log {
 public:
  /// What is written; may change while it runs.
  struct Filter {
    Level level = Level::info;
    std::map<std::string, Level, std::less<>> components;  // other levels for these
    bool requests = true;                                  // the line for each request
    friend bool operator==(const Filter&, const Filter&) = default;
  };
  struct Options {
    Filter filter;
    std::size_t queued_bytes_max = std::size_t{16} << 20;
  };
  /// `clock` outlives the writer and may be asked from any thread.
  LogWriter(std::unique_ptr<platform::AppendFile> file, const platform::Clock& clock, Options options);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter() override;

  void message(Level level, std::string_view component, std::string text) override;
  void request(std::shared_ptr<const LogLine> line) override;
  void set_filter(Filter filter);
  [[nodiscard]] std::uint64_t dropped() const override { return dropped_.load(std::memory_order_relaxed); }

 private:
  void push(std::string_view line);
  void run();

  const std::unique_ptr<platform::AppendFile> file_;
  const platform::Clock& clock_;
  const std::size_t queued_bytes_max_;
  std::vector<std::unique_ptr<const Filter>> filters_;  // all there ever were: a thread may still look at an old one
  std::atomic<const Filter*> filter_;                   // the last of them
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string queue_;  // lines; its room is made once, and its pages are granted when they are used
  bool stopping_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::uint64_t dropped_told_ = 0;
  std::thread thread_;
};

}  // namespace weir::observe

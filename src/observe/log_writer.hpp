#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "observe/log.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"

namespace weir::observe {

/// The log of a running weir: a bounded queue, and one thread that formats and appends in batches.
///
/// A line waits at most about 20 ms. When the queue is full, lines are dropped and counted, never waited for; the count
/// is written when there is room again. Destroying it writes what is queued. Thread-safe.
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
    std::size_t queued_max = 16 * 1024;  // lines
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
  struct Message {
    Level level;
    std::string component;
    std::string text;
    platform::WallTime time;
  };
  using Entry = std::variant<std::shared_ptr<const LogLine>, Message>;

  void push(Entry entry);
  void run();
  void write(std::vector<Entry>& entries, std::string& buffer);

  const std::unique_ptr<platform::AppendFile> file_;
  const platform::Clock& clock_;
  const std::size_t queued_max_;
  std::vector<std::unique_ptr<const Filter>> filters_;  // all there ever were: a thread may still look at an old one
  std::atomic<const Filter*> filter_;                   // the last of them
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> queue_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::uint64_t dropped_told_ = 0;
  std::thread thread_;
};

}  // namespace weir::observe

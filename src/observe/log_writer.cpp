#include "observe/log_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/prefetch.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::observe {

namespace {

constexpr auto batch_time = std::chrono::milliseconds(20);
constexpr std::size_t next_bytes = 1024;  // what the next line is likely to take

/// Where a thread writes its next line. A line is never longer than what it tells of, which is bounded.
std::string& scratch() {
  thread_local std::string line;
  line.clear();
  return line;
}

void append_message(std::string& line, platform::WallTime time, Level level, std::string_view component,
                    std::string_view text) {
  line += fmt::format(R"({{"time":"{}","level":"{}","component":)", rfc3339(time), to_string(level));
  text::append_json_string(line, component);
  line += R"(,"message":)";
  text::append_json_string(line, text);
  line += "}\n";
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
    case Level::off: return "off";
  }
  return "info";
}

LogWriter::LogWriter(std::unique_ptr<platform::AppendFile> file, const platform::Clock& clock, Options options)
    : file_(std::move(file)), clock_(clock), queued_bytes_max_(options.queued_bytes_max) {
  queue_.reserve(queued_bytes_max_);
  set_filter(std::move(options.filter));
  thread_ = std::thread([this] { run(); });
}

void LogWriter::set_filter(Filter filter) {
  const std::lock_guard lock(mutex_);
  if (filters_.empty() || *filters_.back() != filter) {
    filters_.push_back(std::make_unique<const Filter>(std::move(filter)));
    filter_.store(filters_.back().get(), std::memory_order_release);
  }
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::message(Level level, std::string_view component, std::string text) {
  const Filter& filter = *filter_.load(std::memory_order_acquire);
  const auto own = filter.components.find(component);
  if (level >= (own != filter.components.end() ? own->second : filter.level)) {
    std::string& line = scratch();
    append_message(line, clock_.wall_now(), level, component, text);
    push(line);
  }
}

void LogWriter::request(std::shared_ptr<const LogLine> told) {
  const Filter& filter = *filter_.load(std::memory_order_acquire);
  if (filter.requests && filter.level <= Level::info) {
    std::string& line = scratch();
    told->append_to(line);
    line += '\n';
    push(line);
  }
}

void LogWriter::push(std::string_view line) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (line.size() > queued_bytes_max_ - queue_.size()) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    was_empty = queue_.empty();
    queue_ += line;
    prefetch_for_write(queue_.data() + queue_.size(), std::min(next_bytes, queued_bytes_max_ - queue_.size()));
  }
  if (was_empty) {
    wake_.notify_one();  // once a batch: the writer sleeps until something comes, then collects for a while
  }
}

void LogWriter::run() {
  std::string lines;
  lines.reserve(queued_bytes_max_);
  while (true) {
    lines.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      wake_.wait_for(lock, batch_time, [this] { return stopping_; });
      if (queue_.empty() && stopping_) {
        return;
      }
      queue_.swap(lines);  // empty, with room of its own
    }
    const std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
    if (dropped != dropped_told_) {
      append_message(lines, clock_.wall_now(), Level::warn, "log",
                     fmt::format("{} lines were dropped because the queue was full", dropped - dropped_told_));
      dropped_told_ = dropped;
    }
    // A full disk loses lines, not calls; standard error is the only place left to say so, and it may be this very
    // file.
    static_cast<void>(file_->append(lines));
  }
}

}  // namespace weir::observe

#include "observe/log_writer.hpp"

#include <fmt/format.h>

#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::observe {

namespace {

constexpr auto batch_time = std::chrono::milliseconds(20);

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
    : file_(std::move(file)), clock_(clock), queued_max_(options.queued_max) {
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
    push(Message{
        .level = level, .component = std::string(component), .text = std::move(text), .time = clock_.wall_now()});
  }
}

void LogWriter::request(std::shared_ptr<const LogLine> line) {
  const Filter& filter = *filter_.load(std::memory_order_acquire);
  if (filter.requests && filter.level <= Level::info) {
    push(std::move(line));
  }
}

void LogWriter::push(Entry entry) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queued_max_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    was_empty = queue_.empty();
    queue_.push_back(std::move(entry));
  }
  if (was_empty) {
    wake_.notify_one();  // once a batch: the writer sleeps until something comes, then collects for a while
  }
}

void LogWriter::run() {
  std::vector<Entry> entries;
  std::string buffer;
  while (true) {
    entries.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      wake_.wait_for(lock, batch_time, [this] { return stopping_; });
      if (queue_.empty() && stopping_) {
        return;
      }
      queue_.swap(entries);  // empty, with the room of an earlier batch
    }
    write(entries, buffer);
  }
}

void LogWriter::write(std::vector<Entry>& entries, std::string& buffer) {
  buffer.clear();
  for (const Entry& entry : entries) {
    if (const auto* line = std::get_if<std::shared_ptr<const LogLine>>(&entry)) {
      (*line)->append_to(buffer);
    } else {
      const auto& message = std::get<Message>(entry);
      buffer +=
          fmt::format(R"({{"time":"{}","level":"{}","component":)", rfc3339(message.time), to_string(message.level));
      text::append_json_string(buffer, message.component);
      buffer += R"(,"message":)";
      text::append_json_string(buffer, message.text);
      buffer += '}';
    }
    buffer += '\n';
  }
  const std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
  if (dropped != dropped_told_) {
    buffer += fmt::format(
        R"({{"time":"{}","level":"warn","component":"log","message":"{} lines were dropped because the queue was full"}})"
        "\n",
        rfc3339(clock_.wall_now()), dropped - dropped_told_);
    dropped_told_ = dropped;
  }
  // A full disk loses lines, not calls; standard error is the only place left to say so, and it may be this very file.
  static_cast<void>(file_->append(buffer));
}

}  // namespace weir::observe

#include "ledger/journal_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::ledger {

namespace {

// As much as a core at full speed fills until the store has it.
constexpr std::size_t retired_bytes_max = std::size_t{12} << 20;
constexpr std::size_t retired_files_max = 3;

}  // namespace

std::optional<std::uint64_t> segment_number(std::string_view name) {
  const std::string_view digits = name.substr(name.rfind('-') + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  const bool is_number = error == std::errc() && end == digits.end();
  return name.starts_with("core-") && is_number ? std::optional(number) : std::nullopt;
}

Result<std::shared_ptr<JournalSegment>> JournalFiles::make(std::size_t bytes) {
  auto segment = std::make_shared<JournalSegment>();
  segment->number = next_number_++;
  segment->bytes = bytes;
  segment->path = fmt::format("{}/core-{}-{:08}", options_.directory, options_.core, segment->number);
  auto file = make_file(*segment);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  segment->file = std::move(*file);
  return segment;
}

Result<std::unique_ptr<platform::AppendFile>> JournalFiles::make_file(JournalSegment& segment) {
  const bool is_usual = segment.bytes == options_.segment_bytes;
  if (const std::string retired = is_usual ? take_oldest() : std::string(); !retired.empty()) {
    if (auto file = write_again(retired, segment.path)) {
      segment.filled = true;  // nearly all of it was written
      return file;
    }
    for (const std::string& name : {retired, segment.path}) {
      static_cast<void>(files_.remove(name));
    }
  }
  auto file = files_.create_allocated(segment.path, segment.bytes);
  if (!file && !is_usual) {
    remove_retired();  // their place may be all that is left for what waits in memory
    file = files_.create_allocated(segment.path, segment.bytes);
  }
  return file;
}

/// What each of them held is soon gone, so the oldest goes first. Empty: there is none.
std::string JournalFiles::take_oldest() {
  const std::lock_guard lock(mutex_);
  if (retired_.empty()) {
    return {};
  }
  std::string oldest = std::move(retired_.front());
  retired_.erase(retired_.begin());
  return oldest;
}

/// What it holds is no segment's of that number: see JournalFrame.
Result<std::unique_ptr<platform::AppendFile>> JournalFiles::write_again(const std::string& retired,
                                                                        const std::string& path) {
  if (auto renamed = files_.rename(retired, path); !renamed) {
    return std::unexpected(std::move(renamed.error()));
  }
  // Before there is a frame in it: after a power loss nobody would look for one under the old name.
  if (auto durable = files_.sync_directory(options_.directory); !durable) {
    return std::unexpected(std::move(durable.error()));
  }
  return files_.open_allocated(path, options_.segment_bytes);
}

/// A retired file has a name that no recovery reads: what it holds is in the store, or has left that too by then.
Result<void> JournalFiles::retire(const JournalSegment& segment) {
  const std::size_t retired_max =
      std::clamp(retired_bytes_max / options_.segment_bytes, std::size_t{1}, retired_files_max);
  bool is_kept = segment.bytes == options_.segment_bytes;
  {
    const std::lock_guard lock(mutex_);
    is_kept = is_kept && retired_.size() < retired_max;
  }
  if (!is_kept) {
    return files_.remove(segment.path);
  }
  const std::string retired = segment.path + "-retired";
  auto renamed = files_.rename(segment.path, retired);
  if (renamed) {
    const std::lock_guard lock(mutex_);
    retired_.push_back(retired);
  }
  return renamed;
}

void JournalFiles::remove(const JournalSegment& segment) {
  static_cast<void>(files_.remove(segment.path));
}

void JournalFiles::remove_retired() {
  std::vector<std::string> retired;
  {
    const std::lock_guard lock(mutex_);
    retired.swap(retired_);
  }
  for (const std::string& path : retired) {
    static_cast<void>(files_.remove(path));
  }
}

}  // namespace weir::ledger

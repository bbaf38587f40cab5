#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ledger/journal_segment.hpp"

namespace weir::ledger {

/// The number of the segment that a file of that name holds; nothing where it holds none, or one that was retired.
[[nodiscard]] std::optional<std::uint64_t> segment_number(std::string_view name);

/// The files of one core's journal. Those of the usual size that were shipped are retired, a few at a time, and written
/// again as later segments: why, and what that asks of names and frames, is in
/// docs/decisions/0019-calls-are-kept-in-blocks.md. For any thread, but for make(), which is for one.
class JournalFiles {
 public:
  struct Options {
    std::string directory;
    std::size_t core = 0;           // in the names: "core-0-00000001"
    std::size_t segment_bytes = 0;  // of the usual size
  };
  JournalFiles(platform::Files& files, Options options) : files_(files), options_(std::move(options)) {}
  JournalFiles(const JournalFiles&) = delete;
  JournalFiles& operator=(const JournalFiles&) = delete;
  ~JournalFiles() = default;

  /// The next segment, with its file, to which nothing was appended.
  Result<std::shared_ptr<JournalSegment>> make(std::size_t bytes);
  /// It was shipped: its file goes, or is retired.
  Result<void> retire(const JournalSegment& segment);
  /// Nothing was ever appended to it.
  void remove(const JournalSegment& segment);
  void remove_retired();

 private:
  Result<std::unique_ptr<platform::AppendFile>> make_file(JournalSegment& segment);
  Result<std::unique_ptr<platform::AppendFile>> write_again(const std::string& retired, const std::string& path);
  [[nodiscard]] std::string take_oldest();

  platform::Files& files_;
  const Options options_;
  std::uint64_t next_number_ = 1;
  std::mutex mutex_;
  std::vector<std::string> retired_;  // paths, the oldest first
};

}  // namespace weir::ledger

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ledger/core_journal.hpp"

namespace weir::ledger {

/// The journal of a process: a directory of its own, which a lock tells from those that dead processes left behind.
///
/// Life: made before the loops run; outlives their work. `files` outlives it.
class Journal {
 public:
  struct Options {
    std::string directory;  // of all journals: "weir-data/journal"
    std::string name;       // of this process's own in it
    std::size_t cores = 1;
    std::size_t segment_bytes = std::size_t{4} << 20;
    std::size_t overflow_bytes_max = std::size_t{8} << 20;
  };
  /// Makes the directory and the first segment of each core. A directory that cannot be made or locked is an error; a
  /// disk that is full is not, as calls go on without it: see first_round().
  static Result<std::unique_ptr<Journal>> open(platform::Files& files, Options options);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal() = default;

  /// How the first maintain() went, which was a part of open().
  [[nodiscard]] const Result<void>& first_round() const { return first_round_; }
  [[nodiscard]] CoreJournal& core(std::size_t number) { return *cores_[number]; }
  [[nodiscard]] const std::vector<std::unique_ptr<CoreJournal>>& cores() const { return cores_; }
  [[nodiscard]] const std::string& directory() const { return own_directory_; }
  [[nodiscard]] const Options& options() const { return options_; }

  /// One round over all cores, on the journal's thread. The first failure, where there is one. One file is filled in a
  /// round, behind all syncs: it takes milliseconds, more on a slow disk.
  Result<void> maintain();
  /// Waits until something was appended, or stop().
  void wait();
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  /// Nothing will be appended any more. On the journal's thread, or when that has ended.
  void seal();
  /// Behind seal(): what found no file is lost, and counted.
  void give_up_memory();
  /// Everything was shipped: the directory goes.
  Result<void> remove();

  [[nodiscard]] std::uint64_t appended() const;
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] std::size_t kept_in_memory() const;

 private:
  Journal(platform::Files& files, Options options) : files_(files), options_(std::move(options)) {}

  platform::Files& files_;
  const Options options_;
  std::string own_directory_;
  std::unique_ptr<platform::FileLock> lock_;
  std::vector<std::unique_ptr<CoreJournal>> cores_;
  Result<void> first_round_;
  std::atomic<bool> news_ = false;
  std::atomic<bool> stopped_ = false;
};

}  // namespace weir::ledger

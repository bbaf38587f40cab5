#pragma once

#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "platform/files.hpp"
#include "platform/random.hpp"
#include "platform/sim/faults.hpp"

namespace weir::platform {

/// A disk in memory that can be full, fail, and lose at a crash what was not synced.
///
/// Not thread-safe. Outlives the files opened on it.
class SimulatedFiles final : public Files {
 public:
  struct Options {
    std::size_t capacity_bytes = std::numeric_limits<std::size_t>::max();  // of all files together
    std::uint64_t failing_operation = 0;  // this operation of any kind fails (1: the first); 0: none
  };
  explicit SimulatedFiles(std::uint64_t seed);  // without faults
  SimulatedFiles(std::uint64_t seed, Options options);
  ~SimulatedFiles() override;

  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Result<std::string> read(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::unique_ptr<AppendFile>> create_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::unique_ptr<AppendFile>> open_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::string> read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  FileStamp stamp(const std::string& path) override;

  /// A process that is killed: nothing is lost, but its locks are free and its files answer io_error.
  void kill();
  /// A power loss, and a killed process: of what was appended after a file's last sync() a random beginning survives,
  /// the rest is gone. Of the new names that no sync_directory() has made durable the last ones are undone, as many as
  /// chance will have it. Files that were open answer io_error from then on; opening them again finds what survived.
  void crash();
  /// For the n-th operation from now on; 0: none.
  void fail_operation(std::uint64_t nth) { fail_at_ = nth == 0 ? 0 : operations_ + nth; }
  void set_capacity(std::size_t bytes) { options_.capacity_bytes = bytes; }
  [[nodiscard]] std::size_t fills() const { return fills_; }
  /// New names that a crash may undo.
  [[nodiscard]] std::size_t names_not_durable() const { return renames_.size(); }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] const FaultCounts& fault_counts() const { return faults_; }

 private:
  friend class SimulatedAppendFile;
  friend class SimulatedFileLock;
  struct File {
    std::string content;
    std::string below;        // what it held when open_allocated() opened it
    std::size_t written = 0;  // this many bytes of it were appended; allocated ones behind them are as they were
    std::size_t synced = 0;   // this many bytes survive a crash
    bool allocated = false;
    std::uint64_t crashes = 0;
  };
  struct Rename {
    std::string from;
    std::string to;
  };
  Result<void> operate(const std::string& path);
  void undo_renames();
  [[nodiscard]] std::size_t used() const;
  [[nodiscard]] bool has_directory_of(const std::string& path) const;

  Options options_;
  Random choices_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::set<std::string> directories_;
  std::vector<Rename> renames_;  // that a crash may undo, in order
  std::set<std::string> locked_;
  std::uint64_t processes_ = 0;  // that were killed
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;
  std::size_t fills_ = 0;  // calls of AppendFile::fill()
  FaultCounts faults_;
};

}  // namespace weir::platform

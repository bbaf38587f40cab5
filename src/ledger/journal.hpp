#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/journal_frame.hpp"
#include "ledger/request_record.hpp"
#include "platform/files.hpp"

namespace weir::ledger {

/// Held by the records of the calls that are open in a part of the journal.
struct InUse {
  std::shared_ptr<InUse> also;  // which is thereby held too
};

/// The number of the segment that a file of that name holds; nothing where it holds none, or one that was retired.
[[nodiscard]] std::optional<std::uint64_t> segment_number(std::string_view name);

/// One file of the journal. Shared by the core that appends, the thread that syncs and the one that ships.
struct JournalSegment {
  std::string path;
  std::uint64_t number = 0;  // of its core; a later segment has a higher one
  std::size_t bytes = 0;     // that it may hold
  std::unique_ptr<platform::AppendFile> file;
  std::atomic<std::size_t> written = 0;  // whole frames, readable by others
  std::atomic<bool> sealed = false;      // nothing will be appended any more
  std::size_t synced = 0;                // of the journal's thread
  bool filled = false;                   // its file needs no fill(); set before it is shared
  std::shared_ptr<InUse> in_use = std::make_shared<InUse>();
  /// False: every call that was open in it has its end in the journal, and who reads `written` after this finds it.
  [[nodiscard]] bool has_open_calls() const {
    const bool has_calls = in_use.use_count() > 1;  // a relaxed read
    std::atomic_thread_fence(std::memory_order_acquire);
    return has_calls;
  }
};

/// The journal of one core: what its calls were and cost, in files that survive the death of the process.
///
/// append() is for the core's own thread and never waits for a disk: it copies into a file whose place on the disk was
/// granted before. Where there is none, because the disk is full or broken, records are kept in memory, in order, until
/// there is one again; beyond `overflow_bytes_max` they are counted and lost. The other members belong to the journal's
/// own thread, but for segments(), which is for any.
class CoreJournal {
 public:
  struct Options {
    std::string directory;
    std::size_t core = 0;  // in the names of its files: "core-0-00000001"
    std::size_t segment_bytes = std::size_t{4} << 20;
    std::size_t overflow_bytes_max = std::size_t{8} << 20;
  };
  CoreJournal(platform::Files& files, Options options, std::function<void()> on_append);
  CoreJournal(const CoreJournal&) = delete;
  CoreJournal& operator=(const CoreJournal&) = delete;
  ~CoreJournal() = default;

  /// A call's record as it is now, before an upstream call; its last attempt is the one that begins.
  void opened(RequestRecord& record) noexcept;
  /// The record of a call that has ended.
  void closed(RequestRecord& record) noexcept;
  void append(FrameKind kind, std::string_view payload) noexcept;

  /// One round: syncs what was appended, has the next segment ready, moves what is kept in memory to a file.
  Result<void> maintain();
  /// Fills the file of the next segment, once, while the current one has room for long. True: that took its time.
  bool fill_next();
  [[nodiscard]] std::vector<std::shared_ptr<JournalSegment>> segments() const;
  /// The segment was shipped: its file goes, or is retired, to be written again as a later segment. On the shipper's
  /// thread.
  Result<void> forget(const std::shared_ptr<JournalSegment>& segment);
  /// Nothing will be appended any more: what is open is sealed, and a segment that was never used goes.
  void seal();
  /// The files that are retired go.
  void remove_retired();

  [[nodiscard]] std::uint64_t appended() const { return appended_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t kept_in_memory() const { return kept_.load(std::memory_order_relaxed); }

 private:
  using SegmentPtr = std::shared_ptr<JournalSegment>;

  bool append_closed(const RequestRecord& record);
  bool append_frame(FrameKind kind);
  bool append_to_current(FrameKind kind);
  bool keep(FrameKind kind);
  void write_head(FrameKind kind, std::uint64_t segment);
  Result<SegmentPtr> make_segment(std::size_t bytes);
  Result<std::unique_ptr<platform::AppendFile>> make_file(JournalSegment& segment);
  Result<std::unique_ptr<platform::AppendFile>> write_again(const std::string& retired, const std::string& path);
  Result<void> make_room();
  void prepare(std::size_t bytes);
  Result<void> empty_memory();

  platform::Files& files_;
  const Options options_;
  const std::function<void()> on_append_;

  // Of the core's thread.
  SegmentPtr current_;
  std::string frame_;  // room for the head, then the payload
  std::uint64_t sequence_ = 0;

  // Of the journal's thread.
  std::uint64_t next_number_ = 1;

  mutable std::mutex mutex_;  // held to move pointers, or to append to `memory_`
  SegmentPtr spare_;
  std::vector<SegmentPtr> segments_;  // all whose files are there, in order, but the spare
  std::vector<std::string> retired_;  // paths of files of the usual size that wait to be written again
  std::string memory_;                // frames that found no file; those that follow queue behind them
  // Of the segment that `memory_` goes to; and of those in which calls are open whose end is in `memory_`.
  std::shared_ptr<InUse> memory_in_use_ = std::make_shared<InUse>();
  std::vector<std::shared_ptr<const void>> memory_holds_;
  bool in_memory_ = false;

  std::atomic<std::uint64_t> appended_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;
  std::atomic<std::size_t> kept_ = 0;
};

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

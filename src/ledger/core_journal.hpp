#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/journal_files.hpp"
#include "ledger/journal_frame.hpp"
#include "ledger/request_record.hpp"

namespace weir::ledger {

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
  /// Behind seal(): what is still kept in memory is lost, and counted.
  void give_up_memory();
  /// The files that are retired go.
  void remove_retired() { files_.remove_retired(); }

  [[nodiscard]] std::uint64_t appended() const { return appended_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t kept_in_memory() const { return kept_.load(std::memory_order_relaxed); }

 private:
  using SegmentPtr = std::shared_ptr<JournalSegment>;
  /// Some frames in memory, which go to one file.
  struct MemoryPart {
    std::size_t bytes = 0;
    std::shared_ptr<InUse> in_use = std::make_shared<InUse>();  // by calls that opened in it
    std::vector<std::shared_ptr<const void>> holds;             // where calls opened that have their end in it
  };

  void append_closed(const RequestRecord& record);
  bool append_frame(FrameKind kind);
  bool append_to_current(FrameKind kind);
  bool keep(FrameKind kind);
  void write_head(FrameKind kind, std::uint64_t segment);
  Result<void> make_room();
  void prepare(std::size_t bytes);
  Result<SegmentPtr> make_for_memory();
  Result<void> empty_memory();

  const Options options_;
  JournalFiles files_;
  const std::function<void()> on_append_;

  // Of the core's thread.
  SegmentPtr current_;
  std::string frame_;  // room for the head, then the payload
  std::uint64_t sequence_ = 0;
  std::shared_ptr<const void> ending_;  // where the call opened whose end is appended
  std::shared_ptr<InUse> kept_in_;      // the part of memory that took what was just opened

  mutable std::mutex mutex_;  // held to move pointers, or to append to `memory_`
  SegmentPtr spare_;
  std::vector<SegmentPtr> segments_;  // all whose files are there, in order, but the spare
  std::string memory_;                // frames that found no file; those that follow queue behind them
  std::vector<MemoryPart> parts_;     // of them, in order
  bool in_memory_ = false;

  std::atomic<std::uint64_t> appended_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;
  std::atomic<std::size_t> kept_ = 0;
};

}  // namespace weir::ledger

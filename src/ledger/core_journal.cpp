#include "ledger/core_journal.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::ledger {

namespace {

constexpr std::size_t scratch_bytes = std::size_t{16} << 10;  // more than nearly every record takes
constexpr std::size_t prepared_bytes_min = std::size_t{4} << 10;
constexpr std::size_t prepared_bytes_max = std::size_t{256} << 10;
constexpr std::uint64_t no_segment = 0;  // of frames in memory, until they go to a file
constexpr std::size_t filled_bytes_max = std::size_t{16} << 20;
constexpr std::size_t memory_part_bytes = std::size_t{64} << 10;  // or one frame that is larger

}  // namespace

CoreJournal::CoreJournal(platform::Files& files, Options options, std::function<void()> on_append)
    : options_(std::move(options)),
      files_(files, {.directory = options_.directory, .core = options_.core, .segment_bytes = options_.segment_bytes}),
      on_append_(std::move(on_append)) {
  frame_.reserve(scratch_bytes);
  memory_.reserve(options_.overflow_bytes_max);  // address space alone: its pages are granted when they are used
}

void CoreJournal::opened(RequestRecord& record) noexcept {
  record.asked_at = {};
  AskedPart asked;
  bool in_file = false;
  try {
    frame_.assign(journal_head_bytes, '\0');
    asked = append_kept(frame_, record);
    in_file = append_frame(FrameKind::open);
  } catch (...) {  // no memory: the call goes on
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!in_file) {
    record.open_in = std::move(kept_in_);
    return;
  }
  record.open_in = current_->in_use;
  const std::size_t at = current_->written.load(std::memory_order_relaxed) - frame_.size() + asked.at;
  if (std::in_range<std::uint32_t>(at) && std::in_range<std::uint32_t>(current_->number)) {
    record.asked_at = {.segment = static_cast<std::uint32_t>(current_->number),
                       .at = static_cast<std::uint32_t>(at),
                       .bytes = static_cast<std::uint32_t>(asked.bytes)};
  }
}

void CoreJournal::closed(RequestRecord& record) noexcept {
  ending_ = std::move(record.open_in);
  append_closed(record);
  ending_.reset();
}

void CoreJournal::append(FrameKind kind, std::string_view payload) noexcept {
  try {
    frame_.assign(journal_head_bytes, '\0');
    frame_ += payload;
  } catch (...) {  // no memory: the call goes on
    lost_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  static_cast<void>(append_frame(kind));
}

/// What a file has of it already is left out.
void CoreJournal::append_closed(const RequestRecord& record) {
  try {
    if (record.asked_at.bytes == 0) {
      frame_.assign(journal_head_bytes, '\0');
      append_kept(frame_, record);
      append_frame(FrameKind::closed);
      return;
    }
    constexpr std::size_t heads = journal_head_bytes + journal_end_head_bytes;
    frame_.assign(heads, '\0');
    const AskedPart asked = append_kept(frame_, record, Asked::left_out);
    write_journal_end_head(frame_.data() + journal_head_bytes, record.asked_at,
                           static_cast<std::uint32_t>(asked.at - heads));
    append_frame(FrameKind::ended);
  } catch (...) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

/// What stands in `frame_` behind its head. True: it is in `current_`.
bool CoreJournal::append_frame(FrameKind kind) {
  try {
    const std::string_view payload = std::string_view(frame_).substr(journal_head_bytes);
    if (payload.empty() || payload.size() > journal_payload_max) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const bool in_file = append_to_current(kind);
    if (in_file || keep(kind)) {
      ++sequence_;
    }
    appended_.store(appended_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // by this thread alone
    on_append_();
    return in_file;
  } catch (...) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
}

/// Of what stands in `frame_`.
void CoreJournal::write_head(FrameKind kind, std::uint64_t segment) {
  write_journal_head(frame_.data(), segment, kind, sequence_, std::string_view(frame_).substr(journal_head_bytes));
}

/// False where there is no file that takes it.
bool CoreJournal::append_to_current(FrameKind kind) {
  for (bool rotated = false;; rotated = true) {
    if (current_ != nullptr) {
      const std::size_t written = current_->written.load(std::memory_order_relaxed);
      if (frame_.size() <= current_->bytes - written) {
        write_head(kind, current_->number);
        if (current_->file->append(frame_)) {
          current_->written.store(written + frame_.size(), std::memory_order_release);
          return true;
        }
      }
      // Full, or broken: what was written of this frame then ends the segment, as its checksum is wrong.
      current_->sealed.store(true, std::memory_order_release);
      current_.reset();
    }
    if (rotated) {
      return false;
    }
    const std::lock_guard lock(mutex_);
    if (in_memory_ || spare_ == nullptr) {
      return false;
    }
    current_ = std::move(spare_);
    segments_.push_back(current_);  // has room: see maintain()
  }
}

/// False: it is lost.
bool CoreJournal::keep(FrameKind kind) {
  write_head(kind, no_segment);
  const std::lock_guard lock(mutex_);
  in_memory_ = true;
  if (frame_.size() + memory_.size() > options_.overflow_bytes_max) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (parts_.empty() || parts_.back().bytes + frame_.size() > memory_part_bytes) {
    parts_.emplace_back();
  }
  MemoryPart& part = parts_.back();
  if (ending_ != nullptr) {
    // Were the file to go now in which it opened, and then the process, nothing would tell of the call.
    part.holds.push_back(std::move(ending_));
  }
  memory_ += frame_;
  part.bytes += frame_.size();
  if (kind == FrameKind::open) {
    kept_in_ = part.in_use;
  }
  kept_.store(memory_.size(), std::memory_order_relaxed);
  return true;
}

bool CoreJournal::fill_next() {
  SegmentPtr next;
  {
    const std::lock_guard lock(mutex_);
    if (spare_ == nullptr || spare_->filled || spare_->bytes > filled_bytes_max || in_memory_ || segments_.empty()) {
      return false;  // nothing was appended yet, or there is more to do
    }
    const JournalSegment& current = *segments_.back();
    if (current.sealed.load(std::memory_order_acquire) ||
        current.written.load(std::memory_order_acquire) > current.bytes / 2) {
      return false;
    }
    next = std::exchange(spare_, nullptr);  // nobody may append to it meanwhile
  }
  next->file->fill();
  next->filled = true;
  const std::lock_guard lock(mutex_);
  spare_ = std::move(next);
  return true;
}

/// A file for what is kept in memory: in whole segments, so that one may be written again; where the disk has no place
/// for that, for a part of it, and the rest follows once the store has made room.
Result<CoreJournal::SegmentPtr> CoreJournal::make_for_memory() {
  std::size_t waiting = 0;
  std::size_t first = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting = memory_.size();
    first = parts_.front().bytes;
  }
  const std::size_t least = std::min(waiting, std::max(memory_part_bytes, first));
  std::size_t bytes = (waiting + options_.segment_bytes - 1) / options_.segment_bytes * options_.segment_bytes;
  while (true) {
    auto made = files_.make(bytes);
    if (made || bytes <= least) {
      return made;
    }
    bytes = bytes > waiting ? waiting : std::max(bytes / 4, least);
  }
}

/// What is kept in memory goes to a file, in order; those that follow may then go to a segment again.
Result<void> CoreJournal::empty_memory() {
  SegmentPtr early;
  {
    const std::lock_guard lock(mutex_);
    early = std::exchange(spare_, nullptr);
  }
  if (early != nullptr) {
    // It was made while the core found none: its number would place it before what is in memory.
    files_.remove(*early);
  }
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (memory_.empty()) {
        in_memory_ = false;
        return {};
      }
    }
    auto made = make_for_memory();
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    const SegmentPtr target = std::move(*made);
    std::string taken;
    taken.reserve(options_.overflow_bytes_max);
    std::vector<MemoryPart> parts;
    {
      const std::lock_guard lock(mutex_);
      segments_.push_back(target);
      std::size_t bytes = 0;
      auto end = parts_.begin();
      while (end != parts_.end() && bytes + end->bytes <= target->bytes) {
        bytes += (end++)->bytes;
      }
      parts.assign(std::move_iterator(parts_.begin()), std::move_iterator(end));
      parts_.erase(parts_.begin(), end);
      if (bytes == memory_.size()) {
        taken.swap(memory_);
      } else {
        taken.assign(memory_, 0, bytes);
        memory_.erase(0, bytes);
      }
      kept_.store(memory_.size(), std::memory_order_relaxed);
    }
    move_journal_frames(taken, target->number);
    auto written = target->file->append(taken);
    if (written) {
      for (const MemoryPart& part : parts) {
        part.in_use->also = target->in_use;
      }
      target->written.store(taken.size(), std::memory_order_release);
    }
    target->sealed.store(true, std::memory_order_release);
    if (!written) {
      // Those in memory came later.
      const std::lock_guard lock(mutex_);
      taken += memory_;
      taken.swap(memory_);
      parts_.insert(parts_.begin(), std::move_iterator(parts.begin()), std::move_iterator(parts.end()));
      kept_.store(memory_.size(), std::memory_order_relaxed);
      return written;
    }
    if (auto synced = target->file->sync(); !synced) {
      return synced;
    }
    target->synced = taken.size();
  }
}

/// A segment for what comes, once what is kept in memory has left it.
Result<void> CoreJournal::make_room() {
  bool has_spare = false;
  bool in_memory = false;
  {
    const std::lock_guard lock(mutex_);
    has_spare = spare_ != nullptr;
    in_memory = in_memory_;
    segments_.reserve(segments_.size() + 8);  // the core's thread adds to it
  }
  if (in_memory) {
    has_spare = false;
    if (auto emptied = empty_memory(); !emptied) {
      return emptied;
    }
  }
  if (!has_spare) {
    auto made = files_.make(options_.segment_bytes);
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    const std::lock_guard lock(mutex_);
    spare_ = std::move(*made);
  }
  return {};
}

Result<void> CoreJournal::maintain() {
  Result<void> outcome = make_room();  // first: a sync may take long
  std::size_t news = 0;
  for (const SegmentPtr& segment : segments()) {
    const std::size_t written = segment->written.load(std::memory_order_acquire);
    if (segment->synced == written) {
      continue;
    }
    news += written - segment->synced;
    if (auto synced = segment->file->sync()) {
      segment->synced = written;
    } else if (outcome) {
      outcome = std::move(synced);
    }
  }
  if (news > 0) {
    prepare(news);  // behind the sync, after which pages are protected until they are written again
  }
  return outcome;
}

/// What the next round will write, if it is as much as this one wrote: its pages wait for the core's thread.
void CoreJournal::prepare(std::size_t bytes) {
  bytes = std::clamp(bytes, prepared_bytes_min, prepared_bytes_max);
  SegmentPtr current;
  SegmentPtr next;
  {
    const std::lock_guard lock(mutex_);
    current = segments_.empty() ? nullptr : segments_.back();
    next = spare_;
  }
  if (current != nullptr && !current->sealed.load(std::memory_order_acquire)) {
    const std::size_t written = current->written.load(std::memory_order_acquire);
    const std::size_t here = std::min(bytes, current->bytes - written);
    current->file->prepare(written, here);
    bytes -= here;
  }
  if (next != nullptr) {
    next->file->prepare(0, bytes);
  }
}

std::vector<std::shared_ptr<JournalSegment>> CoreJournal::segments() const {
  const std::lock_guard lock(mutex_);
  return segments_;
}

Result<void> CoreJournal::forget(const std::shared_ptr<JournalSegment>& segment) {
  auto gone = files_.retire(*segment);
  if (gone) {
    const std::lock_guard lock(mutex_);
    std::erase(segments_, segment);
  }
  return gone;
}

void CoreJournal::seal() {
  SegmentPtr unused;
  {
    const std::lock_guard lock(mutex_);
    for (const SegmentPtr& segment : segments_) {
      segment->sealed.store(true, std::memory_order_release);
    }
    unused = std::exchange(spare_, nullptr);
  }
  current_.reset();
  if (unused != nullptr) {
    files_.remove(*unused);
  }
  files_.remove_retired();
}

void CoreJournal::give_up_memory() {
  const std::lock_guard lock(mutex_);
  lost_.fetch_add(count_journal_frames(memory_), std::memory_order_relaxed);
  memory_.clear();
  parts_.clear();
  kept_.store(0, std::memory_order_relaxed);
}

}  // namespace weir::ledger

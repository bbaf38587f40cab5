#pragma once

#include <mutex>
#include <string_view>
#include <vector>

#include "ledger/request_record.hpp"

namespace weir::ledger {

/// The last calls, in memory, for explain. Safe from any thread: the lock is held to swap or copy one pointer at a
/// time; records are freed outside it.
class RequestRing final : public RecordSink {
 public:
  /// `capacity`: how many records are kept, > 0.
  explicit RequestRing(std::size_t capacity) : slots_(capacity) {}

  void record(RecordPtr record) override {
    const std::lock_guard lock(mutex_);
    slots_[next_].swap(record);  // the record that falls out is freed by `record`, after the lock
    next_ = (next_ + 1) % slots_.size();
  }
  /// By id; `last` is the newest. Null if it is not (or no longer) there.
  [[nodiscard]] RecordPtr find(std::string_view id) const {
    for (std::size_t back = 1; back <= slots_.size(); ++back) {
      RecordPtr record = newest_but(back - 1);
      if (record == nullptr || id == "last" || record->id == id) {
        return record;
      }
    }
    return nullptr;
  }

 private:
  [[nodiscard]] RecordPtr newest_but(std::size_t newer) const {
    const std::lock_guard lock(mutex_);
    return slots_[(next_ + 2 * slots_.size() - newer - 1) % slots_.size()];
  }

  mutable std::mutex mutex_;
  std::vector<RecordPtr> slots_;
  std::size_t next_ = 0;
};

}  // namespace weir::ledger

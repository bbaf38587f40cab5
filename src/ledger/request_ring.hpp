#pragma once

#include <algorithm>
#include <mutex>
#include <string_view>
#include <vector>

#include "ledger/request_record.hpp"

namespace weir::ledger {

/// The last calls, in memory, for explain. Safe from any thread: the lock is held to swap or copy one pointer at a
/// time; records are freed outside it.
///
/// The more there are, the colder is the memory of the one that falls out, and of the next, which takes its place: a
/// thousand cost each call about a microsecond more than a hundred.
class RequestRing final : public RecordSink {
 public:
  /// `capacity`: how many records are kept, > 0.
  explicit RequestRing(std::size_t capacity) : slots_(capacity) {}

  /// Keeps so many from now on. Before there are any.
  void set_capacity(std::size_t capacity) { slots_.resize(capacity); }
  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }

  void record(RecordPtr record) override {
    const std::lock_guard lock(mutex_);
    slots_[count_ % slots_.size()].swap(record);  // the record that falls out is freed by `record`, after the lock
    ++count_;
  }
  /// By id; `last` is the newest. Null if it is not (or no longer) there.
  [[nodiscard]] RecordPtr find(std::string_view id) const {
    if (id == "last") {
      return newest();
    }
    for (std::size_t number = count(); number > 0; --number) {
      RecordPtr record = at(number - 1);
      if (record == nullptr || record->id == id) {
        return record;
      }
    }
    return nullptr;
  }
  /// All of them, the newest first.
  [[nodiscard]] std::vector<RecordPtr> all() const { return last(capacity()); }
  /// The last `most` records, the newest first.
  [[nodiscard]] std::vector<RecordPtr> last(std::size_t most) const {
    std::vector<RecordPtr> records;
    records.reserve(std::min(most, slots_.size()));
    for (std::size_t number = count(); number > 0 && records.size() < most; --number) {
      RecordPtr record = at(number - 1);
      if (record == nullptr) {
        break;
      }
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  [[nodiscard]] RecordPtr newest() const {
    const std::lock_guard lock(mutex_);
    return count_ == 0 ? nullptr : slots_[(count_ - 1) % slots_.size()];
  }
  /// The record that came as that number, counted from the first; null if it has fallen out.
  [[nodiscard]] RecordPtr at(std::size_t number) const {
    const std::lock_guard lock(mutex_);
    return count_ - number > slots_.size() ? nullptr : slots_[number % slots_.size()];
  }

  mutable std::mutex mutex_;
  std::vector<RecordPtr> slots_;
  std::size_t count_ = 0;  // of all records that came
};

}  // namespace weir::ledger

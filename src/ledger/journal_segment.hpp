#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "platform/files.hpp"

namespace weir::ledger {

/// Held by the records of the calls that are open in a part of the journal.
struct InUse {
  std::shared_ptr<InUse> also;  // which is thereby held too
};

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

}  // namespace weir::ledger

#include "store/retention.hpp"

#include "observe/json_time.hpp"

namespace weir::store {

namespace {

constexpr std::int64_t slice_calls = 2000;
constexpr std::int64_t slice_audit = 500;  // an entry holds two documents of a key

platform::WallTime before(platform::WallTime now, std::chrono::milliseconds age) {
  return now - std::chrono::duration_cast<std::chrono::microseconds>(age);
}

Result<std::int64_t> retain_calls(Store& store, const Retention& retention, platform::WallTime now) {
  if (retention.age.count() > 0) {
    const auto removed = store.requests().remove_oldest(first_id_at(before(now, retention.age)), slice_calls);
    if (!removed || *removed > 0) {
      return removed;
    }
  }
  if (retention.bytes > 0) {
    const auto bytes = store.bytes();
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    if (*bytes > retention.bytes) {
      const auto removed = store.requests().remove_oldest(first_id_at(now + std::chrono::days(1)), slice_calls);
      if (removed && *removed > 0) {
        if (const auto shrunk = store.shrink(); !shrunk) {
          return std::unexpected(shrunk.error());
        }
      }
      return removed;
    }
  }
  return 0;
}

}  // namespace

Result<std::int64_t> retain(Store& store, const Retention& retention, platform::WallTime now) {
  const auto calls = retain_calls(store, retention, now);
  if (!calls || *calls > 0 || retention.audit.count() == 0) {
    return calls;
  }
  return store.audit().remove_oldest(observe::rfc3339(before(now, retention.audit)), slice_audit);
}

}  // namespace weir::store

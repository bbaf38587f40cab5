#include "store/retention.hpp"

namespace weir::store {

namespace {

constexpr std::int64_t slice_calls = 2000;

}  // namespace

Result<std::int64_t> retain(Store& store, const Retention& retention, platform::WallTime now) {
  if (retention.age.count() > 0) {
    const auto removed = store.requests().remove_oldest(
        first_id_at(now - std::chrono::duration_cast<std::chrono::microseconds>(retention.age)), slice_calls);
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

}  // namespace weir::store

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "auth/key_source.hpp"

namespace weir::auth {

/// Keys by the hash of their text. Immutable: a change makes a new one. Some 400 bytes a key.
class KeyTable final : public KeySource {
 public:
  struct Entry {
    KeyHash hash{};
    std::shared_ptr<const Key> key;  // never null; two texts may open the same
    platform::WallTime until = platform::WallTime::max();
  };
  /// Whether a store that knows more keys than the table can be asked at this moment. Any thread.
  using StoreAnswers = std::function<bool()>;
  /// Of two entries with one hash the first counts: whoever fills the table sees to it that there is but one.
  /// Without a `store_answers` there are no other keys.
  explicit KeyTable(std::vector<Entry> entries, StoreAnswers store_answers = {});

  [[nodiscard]] Lookup find(const KeyHash& hash) const override;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;
  StoreAnswers store_answers_;
  // Open addressing: index + 1 into entries_, at the place that the hash's first bytes name or behind it; 0: free.
  // Never more than half full. The place depends on a keyed hash: nobody outside can choose where a key falls.
  std::vector<std::uint32_t> slots_;
};

}  // namespace weir::auth

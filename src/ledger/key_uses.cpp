#include "ledger/key_uses.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "observe/json_time.hpp"
#include "store/call_form.hpp"

namespace weir::ledger {

namespace {

constexpr std::int64_t apart_ms = 60'000;
constexpr std::string_view stored_key = "key_";  // those of the configuration have no row

}  // namespace

void KeyUses::saw(std::string_view asked) {
  const std::string_view key = store::key_of(asked);
  if (!key.starts_with(stored_key)) {
    return;
  }
  const std::int64_t time_ms = store::time_of(asked);
  if (const auto noted = noted_.find(key); noted != noted_.end() && time_ms < noted->second + apart_ms) {
    return;
  }
  std::int64_t& due = due_[std::string(key)];
  due = std::max(due, time_ms);
}

Result<void> KeyUses::note(store::Store& store) {
  if (due_.empty()) {
    return {};
  }
  std::vector<store::KeyUse> uses;
  uses.reserve(due_.size());
  for (const auto& [id, time] : due_) {
    uses.push_back({.id = id, .time = observe::rfc3339(platform::WallTime(std::chrono::milliseconds(time)))});
  }
  if (auto noted = store.keys().note_used(uses); !noted) {
    return noted;
  }
  for (const auto& [id, time] : due_) {
    noted_.insert_or_assign(id, time);
  }
  due_.clear();
  forget_old();
  return {};
}

/// What is as old as to be due again needs no place, so that keys that are gone take none.
void KeyUses::forget_old() {
  if (noted_.size() < forget_at_) {
    return;
  }
  const std::int64_t newest = std::ranges::max_element(noted_, {}, &Times::value_type::second)->second;
  std::erase_if(noted_, [&](const auto& noted) { return noted.second + apart_ms <= newest; });
  forget_at_ = std::max<std::size_t>(4096, 2 * noted_.size());
}

}  // namespace weir::ledger

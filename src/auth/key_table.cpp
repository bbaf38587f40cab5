#include "auth/key_table.hpp"

#include <bit>
#include <cstring>

namespace weir::auth {

namespace {

std::size_t first_place(const KeyHash& hash, std::size_t slots) {
  std::size_t place = 0;
  std::memcpy(&place, hash.data(), sizeof place);
  return place & (slots - 1);
}

}  // namespace

KeyTable::KeyTable(std::vector<Entry> entries, StoreAnswers store_answers)
    : entries_(std::move(entries)),
      store_answers_(std::move(store_answers)),
      slots_(std::bit_ceil(2 * entries_.size() + 2)) {
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    std::size_t place = first_place(entries_[i].hash, slots_.size());
    while (slots_[place] != 0) {
      place = (place + 1) & (slots_.size() - 1);
    }
    slots_[place] = i + 1;
  }
}

KeySource::Lookup KeyTable::find(const KeyHash& hash) const {
  for (std::size_t place = first_place(hash, slots_.size()); slots_[place] != 0;
       place = (place + 1) & (slots_.size() - 1)) {
    const Entry& entry = entries_[slots_[place] - 1];
    if (same(entry.hash, hash)) {
      return {.state = State::found, .key = entry.key.get(), .until = entry.until};
    }
  }
  return {.state = !store_answers_ || store_answers_() ? State::unknown : State::unavailable};
}

}  // namespace weir::auth

#include "auth/key_table.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::auth {
namespace {

KeyTable::Entry entry(KeyHash hash, std::string id) {
  auto key = std::make_shared<Key>();
  key->id = std::move(id);
  return {.hash = hash, .key = std::move(key)};
}

TEST(KeyTable, finds_each_of_ten_thousand_keys_and_no_other) {
  const auto hasher = KeyHasher::for_this_process();
  std::vector<KeyTable::Entry> entries;
  for (int i = 0; i < 10'000; ++i) {
    entries.push_back(entry((*hasher)(fmt::format("key {}", i)), fmt::format("{}", i)));
  }
  const KeyTable table(std::move(entries));
  EXPECT_EQ(table.size(), 10'000U);
  for (int i = 0; i < 10'000; ++i) {
    const auto found = table.find((*hasher)(fmt::format("key {}", i)));
    ASSERT_EQ(found.state, KeySource::State::found) << i;
    EXPECT_EQ(found.key->id, fmt::format("{}", i));
    EXPECT_EQ(table.find((*hasher)(fmt::format("no key {}", i))).state, KeySource::State::unknown) << i;
  }
}

TEST(KeyTable, tells_hashes_apart_that_begin_alike) {
  std::vector<KeyTable::Entry> entries;
  for (std::uint8_t i = 0; i < 5; ++i) {
    KeyHash hash{};
    hash.fill(0xff);  // the last place: the search goes round
    hash.back() = i;
    entries.push_back(entry(hash, fmt::format("{}", i)));
  }
  const KeyTable table(entries);
  for (const KeyTable::Entry& each : entries) {
    ASSERT_EQ(table.find(each.hash).state, KeySource::State::found);
    EXPECT_EQ(table.find(each.hash).key->id, each.key->id);
  }
  KeyHash absent{};
  absent.fill(0xff);
  EXPECT_EQ(table.find(absent).state, KeySource::State::unknown);
}

TEST(KeyTable, says_of_other_keys_that_they_cannot_be_found_out_while_the_store_is_away) {
  bool answers = true;
  const KeyTable table({entry(KeyHash{1}, "known")}, [&answers] { return answers; });
  EXPECT_EQ(table.find(KeyHash{2}).state, KeySource::State::unknown);
  answers = false;
  EXPECT_EQ(table.find(KeyHash{2}).state, KeySource::State::unavailable);
  EXPECT_EQ(table.find(KeyHash{1}).state, KeySource::State::found);
}

TEST(KeyTable, may_be_empty) {
  EXPECT_EQ(KeyTable({}).find(KeyHash{}).state, KeySource::State::unknown);
}

}  // namespace
}  // namespace weir::auth

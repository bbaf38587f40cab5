#include "ledger/journal_files.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "ledger/test_journal.hpp"
#include "platform/random.hpp"

namespace weir::ledger {
namespace {

TEST(JournalFiles, tells_the_number_of_a_segment_by_the_name_of_its_file) {
  EXPECT_EQ(segment_number("core-0-00000012"), 12U);
  EXPECT_EQ(segment_number("core-15-123456789"), 123456789U);
  for (const char* name :
       {"lock", "core-0-00000012-retired", "core-0-", "core-", "", "other-0-00000012", "core-0-1x"}) {
    EXPECT_EQ(segment_number(name), std::nullopt) << name;
  }
}

bool is_retired(const std::string& name) {
  return name.ends_with("-retired");
}

/// A journal whose segments are shipped as it goes. `expected` is what was not.
struct Recycling : JournalBench {
  using JournalBench::JournalBench;
  void forget_oldest() {
    CoreJournal& core = journal->core(0);
    const auto segments = core.segments();
    if (segments.size() < 2) {
      return;
    }
    const auto content = files.read(segments.front()->path);
    const std::size_t before = retired();
    if (!content || !core.forget(segments.front())) {
      return;  // a disk that fails
    }
    std::vector<std::string> inside = payloads(*content, segments.front()->number);
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(inside.size()));
    synced -= std::min(synced, inside.size());
    if (retired() > before) {
      just_retired.insert(just_retired.end(), inside.begin(), inside.end());
    }
  }
  bool maintain() {
    const std::size_t before = retired();
    const bool good = journal->maintain().has_value();
    synced = good ? expected.size() : synced;
    if (files.names_not_durable() == 0) {
      reused += retired() < before ? 1 : 0;
      just_retired.clear();
    }
    return good;
  }
  [[nodiscard]] std::vector<std::string> names() {
    auto found = files.list("data/journal/one");
    return found ? *found : names();  // it fails once
  }
  [[nodiscard]] std::size_t retired() { return static_cast<std::size_t>(std::ranges::count_if(names(), is_retired)); }
  std::size_t synced = 0;                 // the first of `expected`
  std::size_t reused = 0;                 // files
  std::vector<std::string> just_retired;  // what is in files whose new names may be undone
};

TEST(JournalFiles, writes_the_files_of_segments_that_were_shipped_again) {
  Recycling bench(200);
  for (int i = 0; i < 60; ++i) {
    bench.append(i, i + 1);
    EXPECT_TRUE(bench.maintain());
  }
  for (int i = 0; i < 6; ++i) {
    bench.forget_oldest();
  }
  const std::vector<std::string> names = bench.names();
  EXPECT_EQ(std::vector(names.begin(), names.begin() + 4),
            (std::vector<std::string>{"core-0-00000001-retired", "core-0-00000002-retired", "core-0-00000003-retired",
                                      "core-0-00000007"}))
      << "three are kept, the next ones go";
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
  const std::size_t filled = bench.files.fills();
  for (int i = 60; bench.retired() > 0; ++i) {
    bench.append(i, i + 1);
    EXPECT_TRUE(bench.maintain());
  }
  EXPECT_EQ(bench.names().size(), names.size()) << "there is no new one";
  EXPECT_EQ(bench.files.fills(), filled);
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
}

TEST(JournalFiles, fills_the_next_file_once_calls_come) {
  JournalBench bench(200);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(bench.files.fills(), 0U) << "a start is quick";
  bench.append(0, 1);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(bench.journal->maintain());
    EXPECT_EQ(bench.files.fills(), 1U);
  }
  bench.append(1, 15);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
}

TEST(JournalFiles, fills_no_file_that_may_be_needed_at_once) {
  JournalBench bench(200);
  bench.append(0, 5);
  ASSERT_GT(bench.journal->core(0).segments().back()->written, 100U);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(bench.files.fills(), 0U);
}

TEST(JournalFiles, keeps_one_file_of_a_size_of_which_three_would_be_much) {
  constexpr std::size_t segment_bytes = std::size_t{8} << 20;
  Recycling bench(segment_bytes);
  CoreJournal& core = bench.journal->core(0);
  const std::string payload(200'000, 'x');
  const auto fill_one = [&] {
    for (std::size_t written = 0; written <= segment_bytes; written += payload.size()) {
      core.append(FrameKind::closed, payload);
    }
    EXPECT_TRUE(bench.journal->maintain());
  };
  for (int files = 0; files < 3; ++files) {
    fill_one();
  }
  for (const auto& segment : core.segments()) {
    if (segment->sealed) {
      EXPECT_TRUE(core.forget(segment));
    }
  }
  EXPECT_EQ(bench.retired(), 1U);
  fill_one();
  EXPECT_EQ(bench.retired(), 0U);
}

TEST(JournalFiles, keeps_no_file_of_another_size) {
  Recycling bench(200, 4000);
  bench.append(0, 50);  // into memory, and from there into a file of its own
  EXPECT_TRUE(bench.maintain());
  const auto segments = bench.journal->core(0).segments();
  ASSERT_GT(segments.at(1)->bytes, 200U);
  EXPECT_TRUE(bench.journal->core(0).forget(segments.at(1)));
  EXPECT_EQ(bench.retired(), 0U);
}

// A file of the usual size that took what was kept in memory is like any other.
TEST(JournalFiles, brings_nothing_back_that_came_from_memory) {
  Recycling bench(4000, 4000);
  bench.files.set_capacity(0);
  bench.append(0, 250);
  bench.files.set_capacity(1'000'000);
  EXPECT_TRUE(bench.maintain());
  EXPECT_EQ(bench.journal->lost(), 250 - on_disk(bench.files, "data/journal/one").size());
  bench.append(250, 251);
  const auto segments = bench.journal->core(0).segments();
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_TRUE(bench.journal->core(0).forget(segments.at(1)));
  EXPECT_EQ(bench.retired(), 1U);
  EXPECT_TRUE(bench.maintain());
  EXPECT_EQ(bench.retired(), 0U) << "it is the next one, in which nothing is yet";
  EXPECT_EQ(on_disk(bench.files, "data/journal/one").back(), "record 250");
}

// The disk is full, the store has everything, and memory needs a larger file than those that were retired.
TEST(JournalFiles, gives_up_its_retired_files_for_what_waits_in_memory) {
  Recycling bench(200, 400);
  int next = 0;
  while (bench.journal->core(0).segments().size() < 6) {
    bench.append(next, next + 1);
    ++next;
    EXPECT_TRUE(bench.maintain());
  }
  for (int i = 0; i < 5; ++i) {
    bench.forget_oldest();
  }
  ASSERT_EQ(bench.retired(), 3U);
  bench.files.set_capacity(200 * 5);  // what there is: the current one, the next one, the retired ones
  for (; bench.journal->kept_in_memory() < 250; ++next) {
    bench.append(next, next + 1);
  }
  EXPECT_TRUE(bench.maintain());
  EXPECT_EQ(bench.journal->kept_in_memory(), 0U);
  EXPECT_EQ(bench.journal->lost(), 0U);
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
}

TEST(JournalFiles, goes_on_over_a_full_disk_with_the_file_that_it_has) {
  Recycling bench(200);
  for (int i = 0; i < 30; ++i) {
    bench.append(i, i + 1);
    bench.forget_oldest();
    EXPECT_TRUE(bench.maintain());
    if (i == 10) {
      bench.files.set_capacity(0);
    }
  }
  EXPECT_EQ(bench.journal->kept_in_memory(), 0U);
}

TEST(JournalFiles, makes_a_new_file_where_the_retired_one_cannot_be_had) {
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {  // its new name, the name made durable, opening it
    Recycling bench(200);
    for (int i = 0; i < 20; ++i) {
      bench.append(i, i + 1);
      EXPECT_TRUE(bench.maintain());
    }
    bench.forget_oldest();
    ASSERT_EQ(bench.retired(), 1U);
    const std::size_t turned = bench.journal->core(0).segments().size();
    int i = 20;
    for (; bench.journal->core(0).segments().size() == turned; ++i) {
      bench.append(i, i + 1);
    }
    bench.files.fail_operation(nth);
    EXPECT_TRUE(bench.maintain()) << "operation " << nth;
    EXPECT_EQ(bench.retired(), 0U);
    bench.append(i, i + 20);
    EXPECT_TRUE(bench.maintain());
    EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected) << "operation " << nth;
  }
}

TEST(JournalFiles, leaves_no_retired_file_behind) {
  for (const bool shipped_before : {true, false}) {
    Recycling bench(200);
    for (int i = 0; i < 20; ++i) {
      bench.append(i, i + 1);
      EXPECT_TRUE(bench.maintain());
    }
    if (shipped_before) {
      bench.forget_oldest();
      EXPECT_EQ(bench.retired(), 1U);
    }
    bench.journal->seal();
    EXPECT_EQ(bench.retired(), 0U);
    for (const auto& left : bench.journal->core(0).segments()) {
      EXPECT_TRUE(bench.journal->core(0).forget(left));
    }
    EXPECT_TRUE(bench.journal->remove());
    EXPECT_EQ(bench.files.list("data/journal"), std::vector<std::string>());
  }
}

// Segments turn and are forgotten, operations fail; then the process is killed, or the power fails, at a moment that
// the seed chooses.
TEST(JournalFiles, neither_loses_nor_brings_back_a_record_whenever_it_ends) {
  std::size_t reused = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    platform::Random random(seed);
    Recycling bench(150 + random.below(200), 100'000, seed);
    const int steps = static_cast<int>(random.below(200));
    for (int step = 0; step < steps; ++step) {
      switch (random.below(9)) {
        case 0:
        case 1: bench.maintain(); break;
        case 2: bench.forget_oldest(); break;
        case 3: bench.files.fail_operation(random.below(3) == 0 ? 1 + random.below(8) : 0); break;
        default: bench.append(step, step + 1); break;
      }
    }
    bench.files.fail_operation(0);
    reused += bench.reused;
    const bool power_fails = random.below(2) == 0;
    const bool all_in_files = bench.journal->kept_in_memory() == 0;
    power_fails ? bench.files.crash() : bench.files.kill();

    std::vector<std::string> found = on_disk(bench.files, "data/journal/one");
    // As that of a file that was removed, the new names of those that were retired may be undone: the store has what
    // is in them, and not yet for long.
    if (power_fails) {
      const auto comes_back = [&](const std::string& record) {
        return std::ranges::find(bench.just_retired, record) != bench.just_retired.end();
      };
      found.erase(found.begin(), std::ranges::find_if_not(found, comes_back));
    }
    const std::size_t at_least = all_in_files && !power_fails ? bench.expected.size() : bench.synced;
    ASSERT_GE(found.size(), at_least) << "seed " << seed;
    // Of what was not synced one file may keep more than the one before it.
    const auto certain = static_cast<std::ptrdiff_t>(at_least);
    ASSERT_TRUE(std::equal(found.begin(), found.begin() + certain, bench.expected.begin())) << "seed " << seed;
    auto next = bench.expected.begin();
    for (const std::string& record : found) {
      next = std::find(next, bench.expected.end(), record);
      ASSERT_NE(next, bench.expected.end()) << "seed " << seed << ": " << record;
      ++next;
    }
  }
  EXPECT_GT(reused, 1000U);
}

}  // namespace
}  // namespace weir::ledger

#include "ledger/journal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "ledger/test_journal.hpp"

namespace weir::ledger {
namespace {

using platform::SimulatedFiles;

TEST(Journal, keeps_every_record_over_rotations_when_the_process_is_killed) {
  JournalBench bench(200);
  for (int i = 0; i < 100; ++i) {
    bench.append(i, i + 1);
    if (i % 7 == 0) {
      EXPECT_TRUE(bench.journal->maintain());
    }
  }
  EXPECT_EQ(bench.journal->kept_in_memory(), 0U) << "each round had the next segment ready";
  bench.files.kill();
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
  EXPECT_EQ(bench.journal->lost(), 0U);
  EXPECT_EQ(bench.journal->appended(), 100U);
}

TEST(Journal, keeps_what_was_synced_when_the_power_fails) {
  JournalBench bench(100'000);
  bench.append(0, 50);
  EXPECT_TRUE(bench.journal->maintain());
  bench.append(50, 90);
  bench.files.crash();
  const auto found = on_disk(bench.files, "data/journal/one");
  ASSERT_GE(found.size(), 50U);
  bench.expected.resize(found.size());
  EXPECT_EQ(found, bench.expected) << "the beginning, without a hole";
}

TEST(Journal, keeps_records_in_memory_while_the_disk_is_full_and_loses_none_once_it_is_back) {
  JournalBench bench(200, 4000);
  bench.append(0, 3);
  EXPECT_TRUE(bench.journal->maintain());
  bench.files.set_capacity(0);
  bench.append(3, 30);
  const auto full = bench.journal->maintain();
  ASSERT_FALSE(full.has_value());
  EXPECT_TRUE(full.error().message.contains("No space left")) << full.error().message;
  bench.append(30, 60);
  EXPECT_GT(bench.journal->kept_in_memory(), 0U);
  EXPECT_EQ(bench.journal->lost(), 0U);

  bench.files.set_capacity(1'000'000);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(bench.journal->kept_in_memory(), 0U);
  bench.append(60, 63);
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected) << "in order";
}

TEST(Journal, counts_what_found_no_room_even_in_memory) {
  JournalBench bench(200, 300);
  bench.files.set_capacity(0);
  bench.append(0, 100);
  EXPECT_GT(bench.journal->lost(), 0U);
  const std::uint64_t lost = bench.journal->lost();
  bench.files.set_capacity(1'000'000);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(on_disk(bench.files, "data/journal/one").size(), 100 - lost);
}

TEST(Journal, takes_no_more_of_a_disk_that_was_full_than_what_waits_needs) {
  constexpr std::size_t segment_bytes = std::size_t{64} << 10;
  const std::size_t rooms[] = {1'200'000, 300'000, 100'000};  // for all at once, and for a part after the other
  for (const std::size_t room : rooms) {
    JournalBench bench(segment_bytes, std::size_t{8} << 20);
    CoreJournal& core = bench.journal->core(0);
    bench.files.set_capacity(0);
    for (int i = 0; i < 100; ++i) {
      bench.expected.push_back(fmt::format("{:10000}", i));
      core.append(FrameKind::closed, bench.expected.back());
    }
    EXPECT_FALSE(bench.journal->maintain());
    ASSERT_GT(bench.journal->kept_in_memory(), 900'000U);
    std::vector<std::string> shipped = on_disk(bench.files, "data/journal/one");
    for (const auto& segment : core.segments()) {
      EXPECT_TRUE(core.forget(segment));
    }
    bench.files.set_capacity(room);
    for (int round = 0; bench.journal->kept_in_memory() > 0; ++round) {
      ASSERT_LT(round, 100) << "nothing moves, with room for " << room;
      static_cast<void>(bench.journal->maintain());
      for (std::string& record : on_disk(bench.files, "data/journal/one")) {
        shipped.push_back(std::move(record));
      }
      for (const auto& segment : core.segments()) {
        EXPECT_TRUE(core.forget(segment));
      }
    }
    EXPECT_TRUE(shipped == bench.expected) << "in order, with room for " << room;
    EXPECT_TRUE(bench.journal->maintain());
    EXPECT_EQ(bench.journal->lost(), 0U);
  }
}

// Each part of what waited makes room for the next once it was shipped, and its calls have ended.
TEST(Journal, holds_of_the_files_that_took_what_waited_those_alone_in_which_calls_run) {
  JournalBench bench(std::size_t{64} << 10, std::size_t{8} << 20);
  CoreJournal& core = bench.journal->core(0);
  bench.files.set_capacity(0);
  for (int i = 0; i < 20; ++i) {
    core.append(FrameKind::closed, std::string(10'000, 'x'));  // the files that are there
  }
  const auto call = [](int number) {
    RequestRecord record;
    record.id = fmt::format("req_{}", number);
    record.model = std::string(10'000, 'm');
    return record;
  };
  RequestRecord running = call(0);
  core.opened(running);
  for (int i = 1; i < 100; ++i) {
    RequestRecord record = call(i);
    core.opened(record);
    core.closed(record);
  }
  bench.files.set_capacity(500'000);
  for (int round = 0; bench.journal->kept_in_memory() > 0; ++round) {
    ASSERT_LT(round, 100) << "nothing moves";
    static_cast<void>(bench.journal->maintain());
    for (const auto& segment : core.segments()) {
      if (segment->sealed && !segment->has_open_calls()) {
        EXPECT_TRUE(core.forget(segment));
      }
    }
  }
  const auto open = [&] { return std::ranges::count_if(core.segments(), &JournalSegment::has_open_calls); };
  EXPECT_EQ(open(), 1);
  EXPECT_TRUE(bench.journal->maintain()) << "there is room for its end";
  core.closed(running);
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(bench.journal->lost(), 0U);
}

TEST(Journal, loses_nothing_whichever_operation_of_the_disk_fails) {
  for (std::uint64_t nth = 1; nth < 150; ++nth) {
    JournalBench bench(150, 100'000);
    bench.files.fail_operation(nth);
    for (int i = 0; i < 40; ++i) {
      bench.append(i, i + 1);
      if (i % 3 == 0) {
        static_cast<void>(bench.journal->maintain());
      }
    }
    EXPECT_TRUE(bench.journal->maintain());
    bench.files.fail_operation(0);
    ASSERT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected) << "operation " << nth;
  }
}

TEST(Journal, is_opened_on_a_full_disk_and_says_so) {
  SimulatedFiles files(1, {.capacity_bytes = 100});
  ASSERT_TRUE(files.make_directory("data"));
  const auto journal =
      Journal::open(files, {.directory = "data/journal", .name = "one", .cores = 2, .segment_bytes = 1000});
  ASSERT_TRUE(journal.has_value()) << "calls go on";
  ASSERT_FALSE((*journal)->first_round().has_value());
  EXPECT_TRUE((*journal)->first_round().error().message.contains("No space left"));
  (*journal)->core(1).append(FrameKind::closed, "a record");
  EXPECT_GT((*journal)->kept_in_memory(), 0U);
}

TEST(Journal, needs_a_directory_and_has_it_alone) {
  SimulatedFiles files(1);
  EXPECT_FALSE(Journal::open(files, {.directory = "data/journal", .name = "one"}).has_value());
  ASSERT_TRUE(files.make_directory("data"));
  const auto first = Journal::open(files, {.directory = "data/journal", .name = "one"});
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(Journal::open(files, {.directory = "data/journal", .name = "one"}).has_value());
}

TEST(Journal, leaves_nothing_behind_when_all_was_shipped) {
  JournalBench bench;
  bench.append(0, 5);
  EXPECT_TRUE(bench.journal->maintain());
  bench.journal->seal();
  for (const auto& segment : bench.journal->core(0).segments()) {
    EXPECT_TRUE(segment->sealed);
    EXPECT_TRUE(bench.journal->core(0).forget(segment));
  }
  EXPECT_TRUE(bench.journal->remove());
  EXPECT_EQ(bench.files.list("data/journal"), std::vector<std::string>());
}

}  // namespace
}  // namespace weir::ledger

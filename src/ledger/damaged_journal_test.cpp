// What a recovery makes of files that something else than weir wrote to.
#include <gtest/gtest.h>

#include "ledger/shipper.hpp"
#include "ledger/test_journal.hpp"
#include "store/test_store.hpp"

namespace weir::ledger {
namespace {

/// The journal of a dead process with ten calls in one file.
struct DamagedJournal : testing::Test {
  DamagedJournal() {
    for (int number = 0; number < 10; ++number) {
      RequestRecord record;
      record.id = fmt::format("req_{}", number);
      record.model = "m";
      bench.journal->core(0).closed(record);
      ends.push_back(bench.journal->core(0).segments().front()->written);
    }
    bench.files.kill();
    content = *bench.files.read(path);
  }
  Shipper::Outcome recover() {
    EXPECT_TRUE(bench.files.remove(path).has_value());
    const auto file = bench.files.open_append(path);
    EXPECT_TRUE(file.has_value() && (*file)->append(content).has_value());
    const auto outcome = shipper.recover(store);
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(Shipper::Outcome());
  }
  const std::string path = "data/journal/one/core-0-00000001";
  JournalBench bench{100'000};
  std::vector<std::size_t> ends;  // of the calls' frames
  std::string content;
  store::TestStore store;
  Shipper shipper{bench.files, nullptr, {.directory = "data/journal"}};
};

TEST_F(DamagedJournal, costs_the_records_that_it_hit_and_is_told_and_kept) {
  for (const std::size_t at : {ends[2] + 20, ends[3] + 40, ends[6] + 3}) {
    content[at] = static_cast<char>(content[at] ^ 0x80);
  }
  EXPECT_EQ(recover().calls, 7U);
  const auto damaged = shipper.take_damaged();
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_EQ(damaged[0].file, "data/journal/one-core-0-00000001.damaged");
  EXPECT_EQ(damaged[0].at, ends[2]);
  EXPECT_EQ(damaged[0].bytes, ends[4] - ends[2] + ends[7] - ends[6]);
  EXPECT_EQ(damaged[0].records, 3U);
  EXPECT_EQ(*bench.files.list("data/journal"), std::vector<std::string>{"one-core-0-00000001.damaged"});
  EXPECT_EQ(*bench.files.read(damaged[0].file), content);

  EXPECT_TRUE(shipper.recover(store).has_value());
  EXPECT_TRUE(shipper.take_damaged().empty()) << "it is told once";
}

TEST_F(DamagedJournal, is_told_where_the_file_was_cut_within_a_record) {
  content.resize(ends[4] - 5);
  EXPECT_EQ(recover().calls, 4U);
  const auto damaged = shipper.take_damaged();
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_EQ(damaged[0].at, ends[3]);
}

TEST_F(DamagedJournal, is_nothing_that_a_death_explains) {
  std::fill(content.begin() + static_cast<std::ptrdiff_t>(ends[9] - 5), content.end(), '\0');
  EXPECT_EQ(recover().calls, 9U);
  EXPECT_TRUE(shipper.take_damaged().empty());
  EXPECT_TRUE(bench.files.list("data/journal")->empty());
}

}  // namespace
}  // namespace weir::ledger

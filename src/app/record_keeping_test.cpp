#include "app/record_keeping.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "platform/real_clock.hpp"
#include "platform/real_files.hpp"
#include "platform/sim/simulated_files.hpp"
#include "store/test_store.hpp"

namespace weir::app {
namespace {

class StoreFileTest : public testing::Test {
 protected:
  StoreFileTest() {
    std::string name = testing::TempDir() + "weir-store-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~StoreFileTest() override { std::filesystem::remove_all(folder_); }
  auto open() { return open_store_file(files_, {.file = folder_ + "/weir.db"}); }

  std::string folder_;
  platform::RealFiles files_;
};

TEST_F(StoreFileTest, is_made_for_the_operator_alone) {
  ASSERT_TRUE(open());
  struct stat found{};
  ASSERT_EQ(::stat((folder_ + "/weir.db").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

// Without that lock another process that closes the database takes itself for the last one, and removes what this one
// has written and not yet moved to the main file.
TEST_F(StoreFileTest, stays_locked_for_who_has_it_open_when_it_is_opened_again) {
  const auto first = open();
  ASSERT_TRUE(first);
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(open());
  }
  const int other = ::open((folder_ + "/weir.db").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(other, 0);
  struct flock asked{.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
  ASSERT_EQ(::fcntl(other, F_OFD_GETLK, &asked), 0);
  EXPECT_EQ(asked.l_type, F_RDLCK);
  ::close(other);
}

class KeptMessages final : public observe::Log {
 public:
  void message(observe::Level, std::string_view, std::string text) override { texts.push_back(std::move(text)); }
  void request(std::shared_ptr<const observe::LogLine>) override {}
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
  [[nodiscard]] bool say(std::string_view words) const {
    return std::ranges::any_of(texts, [&](const std::string& text) { return text.contains(words); });
  }
  std::vector<std::string> texts;
};

Result<std::unique_ptr<store::Store>> open_test_store() {
  return std::make_unique<store::TestStore>();
}

/// Sixty records, of which some 500 KB found no file.
struct FullDisk {
  static constexpr std::size_t segment_bytes = std::size_t{64} << 10;
  FullDisk() {
    RecordKeeping::Options options{.data_dir = "data", .store = {}, .name = "one", .open_store = &open_test_store};
    options.store.journal_segment = segment_bytes;
    auto opened = RecordKeeping::open(files, clock, log, options);
    EXPECT_TRUE(opened.has_value());
    records = std::move(*opened);
    files.set_capacity(0);
    for (int i = 0; i < 60; ++i) {
      ledger::RequestRecord record;
      record.id = fmt::format("req_{:03}", i);
      record.model = std::string(10'000, 'm');
      records->journal().core(0).closed(record);
    }
    EXPECT_GT(records->journal().kept_in_memory(), 400'000U);
  }
  platform::SimulatedFiles files{1};
  platform::RealClock clock;
  KeptMessages log;
  std::unique_ptr<RecordKeeping> records;
};

TEST(RecordKeeping, tells_of_damage_in_what_an_earlier_process_left_and_of_nothing_else) {
  for (const bool damage : {false, true}) {
    platform::SimulatedFiles files(1);
    const platform::RealClock clock;
    KeptMessages log;
    RecordKeeping::Options options{.data_dir = "data", .store = {}, .name = "one", .open_store = &open_test_store};
    const auto killed = RecordKeeping::open(files, clock, log, options);
    ASSERT_TRUE(killed.has_value());
    for (int i = 0; i < 3; ++i) {
      ledger::RequestRecord record;
      record.id = fmt::format("req_{}", i);
      record.model = "m";
      (*killed)->journal().core(0).closed(record);
    }
    files.kill();
    const std::string path = "data/journal/one/core-0-00000001";
    auto content = files.read(path);
    ASSERT_TRUE(content.has_value());
    if (damage) {
      content->at(30) ^= 1;
    }
    ASSERT_TRUE(files.remove(path).has_value());
    ASSERT_TRUE((*files.open_append(path))->append(*content).has_value());
    log.texts.clear();
    options.name = "two";
    const auto next = RecordKeeping::open(files, clock, log, options);
    ASSERT_TRUE(next.has_value());
    (*next)->turn_store();
    EXPECT_TRUE(log.say(damage ? "left 2 calls" : "left 3 calls"));
    EXPECT_EQ(log.say("from byte 0 on, "), damage);
    EXPECT_EQ(log.say("kept as data/journal/one-core-0-00000001.damaged"), damage);
    EXPECT_EQ(log.texts.size(), damage ? 2U : 1U);
  }
}

TEST(RecordKeeping, has_what_waited_in_memory_in_the_store_when_it_stops_where_there_is_some_room) {
  FullDisk disk;
  disk.files.set_capacity(200'000);  // two files of the journal are there
  disk.records->stop();
  EXPECT_EQ(disk.records->journal().lost(), 0U);
  EXPECT_FALSE(disk.log.say("lost"));
  EXPECT_FALSE(disk.log.say("not all records"));
  EXPECT_TRUE(disk.files.list("data/journal")->empty());
}

TEST(RecordKeeping, tells_what_it_lost_when_it_stops_on_a_full_disk) {
  FullDisk disk;
  // One of the two files goes when its records are in the store; what has its place then is gone too.
  disk.files.set_capacity(1);
  const std::uint64_t appended = disk.records->journal().appended();
  disk.records->stop();
  EXPECT_EQ(appended, 60U);
  EXPECT_GT(disk.records->journal().lost(), 40U);
  EXPECT_EQ(disk.records->journal().kept_in_memory(), 0U);
  EXPECT_TRUE(
      disk.log.say(fmt::format("{} records of calls found no room and are lost", disk.records->journal().lost())));
  EXPECT_FALSE(disk.log.say("they stay in the journal")) << "nothing stays";
}

}  // namespace
}  // namespace weir::app

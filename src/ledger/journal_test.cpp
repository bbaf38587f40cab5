#include "ledger/journal.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "ledger/crc32c.hpp"
#include "ledger/journal_frame.hpp"
#include "platform/random.hpp"
#include "platform/sim/simulated_files.hpp"

namespace weir::ledger {
namespace {

using platform::SimulatedFiles;

TEST(Crc32c, gives_the_values_of_rfc_3720_by_table_and_by_instruction) {
  const std::string zeros(32, '\0');
  const std::string ones(32, '\xff');
  std::string rising;
  for (char c = 0; c < 32; ++c) {
    rising.push_back(c);
  }
  for (const auto& [bytes, sum] : {std::pair{zeros, 0x8a9136aaU},
                                   {ones, 0x62a8ab43U},
                                   {rising, 0x46dd794eU},
                                   {std::string("123456789"), 0xe3069283U}}) {
    EXPECT_EQ(crc32c(bytes), sum);
    EXPECT_EQ(crc32c_by_table(bytes), sum);
    EXPECT_EQ(crc32c(bytes.substr(5), crc32c(bytes.substr(0, 5))), sum);
  }
}

std::string framed(std::uint64_t sequence, std::string_view payload) {
  std::string frame(journal_head_bytes, '\0');
  write_journal_head(frame.data(), FrameKind::closed, sequence, payload);
  frame += payload;
  return frame;
}

std::vector<std::string> payloads(std::string_view bytes) {
  JournalReader reader(bytes);
  std::vector<std::string> found;
  while (const auto frame = reader.next()) {
    found.emplace_back(frame->payload);
  }
  return found;
}

TEST(JournalReader, reads_whole_frames_of_a_segment_that_is_cut_at_any_byte) {
  const std::vector<std::string> records = {"one", "a second record", std::string(300, 'x')};
  std::string bytes;
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < records.size(); ++i) {
    bytes += framed(7 + i, records[i]);
    ends.push_back(bytes.size());
  }
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto whole =
        static_cast<std::size_t>(std::ranges::count_if(ends, [&](std::size_t end) { return end <= cut; }));
    for (const std::string& tail : {std::string(), std::string(64, '\0')}) {  // the file ends, or is zero from there
      const auto found = payloads(bytes.substr(0, cut) + tail);
      ASSERT_EQ(found, std::vector<std::string>(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(whole)))
          << "cut at " << cut;
    }
  }
}

TEST(JournalReader, stops_before_a_frame_of_which_any_bit_is_wrong) {
  const std::string first = framed(0, "first");
  const std::string bytes = first + framed(1, "second") + framed(2, "third");
  for (std::size_t bit = first.size() * 8; bit < (first.size() + journal_head_bytes + 6) * 8; ++bit) {
    std::string wrong = bytes;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(payloads(wrong), std::vector<std::string>{"first"}) << "bit " << bit;
  }
}

TEST(JournalReader, joins_the_end_of_a_call_with_what_was_asked) {
  std::string payload(journal_end_head_bytes, '\0');
  write_journal_end_head(payload.data(), {.segment = 7, .at = 0x01020304, .bytes = 300}, 2);
  payload += "abcd";
  const auto end = read_journal_end(payload);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->asked.segment, 7U);
  EXPECT_EQ(end->asked.at, 0x01020304U);
  EXPECT_EQ(end->asked.bytes, 300U);
  std::string whole = "before ";
  append_joined(whole, *end, "--");
  EXPECT_EQ(whole, "before ab--cd");
  for (std::size_t cut = 0; cut < journal_end_head_bytes + 2; ++cut) {
    EXPECT_FALSE(read_journal_end(std::string_view(payload).substr(0, cut)).has_value()) << cut;
  }
}

TEST(JournalReader, does_not_take_an_old_frame_for_the_next) {
  const std::string bytes = framed(5, "five") + framed(4, "from before");
  EXPECT_EQ(payloads(bytes), std::vector<std::string>{"five"});
  JournalReader reader(bytes, 6);
  EXPECT_FALSE(reader.next().has_value());
}

TEST(JournalReader, tells_an_end_from_a_torn_frame) {
  const std::string good = framed(0, "good");
  for (const auto& [tail, clean] : {std::pair{std::string(), true},
                                    {std::string(5, '\0'), true},
                                    {std::string(40, '\0'), true},
                                    {framed(1, "torn").substr(0, 18), false}}) {
    const std::string bytes = good + tail;
    JournalReader reader(bytes);
    while (reader.next()) {
    }
    EXPECT_EQ(reader.consumed(), good.size());
    EXPECT_EQ(reader.at_clean_end(), clean);
  }
}

TEST(JournalReader, survives_any_bytes) {
  platform::Random random(20261121);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = framed(0, "start");
    const std::size_t size = random.below(200);
    for (std::size_t i = 0; i < size; ++i) {
      bytes.push_back(static_cast<char>(random.below(4) == 0 ? random.below(256) : 0));
    }
    JournalReader reader(bytes);
    std::size_t sum = 0;
    while (const auto frame = reader.next()) {
      sum += journal_head_bytes + frame->payload.size();
    }
    EXPECT_EQ(sum, reader.consumed());
    EXPECT_GE(sum, journal_head_bytes + 5);
  }
}

/// Everything in the files of the first core, in order, as a recovery would read it.
std::vector<std::string> on_disk(SimulatedFiles& files, const std::string& directory) {
  std::vector<std::string> found;
  for (const std::string& name : *files.list(directory)) {
    if (name.starts_with("core-0-")) {
      const auto content = files.read(directory + "/" + name);
      for (std::string& payload : payloads(*content)) {
        found.push_back(std::move(payload));
      }
    }
  }
  return found;
}

struct Bench {
  explicit Bench(std::size_t segment_bytes = 1000, std::size_t overflow_bytes_max = 1000) {
    EXPECT_TRUE(files.make_directory("data"));
    auto opened = Journal::open(files, {.directory = "data/journal",
                                        .name = "one",
                                        .cores = 1,
                                        .segment_bytes = segment_bytes,
                                        .overflow_bytes_max = overflow_bytes_max});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    journal = std::move(*opened);
  }
  void append(int from, int to) {
    for (int i = from; i < to; ++i) {
      journal->core(0).append(FrameKind::closed, fmt::format("record {}", i));
      expected.push_back(fmt::format("record {}", i));
    }
  }
  SimulatedFiles files{1};
  std::unique_ptr<Journal> journal;
  std::vector<std::string> expected;
};

TEST(Journal, keeps_every_record_over_rotations_when_the_process_is_killed) {
  Bench bench(200);
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
  Bench bench(100'000);
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
  Bench bench(200, 4000);
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
  Bench bench(200, 300);
  bench.files.set_capacity(0);
  bench.append(0, 100);
  EXPECT_GT(bench.journal->lost(), 0U);
  const std::uint64_t lost = bench.journal->lost();
  bench.files.set_capacity(1'000'000);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(on_disk(bench.files, "data/journal/one").size(), 100 - lost);
}

TEST(Journal, loses_nothing_whichever_operation_of_the_disk_fails) {
  for (std::uint64_t nth = 1; nth < 150; ++nth) {
    Bench bench(150, 100'000);
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
  Bench bench;
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

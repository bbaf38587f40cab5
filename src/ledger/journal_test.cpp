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

constexpr std::uint64_t here = 3;        // the segment that is read
constexpr std::uint64_t no_segment = 0;  // as frames of format 2 were written

std::string framed(std::uint64_t sequence, std::string_view payload, std::uint64_t number = here) {
  std::string frame(journal_head_bytes, '\0');
  write_journal_head(frame.data(), number, FrameKind::closed, sequence, payload);
  frame += payload;
  return frame;
}

std::vector<std::string> payloads(std::string_view bytes, std::uint64_t number = here) {
  JournalReader reader(bytes, number);
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

std::string filled(std::uint64_t number, std::uint64_t sequence, std::string_view words) {
  std::string bytes;
  while (bytes.size() < 500) {
    bytes += framed(sequence, fmt::format("{:03} {}", sequence, words), number);
    ++sequence;
  }
  return bytes;
}

// Of equal length and with the next sequence number too: then it stands just where the next frame would.
TEST(JournalReader, takes_no_frame_of_what_the_file_was_before_wherever_the_new_ones_end) {
  const std::string old_bytes = filled(here - 1, 7, "one");
  const std::string new_bytes = filled(here, 7, "two");
  const std::vector<std::string> written = payloads(new_bytes);
  ASSERT_GT(written.size(), 10U);
  EXPECT_EQ(payloads(old_bytes), std::vector<std::string>()) << "nothing was written yet";
  std::size_t whole = 0;
  for (std::size_t cut = 0; cut <= new_bytes.size(); ++cut) {
    const auto found = payloads(new_bytes.substr(0, cut) + old_bytes.substr(std::min(cut, old_bytes.size())));
    whole += cut == (whole + 1) * (new_bytes.size() / written.size()) ? 1 : 0;
    ASSERT_EQ(found, std::vector<std::string>(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(whole)))
        << "cut at " << cut;
  }
}

TEST(JournalReader, reads_a_file_of_the_format_before) {
  const std::string bytes = framed(4, "four", no_segment) + framed(5, "five", no_segment);
  EXPECT_EQ(payloads(bytes + std::string(40, '\0')), (std::vector<std::string>{"four", "five"}));
  EXPECT_EQ(payloads(framed(3, "three") + bytes), std::vector<std::string>{"three"}) << "a file has one format";
}

TEST(JournalReader, reads_frames_that_were_moved_to_another_segment) {
  std::string bytes = framed(4, "four", no_segment) + framed(5, "five", no_segment) + framed(6, "six", 9);
  move_journal_frames(bytes, here);
  EXPECT_EQ(payloads(bytes), (std::vector<std::string>{"four", "five", "six"}));
  EXPECT_EQ(bytes, framed(4, "four") + framed(5, "five") + framed(6, "six"));
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
  JournalReader reader(bytes, here, 6);
  EXPECT_FALSE(reader.next().has_value());
}

TEST(JournalReader, survives_any_bytes) {
  platform::Random random(20261121);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = framed(0, "start");
    const std::size_t size = random.below(200);
    for (std::size_t i = 0; i < size; ++i) {
      bytes.push_back(static_cast<char>(random.below(4) == 0 ? random.below(256) : 0));
    }
    JournalReader reader(bytes, here);
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
    if (const auto number = segment_number(name)) {
      const auto content = files.read(directory + "/" + name);
      for (std::string& payload : payloads(*content, *number)) {
        found.push_back(std::move(payload));
      }
    }
  }
  return found;
}

struct Bench {
  explicit Bench(std::size_t segment_bytes = 1000, std::size_t overflow_bytes_max = 1000, std::uint64_t seed = 1)
      : files(seed) {
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
  SimulatedFiles files;
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

TEST(Journal, tells_the_number_of_a_segment_by_the_name_of_its_file) {
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
struct Recycling : Bench {
  using Bench::Bench;
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

TEST(Journal, writes_the_files_of_segments_that_were_shipped_again) {
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

TEST(Journal, fills_the_next_file_once_calls_come) {
  Bench bench(200);
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

TEST(Journal, fills_no_file_that_may_be_needed_at_once) {
  Bench bench(200);
  bench.append(0, 5);
  ASSERT_GT(bench.journal->core(0).segments().back()->written, 100U);
  EXPECT_TRUE(bench.journal->maintain());
  EXPECT_EQ(bench.files.fills(), 0U);
}

TEST(Journal, keeps_one_file_of_a_size_of_which_three_would_be_much) {
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

TEST(Journal, keeps_no_file_of_another_size) {
  Recycling bench(200, 4000);
  bench.append(0, 50);  // into memory, and from there into a file of its own
  EXPECT_TRUE(bench.maintain());
  const auto segments = bench.journal->core(0).segments();
  ASSERT_EQ(segments.at(1)->bytes, 4000U);
  EXPECT_TRUE(bench.journal->core(0).forget(segments.at(1)));
  EXPECT_EQ(bench.retired(), 0U);
}

// A file of the usual size that took what was kept in memory is like any other.
TEST(Journal, brings_nothing_back_that_came_from_memory) {
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
TEST(Journal, gives_up_its_retired_files_for_what_waits_in_memory) {
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
  for (; bench.journal->kept_in_memory() == 0; ++next) {
    bench.append(next, next + 1);
  }
  EXPECT_TRUE(bench.maintain());
  EXPECT_EQ(bench.journal->kept_in_memory(), 0U);
  EXPECT_EQ(bench.journal->lost(), 0U);
  EXPECT_EQ(on_disk(bench.files, "data/journal/one"), bench.expected);
}

TEST(Journal, goes_on_over_a_full_disk_with_the_file_that_it_has) {
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

TEST(Journal, makes_a_new_file_where_the_retired_one_cannot_be_had) {
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {  // its new name, the name made durable, opening it
    Recycling bench(200);
    for (int i = 0; i < 20; ++i) {
      bench.append(i, i + 1);
      EXPECT_TRUE(bench.maintain());
    }
    bench.forget_oldest();
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

TEST(Journal, leaves_no_retired_file_behind) {
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
TEST(Journal, neither_loses_nor_brings_back_a_record_whenever_it_ends) {
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

#include "ledger/journal_frame.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "ledger/crc32c.hpp"
#include "ledger/test_journal.hpp"
#include "platform/random.hpp"

namespace weir::ledger {
namespace {

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

std::vector<std::string> payloads(std::string_view bytes) {
  return ledger::payloads(bytes, here);
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

TEST(JournalReader, tells_a_file_that_was_never_one_of_a_journal) {
  JournalReader reader("something that somebody else has put there", here);
  EXPECT_FALSE(reader.next());
  ASSERT_TRUE(reader.skip_damage());
  EXPECT_FALSE(reader.skip_damage());
}

std::string filled(std::uint64_t number, std::uint64_t sequence, std::string_view words) {
  std::string bytes;
  while (bytes.size() < 500) {
    bytes += framed(sequence, fmt::format("{:03} {}", sequence, words), number);
    ++sequence;
  }
  return bytes;
}

TEST(JournalReader, goes_on_behind_damage_and_tells_how_much_it_was) {
  const std::string first = framed(7, "first");
  const std::string second = framed(8, "second");
  const std::string third = framed(9, "third");
  const std::string rest = framed(10, "fourth") + std::string(300, '\0');
  for (std::size_t bit = 0; bit < (second.size() + third.size()) * 8; ++bit) {
    std::string wrong = first + second + third + rest;
    wrong[first.size() + bit / 8] = static_cast<char>(wrong[first.size() + bit / 8] ^ (1 << (bit % 8)));
    JournalReader reader(wrong, here);
    const bool in_second = bit / 8 < second.size();
    EXPECT_TRUE(reader.next());
    EXPECT_EQ(reader.next().has_value(), !in_second);
    const std::size_t at = first.size() + (in_second ? 0 : second.size());
    if (!in_second) {
      ASSERT_FALSE(reader.next());
    }
    const auto gap = reader.skip_damage();
    ASSERT_TRUE(gap) << "bit " << bit;
    EXPECT_EQ(gap->at, at);
    EXPECT_EQ(gap->bytes, (in_second ? second : third).size());
    EXPECT_EQ(gap->frames, 1U);
    const auto behind = reader.next();
    ASSERT_TRUE(behind);
    EXPECT_EQ(behind->payload, in_second ? "third" : "fourth");
  }
  std::string both = first + second + third + rest;
  both[first.size() + 17] = 'x';
  both[first.size() + second.size() + 17] = 'x';
  JournalReader reader(both, here);
  EXPECT_TRUE(reader.next());
  EXPECT_EQ(reader.skip_damage()->frames, 2U);
}

TEST(JournalReader, takes_a_frame_that_was_being_written_for_no_damage) {
  const std::string old_bytes = filled(here - 1, 2, "one");
  const std::string bytes = framed(7, "first") + framed(8, "second, of which a part is there");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    for (const std::string& below : {std::string(500, '\0'), old_bytes}) {
      const std::string torn = bytes.substr(0, cut) + below.substr(cut);
      JournalReader reader(torn, here);
      while (reader.next()) {
      }
      ASSERT_FALSE(reader.skip_damage()) << "cut at " << cut;
    }
  }
}

TEST(JournalReader, tells_a_file_that_ends_within_a_frame) {
  const std::string first = framed(7, "first");
  const std::string bytes = first + framed(8, "second");
  JournalReader reader(std::string_view(bytes).substr(0, bytes.size() - 1), here);
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  const auto gap = reader.skip_damage();
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->at, first.size());
  EXPECT_EQ(gap->bytes, bytes.size() - 1 - first.size());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.skip_damage());
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
  JournalReader other(bytes, here);
  EXPECT_TRUE(other.next());
  EXPECT_FALSE(other.skip_damage());
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
    while (const auto gap = reader.skip_damage()) {
      EXPECT_EQ(gap->at, sum);
      EXPECT_GT(gap->bytes, 0U);
      while (reader.next()) {
      }
      sum = reader.consumed();
    }
  }
}

}  // namespace
}  // namespace weir::ledger

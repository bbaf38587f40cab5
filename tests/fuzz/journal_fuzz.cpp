// LINKS: weir_ledger
//
// A segment of the journal as a crash may leave it: any bytes, and frames of ours that the input damages.
//
// Checked for each input: whatever the bytes, reading ends, gives frames that lie inside, and reading what was consumed
// gives the same frames; what follows a torn frame is never given, unless damage is skipped, which ends too. Of frames
// that were written, those before the first damaged byte are all read, as they were, in this format and the one before;
// of what the file held before it was written again, nothing. Records that are no JSON are refused and never a crash;
// one that is read again after as_unknown() is not open.
#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "cuts.hpp"
#include "ledger/journal_frame.hpp"
#include "store/call_form.hpp"
#include "text/json_scan.hpp"

namespace {

using weir::ledger::JournalReader;

constexpr std::uint64_t number = 7;  // of the segment that is read

std::vector<std::string> read(std::string_view bytes, std::size_t& consumed) {
  JournalReader reader(bytes, number);
  std::vector<std::string> payloads;
  std::size_t sum = 0;
  while (const auto frame = reader.next()) {
    WEIR_ASSERT(!frame->payload.empty(), "a frame has a payload");
    sum += weir::ledger::journal_head_bytes + frame->payload.size();
    payloads.emplace_back(frame->payload);
  }
  consumed = reader.consumed();
  WEIR_ASSERT(consumed == sum && consumed <= bytes.size(), "frames stand one behind the other");
  return payloads;
}

/// The payloads, each in a frame of ours. `ends`: of the frames.
std::string framed(const std::vector<std::string>& payloads, std::uint64_t segment, std::vector<std::size_t>& ends) {
  std::string bytes;
  ends.clear();
  for (const std::string& payload : payloads) {
    std::string head(weir::ledger::journal_head_bytes, '\0');
    weir::ledger::write_journal_head(head.data(), segment, weir::ledger::FrameKind::open, ends.size(), payload);
    bytes += head + payload;
    ends.push_back(bytes.size());
  }
  return bytes;
}

/// As a recovery reads what was damaged: to where nothing follows.
void read_beyond_damage(std::string_view bytes) {
  JournalReader reader(bytes, number);
  while (true) {
    while (reader.next()) {
    }
    const std::size_t before = reader.consumed();
    const auto gap = reader.skip_damage();
    WEIR_ASSERT(!gap || (gap->at == before && gap->bytes > 0 && gap->frames > 0), "something is given up");
    WEIR_ASSERT(reader.consumed() == before + (gap ? gap->bytes : 0) && reader.consumed() <= bytes.size(),
                "what is given up stands between what is read");
    if (!gap) {
      return;
    }
  }
}

void read_record(const std::string& record) {
  static_cast<void>(weir::store::id_of(record));
  static_cast<void>(weir::store::as_object(record));
  const auto row = weir::store::row_of(record);
  const auto closed = weir::store::as_unknown(record);
  WEIR_ASSERT(row.has_value() == closed.has_value(), "a record can be read, or it cannot");
  if (row) {
    const auto again = weir::store::row_of(*closed);
    WEIR_ASSERT(again && again->id == row->id && !row->id.empty(), "a row has its id, also when nobody saw its end");
    WEIR_ASSERT(again->end_state != "open" || record.contains('\\'), "an open call is unknown afterwards");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  weir::fuzz::Dice dice(input);
  std::size_t consumed = 0;

  const auto raw = read(input, consumed);
  std::size_t again = 0;
  WEIR_ASSERT(read(input.substr(0, consumed), again) == raw && again == consumed, "the same bytes give the same");
  read_beyond_damage(input);
  read_record(input);
  if (const auto end = weir::ledger::read_journal_end(input)) {
    const bool valid = weir::text::scan_document(input).has_value();
    std::string joined;
    weir::ledger::append_joined(joined, *end, valid ? weir::store::asked_of(input) : input);
    WEIR_ASSERT(joined.size() >= end->record.size(), "nothing of the end is lost");
    read_record(joined);
  }
  static_cast<void>(weir::store::key_of(input));

  // The input as payloads, each in a frame of ours; then one byte is damaged, or the end is cut off, where there are
  // zeros then or what the file held before.
  std::vector<std::string> written;
  std::size_t begin = 0;
  for (const std::size_t end : weir::fuzz::cuts(size, dice)) {
    if (end == begin) {
      continue;
    }
    written.push_back(input.substr(begin, end - begin));
    begin = end;
  }
  constexpr std::uint64_t no_number = 0;  // as the format before had it
  std::vector<std::size_t> ends;
  const std::string before = framed(written, number - 1, ends);
  const std::string segment = framed(written, dice.below(4) == 0 ? no_number : number, ends);
  WEIR_ASSERT(read(segment, consumed) == written && consumed == segment.size(), "what was written is read");
  if (segment.empty()) {
    return 0;
  }
  const std::size_t damaged = dice.below(segment.size());
  std::string torn = segment;
  const std::size_t damage = dice.below(3);
  if (damage == 0) {
    torn.resize(damaged);
    torn.append(dice.below(64), '\0');
  } else if (damage == 1) {
    torn.replace(damaged, std::string::npos, before, damaged);
  } else {
    torn[damaged] = static_cast<char>(torn[damaged] ^ static_cast<char>(1 + dice.below(255)));
  }
  const auto whole = std::ranges::count_if(ends, [&](std::size_t end) { return end <= damaged; });
  read_beyond_damage(torn);
  const auto found = read(torn, consumed);
  WEIR_ASSERT(found.size() >= static_cast<std::size_t>(whole), "what stands before the damage is read");
  // A cut whose lost bytes were zeros is no damage.
  WEIR_ASSERT(std::equal(found.begin(), found.end(), written.begin()), "nothing is read that was not written");
  WEIR_ASSERT(torn == segment || found.size() == static_cast<std::size_t>(whole) ||
                  std::string_view(torn).starts_with(std::string_view(segment).substr(0, consumed)),
              "nothing behind the damage is read");
  return 0;
}

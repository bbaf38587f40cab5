#include "ledger/journal_frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ledger/crc32c.hpp"

namespace weir::ledger {

namespace {

template <class Number>
Number little_endian(Number value) {
  return std::endian::native == std::endian::little ? value : std::byteswap(value);
}

template <class Number>
void write_number(char* at, Number value) {
  value = little_endian(value);
  std::memcpy(at, &value, sizeof value);
}

template <class Number>
Number read_number(std::string_view bytes) {
  Number value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return little_endian(value);
}

constexpr unsigned length_bits = 24;
constexpr std::uint32_t length_mask = (std::uint32_t{1} << length_bits) - 1;

/// Of the sequence number, as it stands in the frame, and the payload.
std::uint32_t sum_of(std::uint8_t kind, std::string_view sequence, std::string_view payload) {
  return crc32c(payload, crc32c(sequence, kind));
}

}  // namespace

void write_journal_head(char* head, FrameKind kind, std::uint64_t sequence, std::string_view payload) {
  const auto kind_number = static_cast<std::uint8_t>(kind);
  write_number(head + 8, sequence);
  write_number(head, static_cast<std::uint32_t>(payload.size()) | (std::uint32_t{kind_number} << length_bits));
  write_number(head + 4, sum_of(kind_number, {head + 8, sizeof sequence}, payload));
}

void write_journal_end_head(char* head, const JournalPlace& asked, std::uint32_t place) {
  write_number(head, asked.segment);
  write_number(head + 4, asked.at);
  write_number(head + 8, asked.bytes);
  write_number(head + 12, place);
}

std::optional<JournalEnd> read_journal_end(std::string_view payload) {
  if (payload.size() < journal_end_head_bytes) {
    return std::nullopt;
  }
  const JournalEnd end{.asked = {.segment = read_number<std::uint32_t>(payload),
                                 .at = read_number<std::uint32_t>(payload.substr(4)),
                                 .bytes = read_number<std::uint32_t>(payload.substr(8))},
                       .place = read_number<std::uint32_t>(payload.substr(12)),
                       .record = payload.substr(journal_end_head_bytes)};
  return end.place <= end.record.size() ? std::optional(end) : std::nullopt;
}

void append_joined(std::string& out, const JournalEnd& end, std::string_view asked) {
  out.append(end.record.substr(0, end.place)).append(asked).append(end.record.substr(end.place));
}

std::optional<JournalFrame> JournalReader::next() {
  const std::string_view rest = bytes_.substr(at_);
  if (rest.size() < journal_head_bytes) {
    return std::nullopt;
  }
  const auto first = read_number<std::uint32_t>(rest);
  const std::uint32_t length = first & length_mask;
  const auto kind = static_cast<std::uint8_t>(first >> length_bits);
  if (length == 0 || length > journal_payload_max || length > rest.size() - journal_head_bytes ||
      kind < static_cast<std::uint8_t>(FrameKind::open) || kind > static_cast<std::uint8_t>(FrameKind::ended)) {
    return std::nullopt;
  }
  const auto sequence = read_number<std::uint64_t>(rest.substr(8));
  const std::string_view payload = rest.substr(journal_head_bytes, length);
  if ((check_ &&
       sum_of(kind, rest.substr(8, sizeof sequence), payload) != read_number<std::uint32_t>(rest.substr(4))) ||
      (expected_ && sequence != *expected_)) {
    return std::nullopt;
  }
  at_ += journal_head_bytes + length;
  expected_ = sequence + 1;
  return JournalFrame{.kind = static_cast<FrameKind>(kind), .sequence = sequence, .payload = payload};
}

bool JournalReader::at_clean_end() const {
  const std::string_view rest = bytes_.substr(at_).substr(0, journal_head_bytes);
  return std::ranges::all_of(rest, [](char byte) { return byte == 0; });
}

}  // namespace weir::ledger

#include "ledger/journal_frame.hpp"

#include <algorithm>

#include "ledger/crc32c.hpp"

namespace weir::ledger {

namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
  }
}

template <class Number>
Number read_number(std::string_view bytes) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i));
  }
  return value;
}

}  // namespace

void append_journal_head(std::string& out, std::uint64_t sequence, std::string_view payload) {
  std::string number;  // short enough to need no allocation
  append_number(number, sequence);
  append_number(out, static_cast<std::uint32_t>(payload.size()));
  append_number(out, crc32c(payload, crc32c(number)));
  out += number;
}

std::optional<JournalFrame> JournalReader::next() {
  const std::string_view rest = bytes_.substr(at_);
  if (rest.size() < journal_head_bytes) {
    return std::nullopt;
  }
  const auto length = read_number<std::uint32_t>(rest);
  if (length == 0 || length > journal_payload_max || length > rest.size() - journal_head_bytes) {
    return std::nullopt;
  }
  const auto sequence = read_number<std::uint64_t>(rest.substr(8));
  if (crc32c(rest.substr(8, 8 + std::size_t{length})) != read_number<std::uint32_t>(rest.substr(4)) ||
      (expected_ && sequence != *expected_)) {
    return std::nullopt;
  }
  at_ += journal_head_bytes + length;
  expected_ = sequence + 1;
  return JournalFrame{.sequence = sequence, .payload = rest.substr(journal_head_bytes, length)};
}

bool JournalReader::at_clean_end() const {
  const std::string_view rest = bytes_.substr(at_).substr(0, journal_head_bytes);
  return std::ranges::all_of(rest, [](char byte) { return byte == 0; });
}

}  // namespace weir::ledger

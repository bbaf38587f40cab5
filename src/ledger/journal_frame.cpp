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

/// Of the sequence number, as it stands in the frame, and the payload. What a sum begins with is as good as the first
/// bytes that it is of: a number as it is would differ from another in one byte, as a damaged sequence number does.
std::uint32_t sum_of(std::uint64_t segment, std::uint8_t kind, std::string_view sequence, std::string_view payload) {
  constexpr std::uint32_t spread = 0x9e3779b1;  // odd, so that two numbers never become one
  return crc32c(payload, crc32c(sequence, (static_cast<std::uint32_t>(segment) * spread) ^ kind));
}

constexpr std::uint64_t no_number = 0;  // in the sums of format 2

constexpr std::size_t kind_at = 3;  // in a frame
constexpr auto kind_max = static_cast<std::uint8_t>(FrameKind::ended);

/// What the head of a frame says first.
struct Shape {
  std::uint32_t length = 0;
  std::uint8_t kind = 0;
};

/// Of the frame at the front of `bytes`, which may be cut; nothing where no frame has such a head.
std::optional<Shape> shape_of(std::string_view bytes) {
  if (bytes.size() < journal_head_bytes) {
    return std::nullopt;
  }
  const auto first = read_number<std::uint32_t>(bytes);
  const Shape shape{.length = first & length_mask, .kind = static_cast<std::uint8_t>(first >> length_bits)};
  const bool is_one = shape.length > 0 && shape.length <= journal_payload_max &&
                      shape.kind >= static_cast<std::uint8_t>(FrameKind::open) && shape.kind <= kind_max;
  return is_one ? std::optional(shape) : std::nullopt;
}

}  // namespace

void write_journal_head(char* head, std::uint64_t segment, FrameKind kind, std::uint64_t sequence,
                        std::string_view payload) {
  const auto kind_number = static_cast<std::uint8_t>(kind);
  write_number(head + 8, sequence);
  write_number(head, static_cast<std::uint32_t>(payload.size()) | (std::uint32_t{kind_number} << length_bits));
  write_number(head + 4, sum_of(segment, kind_number, {head + 8, sizeof sequence}, payload));
}

void move_journal_frames(std::string& frames, std::uint64_t segment) {
  JournalReader reader(frames, JournalReader::Trusted{});
  std::size_t at = 0;
  while (const auto frame = reader.next()) {
    write_journal_head(frames.data() + at, segment, frame->kind, frame->sequence, frame->payload);
    at = reader.consumed();
  }
}

std::uint64_t count_journal_frames(std::string_view frames) {
  JournalReader reader(frames, JournalReader::Trusted{});
  std::uint64_t count = 0;
  while (reader.next()) {
    ++count;
  }
  return count;
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
  const auto shape = shape_of(rest);
  if (!shape || shape->length > rest.size() - journal_head_bytes) {
    return std::nullopt;
  }
  const auto [length, kind] = *shape;
  const auto sequence = read_number<std::uint64_t>(rest.substr(8));
  const std::string_view payload = rest.substr(journal_head_bytes, length);
  if ((expected_ && sequence != *expected_) || (check_ && !has_sum(read_number<std::uint32_t>(rest.substr(4)), kind,
                                                                   rest.substr(8, sizeof sequence), payload))) {
    return std::nullopt;
  }
  at_ += journal_head_bytes + length;
  expected_ = sequence + 1;
  return JournalFrame{.kind = static_cast<FrameKind>(kind), .sequence = sequence, .payload = payload};
}

std::optional<JournalGap> JournalReader::skip_damage() {
  constexpr std::string_view kinds = "\1\2\3";
  JournalReader ahead = *this;
  ahead.expected_.reset();
  for (std::size_t kind = bytes_.find_first_of(kinds, at_ + 1 + kind_at); kind != std::string_view::npos;
       kind = bytes_.find_first_of(kinds, kind + 1)) {
    const std::size_t at = kind - kind_at;
    ahead.at_ = at;
    const auto frame = ahead.next();
    if (!frame || frame->sequence < expected_.value_or(0)) {
      continue;
    }
    const std::uint64_t missing = frame->sequence - expected_.value_or(frame->sequence);
    const JournalGap gap{.at = at_, .bytes = at - at_, .frames = std::max(missing, std::uint64_t{1})};
    at_ = at;
    expected_ = frame->sequence;
    return gap;
  }
  if (!rest_is_damaged()) {
    return std::nullopt;
  }
  const JournalGap gap{.at = at_, .bytes = bytes_.size() - at_, .frames = 1};
  at_ = bytes_.size();
  return gap;
}

/// The file ends within the next frame, or has never begun with one, not even with an older segment's.
bool JournalReader::rest_is_damaged() const {
  const std::string_view rest = bytes_.substr(at_);
  if (at_ == 0 && rest.size() > kind_at && static_cast<std::uint8_t>(rest[kind_at]) > kind_max) {
    return true;
  }
  const auto shape = shape_of(rest);
  return shape && shape->length > rest.size() - journal_head_bytes &&
         (!expected_ || read_number<std::uint64_t>(rest.substr(8)) == *expected_);
}

/// The first frame tells which format a file has. One of format 3 has no sum without a number, and never had one.
bool JournalReader::has_sum(std::uint32_t sum, std::uint8_t kind, std::string_view sequence, std::string_view payload) {
  if (sum == sum_of(segment_, kind, sequence, payload)) {
    return true;
  }
  if (at_ != 0 || sum != sum_of(no_number, kind, sequence, payload)) {
    return false;
  }
  segment_ = no_number;
  return true;
}

}  // namespace weir::ledger

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/journal_place.hpp"

namespace weir::ledger {

/// What a frame says of a call.
enum class FrameKind : std::uint8_t {
  open = 1,    // its record before an upstream call
  closed = 2,  // its record at the end
  ended = 3,   // its record at the end, without what its open record has told already: see JournalEnd
};

/// A record in a segment of the journal, format 3: length of the payload (24 bits) and kind (8), CRC-32C of the
/// segment's number, kind and what follows it (32), sequence number (64), payload; numbers little endian. What stands
/// behind a segment's written part is zero, or a part of a segment that the same file was before: of the same bytes,
/// another number makes another sum, always, so no frame of that one is taken for one of this. Format 2 had no number
/// in the sum, as if it were 0, and files that were new; it is read too.
struct JournalFrame {
  FrameKind kind = FrameKind::open;
  std::uint64_t sequence = 0;
  std::string_view payload;  // of the segment's bytes
};

/// The payload of a frame of kind `ended`: a head of four numbers (32 bits each, little endian: those of `asked`, and
/// `place`), then the record.
struct JournalEnd {
  JournalPlace asked;       // where the bytes stand that are left out
  std::uint32_t place = 0;  // where they belong in the record
  std::string_view record;  // of the payload
};

inline constexpr std::size_t journal_end_head_bytes = 16;
inline constexpr std::size_t journal_head_bytes = 16;
inline constexpr std::size_t journal_payload_max = std::size_t{256} << 10;

/// Writes the head of a frame to `head`, which has journal_head_bytes; the payload follows it. `segment`: the number of
/// the one it goes to.
void write_journal_head(char* head, std::uint64_t segment, FrameKind kind, std::uint64_t sequence,
                        std::string_view payload);

/// Makes whole frames, one behind the other, those of that segment, whichever they were written for.
void move_journal_frames(std::string& frames, std::uint64_t segment);

/// Of whole frames, one behind the other.
[[nodiscard]] std::uint64_t count_journal_frames(std::string_view frames);

/// Writes the head of an `ended` payload to `head`, which has journal_end_head_bytes; the record follows it.
void write_journal_end_head(char* head, const JournalPlace& asked, std::uint32_t place);
/// Nothing where the payload is none.
[[nodiscard]] std::optional<JournalEnd> read_journal_end(std::string_view payload);
/// Appends the record whole, with `asked` in its place.
void append_joined(std::string& out, const JournalEnd& end, std::string_view asked);

/// Bytes of a segment that were frames and are none any more.
struct JournalGap {
  std::size_t at = 0;
  std::size_t bytes = 0;
  std::uint64_t frames = 0;  // at least
};

/// Reads the frames of a segment's bytes, in order, until the first that is not whole and right: torn, never written,
/// of another segment, or out of sequence. What stands behind that is looked at by skip_damage() alone. Pure; views
/// live as long as the bytes.
class JournalReader {
 public:
  /// From the segment's beginning. `sequence`: what the first frame must have, if known.
  explicit JournalReader(std::string_view bytes, std::uint64_t segment,
                         std::optional<std::uint64_t> sequence = std::nullopt)
      : bytes_(bytes), segment_(segment), expected_(sequence) {}
  /// For bytes that this process has written a moment ago: their sums need not be reckoned again.
  struct Trusted {};
  JournalReader(std::string_view bytes, Trusted) : bytes_(bytes), check_(false) {}

  std::optional<JournalFrame> next();
  /// Where next() found no frame: goes on to the next one that is right. Nothing where none follows, as behind a frame
  /// that was being written when the process ended: they are written one behind the other, into a file with room for
  /// them, so only damage leaves one behind a wrong one, or cuts the file within one, or begins it with something else.
  std::optional<JournalGap> skip_damage();
  /// The bytes of the frames that were given, and of what was skipped.
  [[nodiscard]] std::size_t consumed() const { return at_; }

 private:
  [[nodiscard]] bool rest_is_damaged() const;
  [[nodiscard]] bool has_sum(std::uint32_t sum, std::uint8_t kind, std::string_view sequence, std::string_view payload);

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint64_t segment_ = 0;
  std::optional<std::uint64_t> expected_;
  bool check_ = true;
};

}  // namespace weir::ledger

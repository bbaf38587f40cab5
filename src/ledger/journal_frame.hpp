#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::ledger {

/// A record in a segment of the journal: length of the payload and CRC-32C of what follows (32 bits each), sequence
/// number (64 bits), payload; numbers little endian. A length of zero is where a segment's written part ends.
struct JournalFrame {
  std::uint64_t sequence = 0;
  std::string_view payload;  // of the segment's bytes
};

inline constexpr std::size_t journal_head_bytes = 16;
inline constexpr std::size_t journal_payload_max = std::size_t{256} << 10;

/// The head of a frame, appended to `out`; the payload follows it.
void append_journal_head(std::string& out, std::uint64_t sequence, std::string_view payload);

/// Reads the frames of a segment's bytes, in order, until the first that is not whole and right: torn, never written,
/// or out of sequence. What stands behind that is not looked at. Pure; views live as long as the bytes.
class JournalReader {
 public:
  /// `sequence`: what the first frame must have, if known.
  explicit JournalReader(std::string_view bytes, std::optional<std::uint64_t> sequence = std::nullopt)
      : bytes_(bytes), expected_(sequence) {}

  std::optional<JournalFrame> next();
  /// The bytes of the frames that were given.
  [[nodiscard]] std::size_t consumed() const { return at_; }
  /// True where the bytes behind the last frame are no written frame at all: the end, or zeros. False: a torn one.
  [[nodiscard]] bool at_clean_end() const;

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::optional<std::uint64_t> expected_;
};

}  // namespace weir::ledger

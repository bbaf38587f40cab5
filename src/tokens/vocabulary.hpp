#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::tokens {

/// A token's number, which is also its rank: of two possible merges the one with the lower rank is made first.
using TokenId = std::uint32_t;

/// The ordinary tokens of one encoding, by bytes and by number.
///
/// Immutable, and about 5 MB for the larger one; read by any thread.
class Vocabulary {
 public:
  /// `document`: the JSON of npm's tiktoken, whose member `bpe_ranks` holds lines `! FIRST-RANK TOKEN...` in base64.
  static Result<Vocabulary> parse(std::string_view document);

  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] std::optional<TokenId> find(std::string_view bytes) const;
  /// Empty for a number that is no ordinary token's.
  [[nodiscard]] std::string_view bytes_of(TokenId id) const;

  static constexpr std::size_t token_bytes_max = 128;

 private:
  Vocabulary() = default;
  bool add_line(std::string_view line);
  void index();

  std::string bytes_;                // of all tokens, by number
  std::vector<std::uint32_t> ends_;  // where in them each ends
  std::vector<TokenId> slots_;       // hash table: number + 1, or 0; a power of two, at most half full
};

}  // namespace weir::tokens

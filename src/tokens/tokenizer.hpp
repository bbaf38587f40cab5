#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/encoding.hpp"
#include "tokens/vocabulary.hpp"

namespace weir::tokens {

/// Text to tokens and back, exactly as tiktoken does, in time that grows with the text's length alone.
///
/// Has scratch memory of its own (about 1 MB once it met a long word), so one thread uses it at a time. Text that is
/// not UTF-8 is encoded byte by byte. The vocabulary outlives it.
class Tokenizer {
 public:
  struct Options {
    /// Of one word that is merged at once; a longer one is merged in windows, with the same result.
    std::size_t window_bytes = std::size_t{32} << 10;
    /// Once it is true, everything ends soon, with a result that means nothing. Null: never.
    const std::atomic<bool>* abandoned = nullptr;
  };
  Tokenizer(Encoding encoding, const Vocabulary& vocabulary, Options options);
  Tokenizer(Encoding encoding, const Vocabulary& vocabulary) : Tokenizer(encoding, vocabulary, Options{}) {}

  /// User text is ordinary text: what looks like a special token is none.
  void encode(std::string_view text, std::vector<TokenId>& out);
  [[nodiscard]] std::size_t count(std::string_view text);
  /// The same with `<|endoftext|>` and its like turned into their numbers: for templates, never for user text.
  void encode_with_specials(std::string_view text, std::vector<TokenId>& out);
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const;

 private:
  [[nodiscard]] bool is_abandoned() const {
    return options_.abandoned != nullptr && options_.abandoned->load(std::memory_order_relaxed);
  }
  void encode_piece(std::string_view piece, std::vector<TokenId>& out);
  void merge_short(std::string_view piece, std::vector<TokenId>& out);
  void merge_long(std::string_view piece, std::vector<TokenId>& out);
  void merge_windows(std::string_view piece, std::vector<TokenId>& out);
  [[nodiscard]] bool fit_together(TokenId left, TokenId right);
  [[nodiscard]] std::uint32_t rank_of(std::string_view bytes) const;

  Encoding encoding_;
  const Vocabulary& vocabulary_;
  Options options_;
  // Scratch.
  struct Part {
    std::uint32_t next = 0;  // where the next part begins
    std::uint32_t previous = 0;
    std::uint32_t rank = 0;  // of this part joined with the next
  };
  std::vector<Part> parts_;
  std::vector<std::uint64_t> heap_;  // rank and place of possible joins, the lowest on top
  std::vector<TokenId> window_;
  std::vector<TokenId> pair_;
  std::vector<TokenId> counted_;
};

}  // namespace weir::tokens

#include "tokens/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "tokens/pieces.hpp"

namespace weir::tokens {
namespace {

constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t short_bytes_max = 100;  // up to here a plain scan is faster than a heap

struct Special {
  std::string_view text;
  TokenId id;
};
constexpr std::array cl100k_specials = {
    Special{"<|endoftext|>", 100257},  Special{"<|fim_prefix|>", 100258},  Special{"<|fim_middle|>", 100259},
    Special{"<|fim_suffix|>", 100260}, Special{"<|endofprompt|>", 100276},
};
constexpr std::array o200k_specials = {Special{"<|endoftext|>", 199999}, Special{"<|endofprompt|>", 200018}};

}  // namespace

Tokenizer::Tokenizer(Encoding encoding, const Vocabulary& vocabulary, Options options)
    : encoding_(encoding), vocabulary_(vocabulary), options_(options) {
  // A window has to hold more than what is cut off its end.
  options_.window_bytes = std::max(options_.window_bytes, 4 * Vocabulary::token_bytes_max);
}

std::uint32_t Tokenizer::rank_of(std::string_view bytes) const {
  return vocabulary_.find(bytes).value_or(no_rank);
}

void Tokenizer::encode(std::string_view text, std::vector<TokenId>& out) {
  for (std::size_t at = 0; at < text.size() && !is_abandoned();) {
    const std::size_t length = piece_length(encoding_, text, at);
    encode_piece(text.substr(at, length), out);
    at += length;
  }
}

std::size_t Tokenizer::count(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size() && !is_abandoned();) {
    const std::size_t length = piece_length(encoding_, text, at);
    counted_.clear();
    encode_piece(text.substr(at, length), counted_);
    count += counted_.size();
    at += length;
  }
  return count;
}

void Tokenizer::encode_with_specials(std::string_view text, std::vector<TokenId>& out) {
  const auto find = [&](std::size_t from) -> std::pair<std::size_t, const Special*> {
    const auto among = [&](const auto& specials) -> std::pair<std::size_t, const Special*> {
      for (std::size_t at = text.find("<|", from); at != std::string_view::npos; at = text.find("<|", at + 1)) {
        for (const Special& special : specials) {
          if (text.substr(at).starts_with(special.text)) {
            return {at, &special};
          }
        }
      }
      return {text.size(), nullptr};
    };
    return encoding_ == Encoding::cl100k_base ? among(cl100k_specials) : among(o200k_specials);
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [place, special] = find(at);
    encode(text.substr(at, place - at), out);
    at = place;
    if (special != nullptr) {
      out.push_back(special->id);
      at += special->text.size();
    }
  }
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string text;
  for (const TokenId id : ids) {
    const std::string_view bytes = vocabulary_.bytes_of(id);
    if (!bytes.empty()) {
      text += bytes;
      continue;
    }
    const auto append_special = [&](const auto& specials) {
      const auto* const special = std::ranges::find(specials, id, &Special::id);
      if (special != specials.end()) {
        text += special->text;
      }
    };
    if (encoding_ == Encoding::cl100k_base) {
      append_special(cl100k_specials);
    } else {
      append_special(o200k_specials);
    }
  }
  return text;
}

void Tokenizer::encode_piece(std::string_view piece, std::vector<TokenId>& out) {
  if (const auto whole = vocabulary_.find(piece)) {
    out.push_back(*whole);
  } else if (piece.size() <= short_bytes_max) {
    merge_short(piece, out);
  } else if (piece.size() <= options_.window_bytes) {
    merge_long(piece, out);
  } else {
    merge_windows(piece, out);
  }
}

void Tokenizer::merge_short(std::string_view piece, std::vector<TokenId>& out) {
  std::array<std::uint8_t, short_bytes_max + 1> begins;  // of each part; the last is the end of the piece
  std::array<std::uint32_t, short_bytes_max + 1> ranks;  // of each part joined with the next
  std::size_t count = piece.size();
  for (std::size_t i = 0; i <= count; ++i) {
    begins[i] = static_cast<std::uint8_t>(i);
  }
  const auto rank_at = [&](std::size_t i) {
    return i + 2 > count ? no_rank
                         : rank_of(piece.substr(begins[i], static_cast<std::size_t>(begins[i + 2] - begins[i])));
  };
  for (std::size_t i = 0; i < count; ++i) {
    ranks[i] = rank_at(i);
  }
  while (count > 1) {
    const auto best =
        static_cast<std::size_t>(std::min_element(ranks.begin(), ranks.begin() + count - 1) - ranks.begin());
    if (ranks[best] == no_rank) {
      break;
    }
    std::copy(begins.begin() + best + 2, begins.begin() + count + 1, begins.begin() + best + 1);
    std::copy(ranks.begin() + best + 2, ranks.begin() + count, ranks.begin() + best + 1);
    --count;
    ranks[best] = rank_at(best);
    if (best > 0) {
      ranks[best - 1] = rank_at(best - 1);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(rank_of(piece.substr(begins[i], static_cast<std::size_t>(begins[i + 1] - begins[i]))));
  }
}

/// Joins by a heap over a linked list. A join that an earlier one made impossible is recognised by its rank, which the
/// part no longer has.
void Tokenizer::merge_long(std::string_view piece, std::vector<TokenId>& out) {
  const auto size = static_cast<std::uint32_t>(piece.size());
  parts_.resize(size);
  heap_.clear();
  const auto rank_at = [&](std::uint32_t at) {
    const std::uint32_t next = parts_[at].next;
    return next >= size ? no_rank : rank_of(piece.substr(at, parts_[next].next - at));
  };
  const auto offer = [&](std::uint32_t at) {
    parts_[at].rank = rank_at(at);
    if (parts_[at].rank != no_rank) {
      heap_.push_back((std::uint64_t{parts_[at].rank} << 32U) | at);
      std::ranges::push_heap(heap_, std::greater{});
    }
  };
  for (std::uint32_t at = 0; at < size; ++at) {
    parts_[at] = {.next = at + 1, .previous = at == 0 ? 0 : at - 1, .rank = no_rank};
  }
  for (std::uint32_t at = 0; at < size; ++at) {
    offer(at);
  }
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, std::greater{});
    const auto at = static_cast<std::uint32_t>(heap_.back());
    const auto rank = static_cast<std::uint32_t>(heap_.back() >> 32U);
    heap_.pop_back();
    if (parts_[at].rank != rank) {
      continue;
    }
    const std::uint32_t gone = parts_[at].next;
    parts_[at].next = parts_[gone].next;
    parts_[gone].rank = no_rank;
    if (parts_[at].next < size) {
      parts_[parts_[at].next].previous = at;
    }
    offer(at);
    if (at > 0) {
      offer(parts_[at].previous);
    }
  }
  for (std::uint32_t at = 0; at < size; at = parts_[at].next) {
    out.push_back(rank_of(piece.substr(at, parts_[at].next - at)));
  }
}

bool Tokenizer::fit_together(TokenId left, TokenId right) {
  std::string both(vocabulary_.bytes_of(left));
  both += vocabulary_.bytes_of(right);
  pair_.clear();
  // Not encode_piece: its shortcut for whole tokens gives one, which is right: then they would have been joined.
  encode_piece(both, pair_);
  return pair_.size() == 2 && pair_[0] == left && pair_[1] == right;
}

/// A sequence of tokens is the encoding of its text exactly if each two neighbours are the encoding of theirs. So a
/// long word is merged window by window: of each window what is near its end is left to the next one, and where the two
/// meet, the neighbours are tested. If they do not fit, the next window starts earlier and is larger.
/// Source: "So many tokens, so little time" (GitHub, 2024), the lemma behind the crate `bpe`.
void Tokenizer::merge_windows(std::string_view piece, std::vector<TokenId>& out) {
  const std::size_t first = out.size();  // of this piece
  std::size_t at = 0;
  std::size_t window = options_.window_bytes;
  std::size_t step_back = 1;
  while (at < piece.size() && !is_abandoned()) {
    const std::string_view part = piece.substr(at, window);
    const bool last = at + part.size() == piece.size();
    window_.clear();
    merge_long(part, window_);
    if (out.size() > first && !fit_together(out.back(), window_.front())) {
      for (std::size_t i = 0; i < step_back && out.size() > first; ++i) {
        at -= vocabulary_.bytes_of(out.back()).size();
        out.pop_back();
      }
      step_back *= 2;
      window *= 2;
      continue;
    }
    std::size_t end = part.size();
    if (!last) {
      while (end + 2 * Vocabulary::token_bytes_max > part.size()) {
        end -= vocabulary_.bytes_of(window_.back()).size();
        window_.pop_back();
      }
    }
    out.insert(out.end(), window_.begin(), window_.end());
    at += end;
    window = options_.window_bytes;
    step_back = 1;
  }
}

}  // namespace weir::tokens

#include "tokens/pieces.hpp"

#include "tokens/characters.hpp"

namespace weir::tokens {
namespace {

bool is_line_end(char32_t c) {
  return c == '\r' || c == '\n';
}

/// The length of the contraction at `at` ('s, 't, 're, 've, 'm, 'll, 'd in any case), with its apostrophe; 0: none.
std::size_t contraction(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '\'') {
    return 0;
  }
  const auto lower = [&](std::size_t i) {
    return i < text.size() ? static_cast<char>(static_cast<unsigned char>(text[i]) | 0x20U) : '\0';
  };
  switch (lower(at + 1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return 2;
    case 'r':
    case 'v': return lower(at + 2) == 'e' ? 3 : 0;
    case 'l': return lower(at + 2) == 'l' ? 3 : 0;
    default: break;
  }
  return text.substr(at + 1).starts_with("\u017f") ? 3 : 0;  // U+017F, the long s, folds to s
}

/// Where the run of characters that satisfy `wanted` ends.
template <class Wanted>
std::size_t run_end(std::string_view text, std::size_t at, Wanted wanted) {
  for (Character c = character_at(text, at); c.bytes != 0 && wanted(c); c = character_at(text, at)) {
    at += c.bytes;
  }
  return at;
}

std::size_t numbers_end(std::string_view text, std::size_t at) {
  for (int count = 0; count < 3; ++count) {
    const Character c = character_at(text, at);
    if (c.bytes == 0 || c.kind != Kind::number) {
      break;
    }
    at += c.bytes;
  }
  return at;
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` at a space.
std::size_t white_space_end(std::string_view text, std::size_t at) {
  std::size_t after_line_end = 0;
  std::size_t last = at;  // where the run's last character begins
  std::size_t end = at;
  for (Character c = character_at(text, end); c.bytes != 0 && c.kind == Kind::space; c = character_at(text, end)) {
    last = end;
    end += c.bytes;
    if (is_line_end(c.code_point)) {
      after_line_end = end;
    }
  }
  if (after_line_end != 0) {
    return after_line_end;
  }
  return end == text.size() || last == at ? end : last;
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n]*`, with `/` among the line ends for o200k_base. `at`: of the first of the rest.
std::size_t rest_end(std::string_view text, std::size_t at, bool slash) {
  at = run_end(text, at, [](const Character& c) { return is_rest(c.kind); });
  return run_end(text, at,
                 [&](const Character& c) { return is_line_end(c.code_point) || (slash && c.code_point == '/'); });
}

std::size_t cl100k(std::string_view text, std::size_t at) {
  if (const std::size_t length = contraction(text, at)) {
    return length;
  }
  const Character c = character_at(text, at);
  const std::size_t after = at + c.bytes;
  const Character next = character_at(text, after);
  const auto letters = [](const Character& one) { return is_letter(one.kind); };
  if (is_letter(c.kind) || (!is_line_end(c.code_point) && c.kind != Kind::number && is_letter(next.kind))) {
    return run_end(text, after, letters) - at;
  }
  if (c.kind == Kind::number) {
    return numbers_end(text, at) - at;
  }
  if (is_rest(c.kind)) {
    return rest_end(text, at, false) - at;
  }
  if (c.code_point == ' ' && next.bytes != 0 && is_rest(next.kind)) {
    return rest_end(text, after, false) - at;
  }
  return white_space_end(text, at) - at;
}

struct Word {
  std::size_t end = 0;
  bool strong = false;  // holds what counts as lower; otherwise capitals alone, maybe none
};

/// `[Lu Lt Lm Lo M]*[Ll Lm Lo M]+` at `at`; where that fails, the capitals of `[Lu Lt Lm Lo M]+[Ll Lm Lo M]*`.
Word word_at(std::string_view text, std::size_t at) {
  std::size_t after_both = 0;
  std::size_t end = at;
  Character c = character_at(text, end);
  while (c.bytes != 0 && (c.kind == Kind::upper || c.kind == Kind::letter || c.kind == Kind::mark)) {
    end += c.bytes;
    if (c.kind != Kind::upper) {
      after_both = end;
    }
    c = character_at(text, end);
  }
  if (c.bytes != 0 && c.kind == Kind::lower) {
    const auto lower = [](const Character& one) {
      return one.kind == Kind::lower || one.kind == Kind::letter || one.kind == Kind::mark;
    };
    return {run_end(text, end, lower), true};
  }
  return after_both != 0 ? Word{after_both, true} : Word{end, false};
}

std::size_t o200k(std::string_view text, std::size_t at) {
  const Character c = character_at(text, at);
  const std::size_t after = at + c.bytes;
  std::size_t word_end = 0;
  if (is_letter(c.kind)) {
    word_end = word_at(text, at).end;
  } else if (!is_line_end(c.code_point) && c.kind != Kind::number) {
    const Word behind = word_at(text, after);
    if (behind.strong) {
      word_end = behind.end;
    } else if (c.kind == Kind::mark) {
      word_end = word_at(text, at).end;  // strong: it holds the mark
    } else if (behind.end > after) {
      word_end = behind.end;
    }
  }
  if (word_end != 0) {
    return word_end + contraction(text, word_end) - at;
  }
  if (c.kind == Kind::number) {
    return numbers_end(text, at) - at;
  }
  if (is_rest(c.kind)) {
    return rest_end(text, at, true) - at;
  }
  if (const Character next = character_at(text, after); c.code_point == ' ' && next.bytes != 0 && is_rest(next.kind)) {
    return rest_end(text, after, true) - at;
  }
  return white_space_end(text, at) - at;
}

}  // namespace

std::size_t piece_length(Encoding encoding, std::string_view text, std::size_t at) {
  return encoding == Encoding::cl100k_base ? cl100k(text, at) : o200k(text, at);
}

}  // namespace weir::tokens

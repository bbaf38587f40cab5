#include "ledger/money.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::ledger {
namespace {

constexpr int decimals = 12;
constexpr std::uint64_t one_dollar = 1'000'000'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::optional<Money> Money::parse(std::string_view dollars) {
  std::int64_t digits = 0;
  int scale = 0;  // decimals that were read
  bool any = false;
  bool after_point = false;
  std::size_t at = 0;
  for (; at < dollars.size(); ++at) {
    const char c = dollars[at];
    if (c == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (!is_digit(c)) {
      break;
    }
    any = true;
    if (__builtin_mul_overflow(digits, 10, &digits) || __builtin_add_overflow(digits, c - '0', &digits)) {
      return std::nullopt;
    }
    scale += after_point ? 1 : 0;
  }
  if (!any) {
    return std::nullopt;
  }
  if (at < dollars.size()) {
    if (dollars[at] != 'e' && dollars[at] != 'E') {
      return std::nullopt;
    }
    int exponent = 0;
    std::string_view text = dollars.substr(at + 1);
    if (text.starts_with('+')) {
      text.remove_prefix(1);
    }
    const auto read = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || exponent > 100 || exponent < -100) {
      return std::nullopt;
    }
    scale -= exponent;
  }
  for (; scale > decimals; --scale) {
    if (digits % 10 != 0) {
      return std::nullopt;  // finer than a picodollar
    }
    digits /= 10;
  }
  for (; scale < decimals && digits != 0; ++scale) {
    if (__builtin_mul_overflow(digits, 10, &digits)) {
      return std::nullopt;
    }
  }
  return picodollars(digits);
}

char* Money::write(char* at) const {
  std::uint64_t amount = static_cast<std::uint64_t>(amount_);
  if (amount_ < 0) {
    *at++ = '-';
    amount = 0 - amount;
  }
  at = std::to_chars(at, at + text_bytes_max, amount / one_dollar).ptr;
  std::uint64_t rest = amount % one_dollar;
  if (rest == 0) {
    return at;
  }
  *at++ = '.';
  std::array<char, decimals> fraction;
  int length = 0;
  for (std::uint64_t unit = one_dollar / 10; rest != 0; unit /= 10) {
    fraction[static_cast<std::size_t>(length++)] = static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return std::copy_n(fraction.begin(), length, at);
}

std::string Money::to_text() const {
  std::array<char, text_bytes_max> text;
  return {text.data(), write(text.data())};
}

}  // namespace weir::ledger

#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace weir::ledger {

/// An amount of US dollars in whole picodollars (1e-12), so that the price of every token is exact and sums have no
/// rounding. Holds 9.2 million dollars; beyond, it stays at that (a sum that large must not wrap into a debt).
class Money {
 public:
  constexpr Money() = default;
  static constexpr Money picodollars(std::int64_t amount) { return Money(amount); }
  /// "1", "0.60", "2.5e-06"; at most 12 decimals. Nothing for anything else, and for negative amounts.
  static std::optional<Money> parse(std::string_view dollars);
  static constexpr Money most() { return Money(std::numeric_limits<std::int64_t>::max()); }

  [[nodiscard]] constexpr std::int64_t in_picodollars() const { return amount_; }

  friend constexpr Money operator+(Money a, Money b) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a.amount_, b.amount_, &sum)) {
      return Money(b.amount_ < 0 ? std::numeric_limits<std::int64_t>::min() : most().amount_);
    }
    return Money(sum);
  }
  friend constexpr Money operator-(Money a, Money b) { return a + Money(-b.amount_); }
  constexpr Money& operator+=(Money other) { return *this = *this + other; }
  constexpr Money& operator-=(Money other) { return *this = *this - other; }
  friend constexpr Money operator*(Money a, std::int64_t count) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(a.amount_, count, &product) ? most() : Money(product);
  }
  friend constexpr auto operator<=>(Money, Money) = default;

  static constexpr std::size_t text_bytes_max = 24;
  /// Writes dollars without needless zeros, exactly: 0.00472. Gives the place behind; needs text_bytes_max bytes.
  char* write(char* at) const;
  /// The same.
  [[nodiscard]] std::string to_text() const;

 private:
  explicit constexpr Money(std::int64_t amount) : amount_(amount) {}
  std::int64_t amount_ = 0;
};

}  // namespace weir::ledger

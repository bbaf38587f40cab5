#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "platform/clock.hpp"

namespace date {
class time_zone;
}

namespace weir::ledger {

enum class PeriodLength : std::uint8_t { hour, day, week, month, year, forever };
std::string_view to_string(PeriodLength length);
std::optional<PeriodLength> parse_period_length(std::string_view word);

/// A span of time that begins anew, as people reckon it: a day of 23 or 25 hours where the clocks are changed.
///
/// A plain value; thread-safe.
class Period {
 public:
  /// `reset_day`: of a month 1 to 31 (its last day where it is shorter), of a week 1 (Monday) to 7; else 1. `zone`: a
  /// name of the IANA database, "Europe/Berlin"; fails with what is wrong.
  static Result<Period> make(PeriodLength length, int reset_day = 1, const std::string& zone = "UTC");

  struct Span {
    platform::WallTime begin;
    platform::WallTime end;  // the begin of the next
    friend bool operator==(const Span&, const Span&) = default;
  };
  /// The one that `at` lies in.
  [[nodiscard]] Span span_at(platform::WallTime at) const;

  [[nodiscard]] PeriodLength length() const { return length_; }
  [[nodiscard]] int reset_day() const { return reset_day_; }
  /// "UTC" where none was named.
  [[nodiscard]] const std::string& zone() const;
  friend bool operator==(const Period&, const Period&) = default;

 private:
  PeriodLength length_ = PeriodLength::forever;
  int reset_day_ = 1;
  const date::time_zone* zone_ = nullptr;  // lives as long as the process
};

}  // namespace weir::ledger

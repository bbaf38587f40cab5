#include "ledger/period.hpp"

#include <date/date.h>
#include <date/tz.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>

namespace weir::ledger {
namespace {

using std::chrono::days;

/// The day in that month, or its last one.
date::local_days day_of_month(date::year_month month, int day) {
  const date::year_month_day_last last(month.year(), month.month() / date::last);
  const auto wanted = date::day(static_cast<unsigned>(day));
  return date::local_days(date::year_month_day(month.year(), month.month(), std::min(wanted, last.day())));
}

constexpr std::array<std::string_view, 6> length_words = {"hour", "day", "week", "month", "year", "forever"};

}  // namespace

std::string_view to_string(PeriodLength length) {
  return length_words.at(static_cast<std::size_t>(length));
}

std::optional<PeriodLength> parse_period_length(std::string_view word) {
  const auto* const found = std::ranges::find(length_words, word);
  return found == length_words.end() ? std::nullopt
                                     : std::optional(static_cast<PeriodLength>(found - length_words.begin()));
}

const std::string& Period::zone() const {
  static const std::string utc = "UTC";
  return zone_ == nullptr ? utc : zone_->name();
}

Result<Period> Period::make(PeriodLength length, int reset_day, const std::string& zone) {
  const int most = length == PeriodLength::month ? 31 : length == PeriodLength::week ? 7 : 1;
  if (reset_day < 1 || reset_day > most) {
    return fail(Code::invalid_request, "the reset day is not between 1 and " + std::to_string(most));
  }
  Period period;
  period.length_ = length;
  period.reset_day_ = reset_day;
  try {
    period.zone_ = date::locate_zone(zone);
  } catch (const std::exception&) {  // how the library says that it has none of that name
    return fail(Code::invalid_request, "no time zone is named \"" + zone + "\"; write for example Europe/Berlin");
  }
  return period;
}

Period::Span Period::span_at(platform::WallTime at) const {
  // What does not exist, because the clocks skip it, begins where they go on; of what exists twice, the first counts.
  const auto instant = [&](date::local_days day) {
    return std::chrono::time_point_cast<platform::WallTime::duration>(
        zone_->to_sys(date::local_seconds(day), date::choose::earliest));
  };
  if (length_ == PeriodLength::forever) {
    return {platform::WallTime::min(), platform::WallTime::max()};
  }
  if (length_ == PeriodLength::hour) {
    const auto begin = std::chrono::floor<std::chrono::hours>(at);
    return {begin, begin + std::chrono::hours(1)};
  }
  const auto today = std::chrono::floor<days>(zone_->to_local(std::chrono::floor<std::chrono::seconds>(at)));
  date::local_days begin = today;
  date::local_days end = today + days(1);
  switch (length_) {
    case PeriodLength::week: {
      const unsigned weekday = date::weekday(today).iso_encoding();
      begin = today - days((weekday + 7 - static_cast<unsigned>(reset_day_)) % 7);
      end = begin + days(7);
      break;
    }
    case PeriodLength::month: {
      const date::year_month_day date(today);
      date::year_month month(date.year(), date.month());
      begin = day_of_month(month, reset_day_);
      if (begin > today) {
        month -= date::months(1);
        begin = day_of_month(month, reset_day_);
      }
      end = day_of_month(month + date::months(1), reset_day_);
      break;
    }
    case PeriodLength::year: {
      const date::year year = date::year_month_day(today).year();
      begin = date::local_days(year / date::January / 1);
      end = date::local_days((year + date::years(1)) / date::January / 1);
      break;
    }
    default: break;
  }
  return {instant(begin), instant(end)};
}

}  // namespace weir::ledger

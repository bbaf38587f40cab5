#include "ledger/period.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <sstream>

#include <date/date.h>

namespace weir::ledger {
namespace {

platform::WallTime at(const char* text) {
  platform::WallTime time{};
  std::istringstream in(text);
  in >> date::parse("%Y-%m-%dT%H:%M:%SZ", time);
  EXPECT_FALSE(in.fail()) << text;
  return time;
}

TEST(Period, begins_anew_as_people_reckon) {
  struct Case {
    PeriodLength length;
    int reset_day;
    const char* zone;
    const char* now;
    const char* begin;
    const char* end;
  };
  using enum PeriodLength;
  for (const Case& one : {
           Case{hour, 1, "UTC", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
           Case{day, 1, "UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
           // A day of 23 hours, and one of 25.
           Case{day, 1, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
           Case{day, 1, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
           // Midnight does not exist where the clocks are changed at that hour.
           Case{day, 1, "Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
           Case{week, 1, "UTC", "2026-11-21T09:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
           Case{week, 7, "UTC", "2026-11-21T09:00:00Z", "2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"},
           Case{week, 6, "UTC", "2026-11-21T09:00:00Z", "2026-11-21T00:00:00Z", "2026-11-28T00:00:00Z"},
           Case{month, 1, "America/New_York", "2026-11-01T03:00:00Z", "2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z"},
           Case{month, 15, "UTC", "2026-01-14T23:59:59Z", "2025-12-15T00:00:00Z", "2026-01-15T00:00:00Z"},
           // The last day of a month that is too short, in a leap year and in none.
           Case{month, 31, "UTC", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
           Case{month, 31, "UTC", "2028-02-28T23:00:00Z", "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"},
           Case{year, 1, "Asia/Tokyo", "2026-12-31T15:00:00Z", "2026-12-31T15:00:00Z", "2027-12-31T15:00:00Z"},
       }) {
    const auto period = Period::make(one.length, one.reset_day, one.zone);
    ASSERT_TRUE(period) << one.zone;
    EXPECT_EQ(period->span_at(at(one.now)), (Period::Span{at(one.begin), at(one.end)})) << one.now << " " << one.zone;
  }
}

TEST(Period, follows_period_without_a_gap) {
  std::mt19937_64 random(5);
  for (const char* zone : {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"}) {
    for (const PeriodLength length :
         {PeriodLength::hour, PeriodLength::day, PeriodLength::week, PeriodLength::month, PeriodLength::year}) {
      const auto period = Period::make(length, length == PeriodLength::month ? 30 : 1, zone);
      ASSERT_TRUE(period);
      for (int i = 0; i < 200; ++i) {
        const platform::WallTime now(std::chrono::seconds(1'700'000'000 + random() % 100'000'000));
        const Period::Span span = period->span_at(now);
        ASSERT_LE(span.begin, now);
        ASSERT_LT(now, span.end);
        ASSERT_EQ(period->span_at(span.end).begin, span.end);
        ASSERT_EQ(period->span_at(span.begin - std::chrono::microseconds(1)).end, span.begin);
      }
    }
  }
}

TEST(Period, refuses_what_there_is_not) {
  EXPECT_FALSE(Period::make(PeriodLength::month, 0));
  EXPECT_FALSE(Period::make(PeriodLength::month, 32));
  EXPECT_FALSE(Period::make(PeriodLength::week, 8));
  EXPECT_FALSE(Period::make(PeriodLength::day, 2));
  EXPECT_FALSE(Period::make(PeriodLength::day, 1, "Middle/Earth"));
  const auto forever = Period::make(PeriodLength::forever);
  ASSERT_TRUE(forever);
  EXPECT_EQ(forever->span_at(at("2026-11-21T00:00:00Z")).end, platform::WallTime::max());
}

}  // namespace
}  // namespace weir::ledger

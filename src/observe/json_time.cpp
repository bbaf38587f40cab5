#include "observe/json_time.hpp"

#include <array>
#include <charconv>

namespace weir::observe {

std::string rfc3339(platform::WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t at, std::size_t width, std::int64_t value) {
    for (std::size_t i = width; i > 0; --i, value /= 10) {
      text[at + i - 1] = static_cast<char>('0' + value % 10);
    }
  };
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, clock.hours().count());
  put(14, 2, clock.minutes().count());
  put(17, 2, clock.seconds().count());
  put(20, 3, clock.subseconds().count());
  return text;
}

char* write_milliseconds(char* at, platform::Duration duration) {
  std::int64_t microseconds = duration.count() / 1000;
  if (microseconds < 0) {
    *at++ = '-';  // a clock that jumped, told as it is
    microseconds = -microseconds;
  }
  at = std::to_chars(at, at + 20, microseconds / 1000).ptr;
  const auto part = static_cast<int>(microseconds % 1000);
  *at++ = '.';
  *at++ = static_cast<char>('0' + part / 100);
  *at++ = static_cast<char>('0' + part / 10 % 10);
  *at++ = static_cast<char>('0' + part % 10);
  return at;
}

std::string milliseconds(platform::Duration duration) {
  std::array<char, 24> text;
  return {text.data(), write_milliseconds(text.data(), duration)};
}

}  // namespace weir::observe

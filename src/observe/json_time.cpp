#include "observe/json_time.hpp"

#include <array>

#include "text/write_text.hpp"

namespace weir::observe {

char* write_rfc3339(char* at, platform::WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto of_day =
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::milliseconds>(time - day).count());  // below 2^27
  char* const end = text::write_text(at, "0000-00-00T00:00:00.000Z");
  const auto two = [at](std::size_t place, std::uint32_t value) {
    at[place] = static_cast<char>('0' + value / 10);
    at[place + 1] = static_cast<char>('0' + value % 10);
  };
  const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
  two(0, year / 100 % 100);
  two(2, year % 100);
  two(5, static_cast<unsigned>(date.month()));
  two(8, static_cast<unsigned>(date.day()));
  two(11, of_day / 3'600'000);
  two(14, of_day / 60'000 % 60);
  two(17, of_day / 1000 % 60);
  two(20, of_day % 1000 / 10);
  at[22] = static_cast<char>('0' + of_day % 10);
  return end;
}

std::string rfc3339(platform::WallTime time) {
  std::array<char, 24> text;
  return {text.data(), write_rfc3339(text.data(), time)};
}

namespace {

/// Takes the digits of a time one after the other.
class Digits {
 public:
  explicit Digits(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  /// A number of exactly that many digits, at most `most`.
  int number(std::size_t width, int most) {
    int value = 0;
    good_ = good_ && rest_.size() >= width;
    for (std::size_t i = 0; good_ && i < width; ++i) {
      good_ = rest_[i] >= '0' && rest_[i] <= '9';
      value = value * 10 + (rest_[i] - '0');
    }
    good_ = good_ && value <= most;
    rest_.remove_prefix(good_ ? width : 0);
    return good_ ? value : 0;
  }
  bool take(std::string_view any_of) {
    const bool there = good_ && !rest_.empty() && any_of.contains(rest_.front());
    rest_.remove_prefix(there ? 1 : 0);
    return there;
  }
  void need(std::string_view any_of) { good_ = take(any_of); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<platform::WallTime> parse_rfc3339(std::string_view text) {
  Digits digits(text);
  const int year = digits.number(4, 9999);
  digits.need("-");
  const int month = digits.number(2, 12);
  digits.need("-");
  const int day = digits.number(2, 31);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!digits.good() || !date.ok()) {
    return std::nullopt;
  }
  platform::WallTime time{std::chrono::sys_days(date)};
  if (digits.rest().empty()) {
    return time;
  }
  digits.need("Tt ");
  time += std::chrono::hours(digits.number(2, 23));
  digits.need(":");
  time += std::chrono::minutes(digits.number(2, 59));
  digits.need(":");
  time += std::chrono::seconds(digits.number(2, 60));  // 60: a leap second
  if (digits.take(".")) {
    std::chrono::microseconds unit{100'000};
    do {
      time += digits.number(1, 9) * unit;
      unit /= 10;
    } while (!digits.rest().empty() && digits.rest().front() >= '0' && digits.rest().front() <= '9');
  }
  if (!digits.take("Zz")) {
    const bool east = digits.take("+");
    if (!east) {
      digits.need("-");
    }
    const int hours = digits.number(2, 23);
    digits.need(":");
    const std::chrono::minutes offset(hours * 60 + digits.number(2, 59));
    time += east ? -offset : offset;
  }
  return digits.good() && digits.rest().empty() ? std::optional(time) : std::nullopt;
}

char* write_milliseconds(char* at, platform::Duration duration) {
  std::int64_t microseconds = duration.count() / 1000;
  if (microseconds < 0) {
    *at++ = '-';  // a clock that jumped, told as it is
    microseconds = -microseconds;
  }
  at = text::write_integer(at, microseconds / 1000);
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

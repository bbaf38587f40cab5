#include "gateway/rate_limit_headers.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace weir::gateway {

using limits::Unit;
using platform::Duration;

bool is_rate_limit_header(std::string_view name) {
  constexpr std::string_view prefix = "x-ratelimit-";
  return name.size() > prefix.size() && std::ranges::equal(name.substr(0, prefix.size()), prefix, {}, [](char c) {
           return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
         });
}

namespace {

char* write_reset(char* at, Duration duration) {
  constexpr std::ptrdiff_t digits_max = 20;
  const auto number = [&](std::int64_t value, char unit) {
    at = std::to_chars(at, at + digits_max, value).ptr;
    *at++ = unit;
  };
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Duration{})).count();
  if (milliseconds < 1000) {
    number(milliseconds, 'm');
    *at++ = 's';
    return at;
  }
  const std::int64_t hours = milliseconds / 3'600'000;
  if (hours > 0) {
    number(hours, 'h');
  }
  if (milliseconds >= 60'000) {
    number(milliseconds / 60'000 % 60, 'm');
  }
  const std::int64_t rest = milliseconds % 60'000;
  number(rest / 1000, '.');
  for (const std::int64_t digit : {rest / 100 % 10, rest / 10 % 10, rest % 10}) {
    *at++ = static_cast<char>('0' + digit);
  }
  while (at[-1] == '0') {
    --at;
  }
  at -= at[-1] == '.' ? 1 : 0;
  *at++ = 's';
  return at;
}

}  // namespace

std::string to_reset_text(Duration duration) {
  std::array<char, 32> text;
  return {text.data(), write_reset(text.data(), duration)};
}

void RateLimitHeaders::tell(const limits::Limiter::Ticket& ticket) {
  for (const Unit unit : {Unit::requests, Unit::tokens}) {
    if (const auto& standing = ticket.standing(unit)) {
      standings_[static_cast<std::size_t>(unit)] = standing;
    }
  }
}

void RateLimitHeaders::tell(const limits::Refusal& refusal) {
  if (refusal.window) {
    standings_[static_cast<std::size_t>(refusal.window->unit)] = {
        .limit = refusal.window->amount, .remaining = 0, .reset = refusal.retry_after.value_or(refusal.window->window)};
  }
}

void RateLimitHeaders::append_to(http::FieldLines& fields) const {
  struct Names {
    http::OwnName limit;
    http::OwnName remaining;
    http::OwnName reset;
  };
  static constexpr std::array<Names, 2> names_of = {
      Names{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
      Names{"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}};
  for (std::size_t unit = 0; unit < standings_.size(); ++unit) {
    if (const auto& standing = standings_[unit]) {
      const Names& names = names_of[unit];
      fields.add(names.limit, standing->limit);
      fields.add(names.remaining, standing->remaining);
      std::array<char, 32> text;
      fields.add(names.reset, std::string_view(text.data(), write_reset(text.data(), standing->reset)));
    }
  }
}

}  // namespace weir::gateway

#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "http/head_writer.hpp"
#include "limits/limiter.hpp"

namespace weir::gateway {

/// OpenAI's headers: x-ratelimit-limit-requests and so on. Plain value.
class RateLimitHeaders {
 public:
  /// In place of what was told before of the same unit.
  void tell(const limits::Limiter::Ticket& ticket);
  /// Nothing is left of the limit that refuses.
  void tell(const limits::Refusal& refusal);
  void append_to(http::FieldLines& fields) const;

 private:
  std::array<std::optional<limits::Standing>, 2> standings_;  // by unit
};

/// True for x-ratelimit-*, in any case.
bool is_rate_limit_header(std::string_view name);
/// As OpenAI writes durations: "6m0s", "1s", "7.66s", "120ms".
std::string to_reset_text(platform::Duration duration);

}  // namespace weir::gateway

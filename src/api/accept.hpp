#pragma once

#include <string_view>

#include "http/headers.hpp"

namespace weir::api {

/// How much the caller wants `type` ("application/json"), from 0 to 1000, by his Accept fields: the most specific range
/// that covers it decides. 1000 where he sent none. Source: RFC 9110 section 12.5.1.
[[nodiscard]] int quality_of(const http::Headers& headers, std::string_view type);

/// True where Prometheus' text is wanted more than JSON, which is what who does not say gets.
[[nodiscard]] bool wants_prometheus_text(const http::Headers& headers);

}  // namespace weir::api

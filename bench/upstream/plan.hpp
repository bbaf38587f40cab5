#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "upstream/request_parser.hpp"

namespace weir::mock_upstream {

/// How one request is answered.
struct Plan {
  bool stream = false;
  bool usage_event = false;  ///< stream_options.include_usage: one more event before [DONE]
  std::uint64_t events =
      2;  ///< of a stream, without the usage event and [DONE]: the role first, the finish reason last
  std::chrono::nanoseconds interval{
      0};  ///< between the events; the first two go at once, as a model's first token does
};

/// Events and interval come from the first that names them: the query (`?events=50&interval_ms=20`), the model's name
/// (`bench-50x20ms`), `defaults`. The body is searched for what matters, not parsed: the clients are our own benches.
Plan plan_for(const Request& request, const Plan& defaults);

}  // namespace weir::mock_upstream

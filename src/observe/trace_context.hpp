#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::observe {

/// What a caller's `traceparent` says. Source: W3C Trace Context level 2.
struct TraceContext {
  std::string trace_id;  // 32 lower-case hex digits, not all zero
  std::uint8_t flags = 0;
};

/// Nothing where the header is invalid: then there is no trace to continue.
std::optional<TraceContext> parse_traceparent(std::string_view header);

/// The header of an outgoing call: the same trace, a parent of its own.
std::string traceparent(const TraceContext& trace, std::uint64_t parent_id);

}  // namespace weir::observe

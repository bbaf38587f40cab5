#include "observe/trace_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::observe {

namespace {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_zero(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '0'; });
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  constexpr std::size_t length = 55;  // "00-" 32 "-" 16 "-" 2
  if (header.size() < length || header[2] != '-' || header[35] != '-' || header[52] != '-') {
    return std::nullopt;
  }
  const std::string_view version = header.substr(0, 2);
  const std::string_view trace_id = header.substr(3, 32);
  const std::string_view parent_id = header.substr(36, 16);
  const std::string_view flags = header.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace_id) || !is_hex(parent_id) || !is_hex(flags) || version == "ff" ||
      is_zero(trace_id) || is_zero(parent_id)) {
    return std::nullopt;
  }
  if (header.size() > length && (version == "00" || header[length] != '-')) {
    return std::nullopt;  // a later version may go on after a dash, this one may not
  }
  TraceContext trace{.trace_id = std::string(trace_id)};
  std::from_chars(flags.data(), flags.data() + flags.size(), trace.flags, 16);
  return trace;
}

std::string traceparent(const TraceContext& trace, std::uint64_t parent_id) {
  constexpr unsigned known_flags = 0x3;  // sampled, random trace id
  return fmt::format("00-{}-{:016x}-{:02x}", trace.trace_id, std::max<std::uint64_t>(parent_id, 1),
                     trace.flags & known_flags);
}

}  // namespace weir::observe

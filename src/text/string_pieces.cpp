#include "text/string_pieces.hpp"

#include <optional>

#include "text/json_value.hpp"

namespace weir::text {

namespace {

constexpr std::size_t unit_size = 6;  // \uXXXX

bool is_unit(std::string_view raw) {
  return raw.size() >= unit_size && raw[0] == '\\' && raw[1] == 'u';
}
/// \uD800 to \uDBFF.
bool is_high_half(std::string_view raw) {
  constexpr std::string_view high = "89abAB";
  return is_unit(raw) && (raw[2] == 'd' || raw[2] == 'D') && high.contains(raw[3]);
}

}  // namespace

StringPieces::Step StringPieces::step(std::string_view raw) {
  if (!half_.empty()) {
    const auto joined = is_unit(raw) ? unescape(half_.append(raw.substr(0, unit_size))) : std::nullopt;
    half_.clear();
    if (!joined) {
      return {.raw = 1, .broken = true};
    }
    unescaped_ = *joined;
    return {.raw = unit_size, .text = unescaped_};
  }
  if (raw[0] != '\\') {
    const std::string_view run = raw.substr(0, raw.find('\\'));
    return {.raw = run.size(), .text = run};
  }
  std::size_t size = is_unit(raw) ? unit_size : 2;
  if (is_high_half(raw)) {
    if (raw.size() == unit_size) {
      half_ = raw;
      return {.raw = raw.size()};
    }
    if (!is_unit(raw.substr(unit_size))) {
      return {.raw = 1, .broken = true};
    }
    size = 2 * unit_size;
  }
  const auto text = unescape(raw.substr(0, size));
  if (!text) {
    return {.raw = 1, .broken = true};
  }
  unescaped_ = *text;
  return {.raw = size, .text = unescaped_};
}

bool StringPieces::append(std::string_view raw, std::string& out) {
  while (!raw.empty()) {
    const Step read = step(raw);
    if (read.broken) {
      return false;
    }
    out.append(read.text);
    raw.remove_prefix(read.raw);
  }
  return true;
}

}  // namespace weir::text

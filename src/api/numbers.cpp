#include "api/numbers.hpp"

#include <fmt/format.h>

#include <cmath>

#include "text/json_value.hpp"

namespace weir::api {

observe::Cell sum_of(const observe::MetricShard& shard, const observe::MetricFamily& family,
                     const std::function<bool(const Labels&)>& take) {
  observe::Cell sum;
  const auto found = shard.families().find(&family);
  if (found != shard.families().end()) {
    for (const auto& [labels, cell] : found->second) {
      if (!take || take(labels)) {
        sum.merge(cell);
      }
    }
  }
  return sum;
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  if (json_.size() > 1) {
    json_ += ',';
  }
  text::append_json_string(json_, name);
  json_.append(":").append(json);
  return *this;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  std::string json;
  text::append_json_string(json, value);
  return raw(name, json);
}

JsonObject& JsonObject::number(std::string_view name, double value) {
  const bool whole = std::abs(value) < 9e15 && value == std::floor(value);
  return raw(name, whole ? fmt::format("{}", static_cast<std::int64_t>(value)) : fmt::format("{:.6g}", value));
}

}  // namespace weir::api

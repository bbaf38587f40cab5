#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/metrics.hpp"

/// What status pages need to read out of the metrics of all cores.
namespace weir::api {

using Labels = std::vector<std::string>;

/// The cells of a family whose labels `take` accepts, added up; a cell without anything where there are none.
[[nodiscard]] observe::Cell sum_of(const observe::MetricShard& shard, const observe::MetricFamily& family,
                                   const std::function<bool(const Labels&)>& take = {});

/// Writes one JSON object, member by member.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value);
  /// Without a fraction where it has none.
  JsonObject& number(std::string_view name, double value);
  JsonObject& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  /// JSON as it is.
  JsonObject& raw(std::string_view name, std::string_view json);
  [[nodiscard]] std::string str() const { return json_ + "}"; }

 private:
  std::string json_ = "{";
};

}  // namespace weir::api

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::app {

/// A JSON object whose members keep the words in which they were given: a number of thirty digits stays one. A plain
/// value.
class RawDocument {
 public:
  /// Nothing where `json` is no object.
  static std::optional<RawDocument> parse(std::string_view json);

  /// In place of the member that has this name, if there is one.
  void set(std::string_view name, std::string json);
  void set_text(std::string_view name, std::string_view text);
  /// A list of texts.
  void set_texts(std::string_view name, std::span<const std::string> texts);
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] std::string to_json() const;

 private:
  std::vector<std::pair<std::string, std::string>> members_;  // names with their quotes
};

}  // namespace weir::app

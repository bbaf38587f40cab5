#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "llm/usage.hpp"

namespace weir::openai {

/// Finds the usage of a reply that is too large to be held: reads its JSON as it passes, cut anywhere, and keeps only
/// the value of the top-level member `usage`.
///
/// It judges nothing: of text that is no JSON it finds a usage or none, and never fails. Bounded by `kept_bytes_max`.
/// Not thread-safe.
class UsageScanner {
 public:
  static constexpr std::size_t kept_bytes_max = std::size_t{16} << 10;  // a larger value is passed over

  void feed(std::string_view bytes);
  /// Of the last member of that name that was whole and an object.
  [[nodiscard]] const std::optional<llm::Usage>& usage() const { return usage_; }

 private:
  /// Gives the place behind what it read of a string.
  std::size_t read_string(std::string_view bytes, std::size_t at);
  void read_structure(char c);
  void end_value();

  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool key_expected_ = false;  // at the top level
  bool in_key_ = false;
  bool usage_named_ = false;  // by the last key
  bool keeping_ = false;
  std::string key_;
  std::string kept_;
  std::optional<llm::Usage> usage_;
};

}  // namespace weir::openai

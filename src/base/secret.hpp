#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace weir {

/// A value that must not be shown: formats as `[secret]` whatever prints it. `reveal()` is the one way in,
/// so that a search for it finds each place where the value leaves.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace weir

template <>
struct fmt::formatter<weir::Secret> : fmt::formatter<fmt::string_view> {
  auto format(const weir::Secret&, fmt::format_context& context) const {
    return fmt::formatter<fmt::string_view>::format("[secret]", context);
  }
};

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// Counts what the runs about money, limits and deaths reached, so that what no seed reaches is a failure.
class MoneyStates {
 public:
  void count(std::string_view state, std::uint64_t times = 1) { counts_[std::string(state)] += times; }
  [[nodiscard]] std::uint64_t of(std::string_view state) const;
  void merge(const MoneyStates& other);
  [[nodiscard]] std::string table() const;
  /// States that can happen and did not.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  static const std::vector<std::string_view>& possible();
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace weir::sim

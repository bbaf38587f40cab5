#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/price_table.hpp"
#include "ledger/prices.hpp"
#include "platform/clock.hpp"

namespace weir::ledger {

/// What each target costs: the operator's own prices first, then the built-in table.
///
/// Immutable; shared by all cores as a part of the configuration in use.
class PriceBook {
 public:
  /// Rates in place of the others between two times of each day, UTC; `to` is not part of it, and may be tomorrow's.
  struct OffPeak {
    std::chrono::minutes from{};
    std::chrono::minutes to{};
    Rates rates;
    [[nodiscard]] bool covers(platform::WallTime at) const;
    friend bool operator==(const OffPeak&, const OffPeak&) = default;
  };
  /// Prices that the operator set. Each stands for the whole price of a target: nothing of the built-in table is mixed
  /// in.
  struct Rule {
    std::string pattern;  // "provider/model"; a * stands for anything
    Rates rates;
    std::vector<ModelPrice::Special> tiers{};   // rates of a tier, each in place of those above
    std::optional<std::chrono::sys_days> from;  // the first day, UTC; before it the rule does not exist
    std::optional<OffPeak> off_peak{};
    friend bool operator==(const Rule&, const Rule&) = default;
  };
  struct Source {
    std::string company;   // of the built-in table; empty: none, its prices are unknown
    bool is_free = false;  // the mock
    friend bool operator==(const Source&, const Source&) = default;
  };
  using Sources = std::map<std::string, Source, std::less<>>;  // by the provider's name

  PriceBook(std::vector<Rule> rules, Sources sources, PriceTable table = PriceTable::built_in());

  /// `target`: "provider/model". Nothing: the price is unknown.
  [[nodiscard]] std::optional<ModelPrice> find(std::string_view target, platform::WallTime at) const;
  /// The begin of the span of time around `at` in which no answer changes.
  [[nodiscard]] platform::WallTime span_of(platform::WallTime at) const;
  /// What the operator set.
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;
  Sources sources_;
  PriceTable table_;
  bool by_the_hour_ = false;  // some prices change within a day
};

/// True if `text` is what `pattern` says; a * in it stands for any text, also none.
bool matches(std::string_view pattern, std::string_view text);

/// Answers of a PriceBook, remembered: a look-up costs a microsecond, and every attempt needs one. Belongs to one loop;
/// bounded.
class PriceCache {
 public:
  /// From now on this book answers.
  void use(std::shared_ptr<const PriceBook> book);
  /// Null: unknown.
  std::shared_ptr<const ModelPrice> find(const std::string& target, platform::WallTime at);

 private:
  static constexpr std::size_t entries_max = 2048;  // names can be made up by callers where any model is forwarded

  std::shared_ptr<const PriceBook> book_;
  platform::WallTime span_{};  // of the answers: prices change with a day, or within it
  std::unordered_map<std::string, std::shared_ptr<const ModelPrice>> known_;
};

}  // namespace weir::ledger

#pragma once

#include <optional>
#include <string_view>

#include "ledger/prices.hpp"

namespace weir::ledger {

/// The built-in prices: the lines of model_prices.tsv as they stand in the binary, sorted by name. Nothing is read into
/// memory; a look-up is a binary search in the text.
class PriceTable {
 public:
  /// `lines`: in the form that tools/make_price_table.py writes; outlives the table.
  explicit PriceTable(std::string_view lines) : lines_(lines) {}
  /// The table of this build.
  static PriceTable built_in();

  /// The entry of exactly that name, if it is of that company.
  [[nodiscard]] std::optional<ModelPrice> entry(std::string_view name, std::string_view company) const;

  /// What `company` (a word of the table's second column: openai, groq, together_ai ...) takes for a model, by the
  /// names that it may stand under: with the company before it, bare, of a fine-tuned model its base, and without the
  /// date of a release. Never another company's, and never a similar name's.
  [[nodiscard]] std::optional<ModelPrice> find(std::string_view company, std::string_view model) const;

  [[nodiscard]] std::string_view lines() const { return lines_; }

 private:
  std::string_view lines_;
};

/// One line. Nothing if it is malformed.
std::optional<ModelPrice> parse_price_line(std::string_view line);

}  // namespace weir::ledger

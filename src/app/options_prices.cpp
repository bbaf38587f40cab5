#include "app/options_table.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <tuple>
#include <utility>

namespace weir::app {

using settings::Type;

void add_price_options(OptionTable& table) {
  table.push_back({.path = "prices",
                   .sentence = "US dollars per million tokens, before the built-in table; a * in a name stands for "
                               "anything, an exact name wins. What has no price has an unknown cost, never zero."});
  table.push_back({.path = "prices.*", .sentence = "All prices of one target, provider/model."});
  struct Row {
    const char* name;
    const char* sentence;
    const char* example;
  };
  static constexpr std::array rows{
      Row{"input", "Tokens sent.", "2.50"},
      Row{"cached_input", "Tokens sent that the provider had cached; else they cost what input does.", "1.25"},
      Row{"cache_write", "Tokens that the provider put into its cache; else they cost what input does.", "3.75"},
      Row{"cache_write_1h", "Those that it keeps there for an hour; else they cost what cache_write does.", "6.00"},
      Row{"audio_input", "Tokens sent as audio; else the cost of an answer to them is unknown.", "40.00"},
      Row{"image_input", "Tokens sent as images; else they cost what input does.", "2.50"},
      Row{"output", "Tokens generated.", "10.00"},
      Row{"reasoning", "Tokens generated as thoughts; else they cost what output does.", "12.00"},
      Row{"audio_output", "Tokens generated as audio; else the cost of them is unknown.", "80.00"},
      Row{"image_output", "Tokens generated as images; likewise.", "40.00"}};
  const auto add_rates = [&](const std::string& path) {
    for (const Row& row : rows) {
      table.push_back({.path = path + row.name,
                       .type = Type::number,
                       .form = "US dollars",
                       .min = "0",
                       .max = "1000",
                       .sentence = row.sentence,
                       .example = row.example});
    }
  };
  add_rates("prices.*.");
  for (const auto& [tier, sentence] :
       {std::pair{"flex", "Prices of calls that the provider served as flex, each in place of the one above."},
        std::pair{"priority", "Likewise of those it served with priority."},
        std::pair{"batch", "Likewise of those it served as a batch."}}) {
    table.push_back({.path = std::string("prices.*.") + tier, .sentence = sentence});
    add_rates(fmt::format("prices.*.{}.", tier));
  }
  table.push_back({.path = "prices.*.off_peak",
                   .sentence = "Prices between two times of each day, each in place of the one above."});
  add_rates("prices.*.off_peak.");
  for (const auto& [name, sentence, example] :
       {std::tuple{"from", "When they begin to hold, in UTC: the call's first byte counts.", "16:30"},
        std::tuple{"to", "When they cease to; before `from` means on the next day.", "00:30"}}) {
    table.push_back({.path = std::string("prices.*.off_peak.") + name,
                     .type = Type::text,
                     .form = "HH:MM",
                     .sentence = sentence,
                     .example = example});
  }
  table.push_back({.path = "prices.*.from",
                   .type = Type::text,
                   .form = "YYYY-MM-DD",
                   .sentence = "The first day, in UTC, on which these prices hold; before it, what else is known does.",
                   .example = "2026-07-01"});
}

}  // namespace weir::app

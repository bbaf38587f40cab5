#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/money.hpp"
#include "llm/usage.hpp"

namespace weir::ledger {

/// The level of service that a provider says it gave (`service_tier` of its reply).
enum class Tier : std::uint8_t { standard, batch, flex, priority };
/// OpenAI's words; what is not known is standard. `fast` is another name for priority.
Tier tier_of(std::string_view word);
std::string_view to_string(Tier tier);

/// What one token of each kind costs. An absent price is not zero: cached and written input and images in it then cost
/// what input costs, what is written for an hour what is written for less, reasoning what output costs. Without a price
/// of input or output, or of audio or generated images that are there, the cost is unknown.
struct Rates {
  std::optional<Money> input;
  std::optional<Money> cached_input;
  std::optional<Money> cache_write;
  std::optional<Money> cache_write_hour{};
  std::optional<Money> audio_input{};
  std::optional<Money> image_input{};
  std::optional<Money> output;
  std::optional<Money> reasoning;
  std::optional<Money> audio_output{};
  std::optional<Money> image_output{};
  friend bool operator==(const Rates&, const Rates&) = default;
};

/// What `first` says, and `then` where it says nothing: one price of output stands for thoughts too, and one of writing
/// for an hour's.
Rates over(const Rates& first, const Rates& then);

/// All prices of one model. A plain value.
struct ModelPrice {
  /// Rates that replace those of the base, each for itself, for a tier or for long prompts. The whole request is
  /// charged at them, not only what stands above the threshold.
  struct Special {
    Tier tier = Tier::standard;
    std::int64_t prompt_min = 0;             // applies from so many prompt tokens
    std::optional<std::int64_t> prompt_max;  // of a band
    Rates rates;
    friend bool operator==(const Special&, const Special&) = default;
  };
  std::string name;  // the entry of the table, or the pattern of the config
  Rates base;
  std::vector<Special> specials;
  std::optional<Rates> other_hours{};             // the base at other times of the day, where it changes with them
  std::optional<std::int64_t> input_tokens_max;   // what the model takes
  std::optional<std::int64_t> output_tokens_max;  // what it gives

  /// The rates that one request is charged at.
  [[nodiscard]] Rates rates_for(std::int64_t prompt_tokens, Tier tier) const {
    return rates_for(prompt_tokens, tier, base);
  }
  /// The same with another base.
  [[nodiscard]] Rates rates_for(std::int64_t prompt_tokens, Tier tier, const Rates& with_base) const;
};

/// What a usage costs; nothing where it cannot be known, because a count or a price is missing. Exact.
std::optional<Money> cost_of(const ModelPrice& price, const llm::Usage& usage, Tier tier = Tier::standard);

/// The most that a call can cost: each token at the dearest of the rates that it may turn out to have.
std::optional<Money> worst_cost(const ModelPrice& price, std::int64_t input_tokens, std::int64_t output_tokens);

}  // namespace weir::ledger

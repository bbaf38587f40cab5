#include "ledger/prices.hpp"

#include <algorithm>
#include <span>

namespace weir::ledger {
namespace {

/// 128 bits hold any sum of 64-bit products of counts and prices.
using Wide = __int128;

Wide times(std::int64_t count, Money price) {
  return static_cast<Wide>(count) * price.in_picodollars();
}

Money narrowed(Wide amount) {
  return amount > Money::most().in_picodollars() ? Money::most()
                                                 : Money::picodollars(static_cast<std::int64_t>(amount));
}

std::int64_t at_most(std::optional<std::int64_t> count, std::int64_t limit) {
  return std::clamp(count.value_or(0), std::int64_t{0}, limit);
}

/// From the first that says most about a request to the last; null: none.
Rates merged(std::span<const Rates* const> chain) {
  Rates rates;
  const auto take = [](std::optional<Money>& price, const std::optional<Money>& offered) {
    if (!price) {
      price = offered;
    }
  };
  for (const Rates* offered : chain) {
    if (offered == nullptr) {
      continue;
    }
    if (!rates.output) {
      // A set with a price of its own for output and none for thoughts means the former for both.
      rates.reasoning = offered->reasoning ? offered->reasoning : rates.reasoning;
      rates.reasoning = rates.reasoning ? rates.reasoning : offered->output;
    }
    if (!rates.cache_write) {
      // Likewise: who tells a price of its own for writing and none for an hour means it for both.
      take(rates.cache_write_hour, offered->cache_write_hour ? offered->cache_write_hour : offered->cache_write);
    }
    take(rates.input, offered->input);
    take(rates.cached_input, offered->cached_input);
    take(rates.cache_write, offered->cache_write);
    take(rates.audio_input, offered->audio_input);
    take(rates.image_input, offered->image_input);
    take(rates.output, offered->output);
    take(rates.audio_output, offered->audio_output);
    take(rates.image_output, offered->image_output);
  }
  return rates;
}

}  // namespace

Tier tier_of(std::string_view word) {
  if (word == "priority" || word == "fast") {
    return Tier::priority;
  }
  return word == "flex" ? Tier::flex : word == "batch" ? Tier::batch : Tier::standard;
}

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::standard: return "standard";
    case Tier::batch: return "batch";
    case Tier::flex: return "flex";
    case Tier::priority: return "priority";
  }
  return "standard";
}

Rates over(const Rates& first, const Rates& then) {
  const Rates* const chain[2] = {&first, &then};
  return merged(chain);
}

Rates ModelPrice::rates_for(std::int64_t prompt_tokens, Tier tier, const Rates& with_base) const {
  // From the one that says most about this request to the base: of the sets with a threshold that is reached, the
  // highest; before it the same for the tier.
  const auto highest = [&](Tier wanted, bool threshold) {
    const Special* best = nullptr;
    for (const Special& special : specials) {
      if (special.tier == wanted && (special.prompt_min > 0 || special.prompt_max) == threshold &&
          prompt_tokens >= special.prompt_min && (!special.prompt_max || prompt_tokens <= *special.prompt_max) &&
          (best == nullptr || special.prompt_min > best->prompt_min)) {
        best = &special;
      }
    }
    return best != nullptr ? &best->rates : nullptr;
  };
  const Rates* chain[4] = {tier == Tier::standard ? nullptr : highest(tier, true), highest(Tier::standard, true),
                           tier == Tier::standard ? nullptr : highest(tier, false), &with_base};
  return merged(chain);
}

std::optional<Money> cost_of(const ModelPrice& price, const llm::Usage& usage, Tier tier) {
  if (!usage.input_tokens) {
    return std::nullopt;
  }
  const std::int64_t input = std::max(*usage.input_tokens, std::int64_t{0});
  const Rates rates = price.rates_for(input, tier);
  if (!rates.input) {
    return std::nullopt;
  }
  const std::int64_t cached = at_most(usage.cached_input_tokens, input);
  const std::int64_t written = at_most(usage.cache_write_tokens, input - cached);
  const std::int64_t hour = at_most(usage.cache_write_hour_tokens, written);
  // What was cached may have been audio or images too: what is left of the prompt is filled with them, then with text.
  std::int64_t text = input - cached - written;
  const std::int64_t audio = at_most(usage.audio_input_tokens, text);
  const std::int64_t images = at_most(usage.image_input_tokens, text - audio);
  text -= audio + images;
  if (audio > 0 && !rates.audio_input) {
    return std::nullopt;
  }
  const Money write_price = rates.cache_write.value_or(*rates.input);
  Wide sum = times(text, *rates.input) + times(cached, rates.cached_input.value_or(*rates.input)) +
             times(written - hour, write_price) + times(hour, rates.cache_write_hour.value_or(write_price)) +
             times(audio, rates.audio_input.value_or(Money{})) +
             times(images, rates.image_input.value_or(*rates.input));
  const bool output_is_free = rates.output && *rates.output == Money{};
  if (!usage.output_tokens) {
    // Embeddings tell none, and cost none.
    return output_is_free ? std::optional(narrowed(sum)) : std::nullopt;
  }
  const std::int64_t output = std::max(*usage.output_tokens, std::int64_t{0});
  const std::int64_t spoken = at_most(usage.audio_output_tokens, output);
  const std::int64_t drawn = at_most(usage.image_output_tokens, output - spoken);
  const std::int64_t thoughts = at_most(usage.reasoning_tokens, output - spoken - drawn);
  const std::int64_t written_text = output - spoken - drawn - thoughts;
  if ((written_text + thoughts > 0 && !rates.output) || (spoken > 0 && !rates.audio_output) ||
      (drawn > 0 && !rates.image_output)) {
    return std::nullopt;
  }
  const Money plain = rates.output.value_or(Money{});
  sum += times(written_text, plain) + times(thoughts, rates.reasoning.value_or(plain)) +
         times(spoken, rates.audio_output.value_or(Money{})) + times(drawn, rates.image_output.value_or(Money{}));
  return narrowed(sum);
}

std::optional<Money> worst_cost(const ModelPrice& price, std::int64_t input_tokens, std::int64_t output_tokens) {
  std::optional<Money> worst;
  const auto or_none = [](const std::optional<Money>& rate) { return rate.value_or(Money{}); };
  for (const Rates* base : {&price.base, price.other_hours ? &*price.other_hours : nullptr}) {
    if (base == nullptr) {
      continue;
    }
    // The tier is the caller's to ask for: priority is the dearest.
    for (const Tier tier : {Tier::standard, Tier::priority}) {
      const Rates rates = price.rates_for(input_tokens, tier, *base);
      if (!rates.input || (!rates.output && output_tokens > 0)) {
        return std::nullopt;
      }
      const Money input =
          std::max({*rates.input, or_none(rates.cached_input), or_none(rates.cache_write),
                    or_none(rates.cache_write_hour), or_none(rates.audio_input), or_none(rates.image_input)});
      const Money output = std::max(
          {or_none(rates.output), or_none(rates.reasoning), or_none(rates.audio_output), or_none(rates.image_output)});
      const Money cost = narrowed(times(std::max(input_tokens, std::int64_t{0}), input) +
                                  times(std::max(output_tokens, std::int64_t{0}), output));
      worst = std::max(worst.value_or(Money{}), cost);
    }
  }
  return worst;
}

}  // namespace weir::ledger

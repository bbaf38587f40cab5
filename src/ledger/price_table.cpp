#include "ledger/price_table.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#ifdef WEIR_PRICE_TABLE
asm(R"(
  .section .rodata.weir_prices, "a", @progbits
  .globl weir_prices_begin, weir_prices_end
  .hidden weir_prices_begin, weir_prices_end
weir_prices_begin:
  .incbin ")" WEIR_PRICE_TABLE R"("
weir_prices_end:
  .text
)");
extern "C" {
extern const char weir_prices_begin[];
extern const char weir_prices_end[];
}
#endif

namespace weir::ledger {
namespace {

/// Takes what stands before `separator` off the text.
std::string_view next(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<Rates> parse_rates(std::string_view text) {
  Rates rates;
  while (!text.empty()) {
    const std::string_view field = next(text, ' ');
    if (field.size() < 3 || field[1] != '=') {
      return std::nullopt;
    }
    const auto per_million = Money::parse(field.substr(2));
    if (!per_million || per_million->in_picodollars() % 1'000'000 != 0) {
      return std::nullopt;
    }
    const Money price = Money::picodollars(per_million->in_picodollars() / 1'000'000);
    switch (field[0]) {
      case 'i': rates.input = price; break;
      case 'c': rates.cached_input = price; break;
      case 'w': rates.cache_write = price; break;
      case 'h': rates.cache_write_hour = price; break;
      case 'a': rates.audio_input = price; break;
      case 'p': rates.image_input = price; break;
      case 'o': rates.output = price; break;
      case 'r': rates.reasoning = price; break;
      case 's': rates.audio_output = price; break;
      case 'q': rates.image_output = price; break;
      default: return std::nullopt;
    }
  }
  return rates;
}

std::optional<ModelPrice::Special> parse_special(std::string_view text) {
  ModelPrice::Special special;
  const auto colon = text.find(": ");
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto rates = parse_rates(text.substr(colon + 2));
  if (!rates) {
    return std::nullopt;
  }
  special.rates = *rates;
  std::string_view condition = text.substr(0, colon);
  while (!condition.empty()) {
    std::string_view word = next(condition, ' ');
    if (word.starts_with("(")) {
      word.remove_prefix(1);
      const auto low = integer(next(word, ','));
      const auto high = word.ends_with(']') ? integer(word.substr(0, word.size() - 1)) : std::nullopt;
      if (!low || !high) {
        return std::nullopt;
      }
      special.prompt_min = *low == 0 ? 0 : *low + 1;
      special.prompt_max = *high;
    } else if (word.starts_with(">")) {
      const bool reached = word.starts_with(">=");
      const auto threshold = integer(word.substr(reached ? 2 : 1));
      if (!threshold) {
        return std::nullopt;
      }
      special.prompt_min = *threshold + (reached ? 0 : 1);
    } else {
      special.tier = tier_of(word);
    }
  }
  return special;
}

/// What companies take for a batch where the table does not say, for long prompts too: half of the price of input and
/// output.
void add_batches_at_half(ModelPrice& price) {
  using Special = ModelPrice::Special;
  const auto half = [](const std::optional<Money>& rate) {
    return rate ? std::optional(Money::picodollars((rate->in_picodollars() + 1) / 2)) : std::nullopt;
  };
  const auto add = [&](Special batch) {
    const auto is_told = [&](const Special& told) {
      return told.tier == Tier::batch && told.prompt_min == batch.prompt_min && told.prompt_max == batch.prompt_max;
    };
    if (std::ranges::none_of(price.specials, is_told)) {
      batch.rates = {.input = half(batch.rates.input),
                     .output = half(batch.rates.output),
                     .reasoning = half(batch.rates.reasoning)};
      price.specials.push_back(std::move(batch));
    }
  };
  add({.tier = Tier::batch, .prompt_max = std::nullopt, .rates = price.base});
  const std::vector<Special> specials = price.specials;
  for (const Special& special : specials) {
    if (special.tier == Tier::standard) {
      add({.tier = Tier::batch,
           .prompt_min = special.prompt_min,
           .prompt_max = special.prompt_max,
           .rates = special.rates});
    }
  }
}

/// "fireworks_ai-embedding-models", "cohere_chat" and "text-completion-openai" are of fireworks_ai, cohere and openai.
bool is_of(std::string_view owner, std::string_view company) {
  constexpr std::string_view legacy = "text-completion-";
  if (owner.starts_with(legacy) && !company.starts_with(legacy)) {
    owner.remove_prefix(legacy.size());
  }
  if (company.empty() || !owner.starts_with(company)) {
    return false;
  }
  const std::string_view rest = owner.substr(company.size());
  return rest.empty() || rest.starts_with('-') || rest == "_chat" || rest == "_text";
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Without `-2024-08-06`, `-20250929` or `@20250929` at its end; the same where there is none.
std::string_view undated(std::string_view model) {
  const auto cut = [&](std::size_t length) { return model.substr(0, model.size() - length); };
  if (model.size() > 11) {
    const std::string_view end = model.substr(model.size() - 11);
    if (end[0] == '-' && is_digits(end.substr(1, 4)) && end[5] == '-' && is_digits(end.substr(6, 2)) && end[8] == '-' &&
        is_digits(end.substr(9))) {
      return cut(11);
    }
  }
  if (model.size() > 9) {
    const std::string_view end = model.substr(model.size() - 9);
    if ((end[0] == '-' || end[0] == '@') && is_digits(end.substr(1)) && end.substr(1).starts_with("20")) {
      return cut(9);
    }
  }
  return model;
}

}  // namespace

std::optional<ModelPrice> parse_price_line(std::string_view line) {
  ModelPrice price;
  price.name = next(line, '\t');
  next(line, '\t');  // the company
  price.input_tokens_max = integer(next(line, '\t'));
  price.output_tokens_max = integer(next(line, '\t'));
  const auto base = parse_rates(next(line, '\t'));
  if (!base || price.name.empty()) {
    return std::nullopt;
  }
  price.base = *base;
  while (!line.empty()) {
    auto special = parse_special(next(line, '\t'));
    if (!special) {
      return std::nullopt;
    }
    price.specials.push_back(std::move(*special));
  }
  ModelPrice::Special* last_band = nullptr;
  for (ModelPrice::Special& special : price.specials) {
    if (special.prompt_max && (last_band == nullptr || special.prompt_min > last_band->prompt_min)) {
      last_band = &special;
    }
  }
  if (last_band != nullptr) {
    last_band->prompt_max = std::numeric_limits<std::int64_t>::max();  // above the last band its rates go on
  }
  add_batches_at_half(price);
  return price;
}

PriceTable PriceTable::built_in() {
#ifdef WEIR_PRICE_TABLE
  return PriceTable({weir_prices_begin, weir_prices_end});
#else
  return PriceTable({});
#endif
}

std::optional<ModelPrice> PriceTable::entry(std::string_view name, std::string_view company) const {
  // Between `low` and `high` whole lines only.
  std::size_t low = 0;
  std::size_t high = lines_.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto before = lines_.rfind('\n', middle == 0 ? 0 : middle - 1);
    const std::size_t begin = middle == 0 || before == std::string_view::npos || before < low ? low : before + 1;
    const std::size_t end = std::min(lines_.find('\n', middle), lines_.size());
    const std::string_view line = lines_.substr(begin, end - begin);
    const auto tab = line.find('\t');
    const std::string_view found = line.substr(0, tab);
    if (found == name) {
      std::string_view rest = line.substr(std::min(tab + 1, line.size()));
      return is_of(next(rest, '\t'), company) ? parse_price_line(line) : std::nullopt;
    }
    if (found < name) {
      low = end + 1;
    } else {
      high = begin;
    }
  }
  return std::nullopt;
}

std::optional<ModelPrice> PriceTable::find(std::string_view company, std::string_view model) const {
  std::string_view base = model;
  if (base.starts_with("ft:")) {
    base = base.substr(0, base.find(':', 3));
  }
  std::string with_company;
  for (const std::string_view name : {model, base, undated(base)}) {
    with_company.assign(company).append("/").append(name);
    for (const std::string_view key : {std::string_view(with_company), name}) {
      if (auto price = entry(key, company)) {
        return price;
      }
    }
  }
  return std::nullopt;
}

}  // namespace weir::ledger

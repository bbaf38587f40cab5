#include "app/config_builder.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "settings/url.hpp"

namespace weir::app {

namespace {

using ledger::Money;
using ledger::PriceBook;
using ledger::Rates;
using ledger::Tier;
using settings::Node;
using settings::Report;
using settings::Section;

/// The word under which the built-in prices know the company behind a preset.
std::string company_of_preset(std::string_view preset) {
  if (preset == "together") {
    return "together_ai";
  }
  if (preset == "fireworks") {
    return "fireworks_ai";
  }
  return preset == "nvidia" ? "nvidia_nim" : std::string(preset);
}

/// Whose prices a provider has: by where it is, because a preset may be used for a server of one's own.
PriceBook::Source source_of(const ProviderConfig& provider) {
  if (provider.dialect == "mock") {
    return {.company = {}, .is_free = true};
  }
  for (const providers::Preset& preset : providers::all_presets()) {
    if (!preset.needs_key || preset.base_url.empty()) {
      continue;  // a server of one's own: what it costs is unknown
    }
    const auto url = settings::parse_url(preset.base_url);
    if (url && url->host == provider.base_url.host) {
      return {.company = company_of_preset(preset.word)};
    }
  }
  return {};
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
    return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = -1;
    const auto read = std::from_chars(text.data() + at, text.data() + at + length, value);
    return read.ec == std::errc{} && read.ptr == text.data() + at + length ? value : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

/// Exact: through decimal digits, never through a double.
std::optional<Money> per_token(const Section& prices, const char* name, Report& report) {
  const Node* const node = prices.node(name);
  if (node == nullptr) {
    return std::nullopt;
  }
  const auto per_million = Money::parse(node->text);
  if (!per_million || per_million->in_picodollars() % 1'000'000 != 0) {
    report.error(node->origin, prices.path() + "." + name,
                 fmt::format("\"{}\" is no price per million tokens: write dollars with at most six decimals, "
                             "for example 2.50",
                             node->shown()));
    return std::nullopt;
  }
  return Money::picodollars(per_million->in_picodollars() / 1'000'000);
}

Rates rates_of(const Section& one, Report& report) {
  return {.input = per_token(one, "input", report),
          .cached_input = per_token(one, "cached_input", report),
          .cache_write = per_token(one, "cache_write", report),
          .cache_write_hour = per_token(one, "cache_write_1h", report),
          .audio_input = per_token(one, "audio_input", report),
          .image_input = per_token(one, "image_input", report),
          .output = per_token(one, "output", report),
          .reasoning = per_token(one, "reasoning", report),
          .audio_output = per_token(one, "audio_output", report),
          .image_output = per_token(one, "image_output", report)};
}

std::optional<std::chrono::minutes> parse_time_of_day(std::string_view text) {
  const auto digits = [&](std::size_t at) {
    const bool good = text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' && text[at + 1] <= '9';
    return good ? (text[at] - '0') * 10 + (text[at + 1] - '0') : 99;
  };
  if (text.size() != 5 || text[2] != ':' || digits(0) > 23 || digits(3) > 59) {
    return std::nullopt;
  }
  return std::chrono::hours(digits(0)) + std::chrono::minutes(digits(3));
}

std::optional<PriceBook::OffPeak> off_peak_of(const Section& one, Report& report) {
  const Node* const node = one.node("off_peak");
  if (node == nullptr || node->kind != Node::Kind::map) {
    return std::nullopt;
  }
  const Section section = one.at("off_peak");
  PriceBook::OffPeak made{.rates = rates_of(section, report)};
  for (const auto& [name, into] : {std::pair{"from", &made.from}, {"to", &made.to}}) {
    const Node* const time = section.node(name);
    const auto read = time == nullptr ? std::nullopt : parse_time_of_day(time->text);
    if (!read) {
      report.error(time == nullptr ? node->origin : time->origin, section.path() + "." + name,
                   time == nullptr ? std::string("is missing; write a time of day in UTC, 16:30")
                                   : fmt::format("\"{}\" is no time of day; write it as 16:30", time->shown()));
      return std::nullopt;
    }
    *into = *read;
  }
  if (made.from == made.to) {
    report.error(node->origin, section.path(), "begins when it ends: the prices beside it hold all day");
  }
  return made;
}

}  // namespace

void build_prices(const Section& root, Report& report, Config& config) {
  PriceBook::Sources sources;
  for (const ProviderConfig& provider : config.providers) {
    sources.emplace(provider.name, source_of(provider));
  }
  std::vector<PriceBook::Rule> rules;
  const Section all = root.at("prices");
  if (const Node* node = root.node("prices")) {
    for (const settings::Entry& entry : node->entries) {
      if (entry.value.bad || entry.value.kind != Node::Kind::map) {
        continue;
      }
      const Section one = all.named(entry.key);
      PriceBook::Rule rule{.pattern = entry.key, .rates = rates_of(one, report), .tiers = {}, .from = std::nullopt};
      for (const Tier tier : {Tier::flex, Tier::priority, Tier::batch}) {
        const std::string name(ledger::to_string(tier));
        if (const Node* const rates = one.node(name.c_str()); rates != nullptr && rates->kind == Node::Kind::map) {
          rule.tiers.push_back(
              {.tier = tier, .prompt_max = std::nullopt, .rates = rates_of(one.at(name.c_str()), report)});
        }
      }
      rule.off_peak = off_peak_of(one, report);
      if (const Node* const from = one.node("from")) {
        rule.from = parse_day(from->text);
        if (!rule.from) {
          report.error(from->origin, one.path() + ".from",
                       fmt::format("\"{}\" is no day; write it as 2026-07-01", from->shown()));
        }
      }
      const std::string_view provider = std::string_view(entry.key).substr(0, entry.key.find('/'));
      if (!entry.key.contains('/')) {
        report.error(entry.value.origin, one.path(),
                     fmt::format("\"{}\" names no target; write provider/model, for example \"{}/*\"", entry.key,
                                 config.providers.empty() ? "openai" : config.providers.front().name));
      } else if (!provider.contains('*') && !sources.contains(provider)) {
        report.error(entry.value.origin, one.path(), fmt::format("no provider is named \"{}\"", provider));
      } else if (entry.value.find("input") == nullptr) {
        report.error(entry.value.origin, one.path(),
                     "has no price of input: without it every cost is unknown; write 0 if it is free");
      }
      rules.push_back(std::move(rule));
    }
  }
  config.prices = std::make_shared<const PriceBook>(std::move(rules), std::move(sources));
}

}  // namespace weir::app

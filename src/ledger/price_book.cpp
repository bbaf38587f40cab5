#include "ledger/price_book.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::ledger {

bool matches(std::string_view pattern, std::string_view text) {
  // Where a * cannot go on, the last one takes one more character.
  std::size_t at_pattern = 0;
  std::size_t at_text = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (at_text < text.size()) {
    if (at_pattern < pattern.size() && pattern[at_pattern] == '*') {
      star = at_pattern++;
      star_text = at_text;
    } else if (at_pattern < pattern.size() && pattern[at_pattern] == text[at_text]) {
      ++at_pattern;
      ++at_text;
    } else if (star != std::string_view::npos) {
      at_pattern = star + 1;
      at_text = ++star_text;
    } else {
      return false;
    }
  }
  while (at_pattern < pattern.size() && pattern[at_pattern] == '*') {
    ++at_pattern;
  }
  return at_pattern == pattern.size();
}

PriceBook::PriceBook(std::vector<Rule> rules, Sources sources, PriceTable table)
    : rules_(std::move(rules)), sources_(std::move(sources)), table_(table) {
  by_the_hour_ = std::ranges::any_of(rules_, [](const Rule& rule) { return rule.off_peak.has_value(); });
}

bool PriceBook::OffPeak::covers(platform::WallTime at) const {
  const auto time = at - std::chrono::floor<std::chrono::days>(at);
  return from <= to ? from <= time && time < to : from <= time || time < to;
}

platform::WallTime PriceBook::span_of(platform::WallTime at) const {
  if (by_the_hour_) {
    return std::chrono::floor<std::chrono::minutes>(at);
  }
  return std::chrono::floor<std::chrono::days>(at);
}

std::optional<ModelPrice> PriceBook::find(std::string_view target, platform::WallTime at) const {
  const Rule* best = nullptr;
  // An exact name before a pattern, a longer pattern before a shorter one, then what is newer.
  const auto weight = [](const Rule& rule) {
    return std::tuple(!rule.pattern.contains('*'), rule.pattern.size(), rule.from.value_or(std::chrono::sys_days{}));
  };
  for (const Rule& rule : rules_) {
    if ((!rule.from || *rule.from <= at) && matches(rule.pattern, target) &&
        (best == nullptr || weight(rule) > weight(*best))) {
      best = &rule;
    }
  }
  if (best != nullptr) {
    ModelPrice price{.name = best->pattern, .base = best->rates, .specials = best->tiers};
    if (best->off_peak) {
      price.other_hours = over(best->off_peak->rates, best->rates);
      if (best->off_peak->covers(at)) {
        std::swap(price.base, *price.other_hours);
      }
    }
    return price;
  }
  const auto slash = target.find('/');
  const auto source = sources_.find(target.substr(0, slash));
  if (source == sources_.end() || slash == std::string_view::npos) {
    return std::nullopt;
  }
  if (source->second.is_free) {
    return ModelPrice{.name = "mock", .base = {.input = Money{}, .output = Money{}}};
  }
  return source->second.company.empty() ? std::nullopt : table_.find(source->second.company, target.substr(slash + 1));
}

void PriceCache::use(std::shared_ptr<const PriceBook> book) {
  book_ = std::move(book);
  known_.clear();
}

std::shared_ptr<const ModelPrice> PriceCache::find(const std::string& target, platform::WallTime at) {
  if (!book_) {
    return nullptr;
  }
  const platform::WallTime span = book_->span_of(at);
  if (span != span_ || known_.size() >= entries_max) {
    known_.clear();
    span_ = span;
  }
  const auto found = known_.find(target);
  if (found != known_.end()) {
    return found->second;
  }
  auto price = book_->find(target, at);
  auto shared = price ? std::make_shared<const ModelPrice>(std::move(*price)) : nullptr;
  known_.emplace(target, shared);
  return shared;
}

}  // namespace weir::ledger

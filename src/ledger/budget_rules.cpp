#include "ledger/budget_rules.hpp"

#include <algorithm>
#include <optional>

#include "settings/json_members.hpp"
#include "settings/nearest.hpp"
#include "text/json_scan.hpp"

namespace weir::ledger {

namespace {

using Unit = Budget::Unit;

constexpr std::int64_t tokens_max = 1'000'000'000'000'000;

/// One budget as it is read, before its period can be made.
struct Draft {
  Budget budget;
  PeriodLength length = PeriodLength::month;
  int reset_day = 1;
  std::string zone = "UTC";
  bool has_amount = false;
};

std::string text_of(const text::JsonValue& value) {
  return value.kind == text::JsonKind::string ? text::unescape_lossy(value.string_raw()) : std::string(value.raw);
}

Result<void> read_amount(const text::JsonValue& value, const std::string& at, Draft& draft) {
  draft.has_amount = true;
  if (draft.budget.unit == Unit::money) {
    const auto money = Money::parse(text_of(value));
    if (!money || *money >= Money::most()) {
      return fail(Code::invalid_request, at + " is no amount of US dollars, for example 1.00");
    }
    draft.budget.cap = money->in_picodollars();
    return {};
  }
  const auto tokens = text::to_int64(value);
  if (!tokens || *tokens < 0 || *tokens > tokens_max) {
    return fail(Code::invalid_request, at + " is no number of tokens between 0 and " + std::to_string(tokens_max));
  }
  draft.budget.cap = *tokens;
  return {};
}

Result<void> read_word(std::string_view name, const text::JsonValue& value, const std::string& at, Draft& draft) {
  if (value.kind != text::JsonKind::string) {
    return fail(Code::invalid_request, at + " is no string");
  }
  const std::string word = text::unescape_lossy(value.string_raw());
  if (name == "time_zone") {
    draft.zone = word;
  } else if (name == "substitute") {
    draft.budget.substitute = word;
  } else if (name == "count") {
    if (word != "output" && word != "total") {
      return fail(Code::invalid_request, at + " is neither output nor total");
    }
    draft.budget.unit = word == "output" ? Unit::output_tokens : Unit::tokens;
  } else {
    const auto length = parse_period_length(word);
    if (!length) {
      return fail(Code::invalid_request,
                  at + ": \"" + word + "\" is none of hour, day, week, month, year, forever" +
                      settings::did_you_mean(word, {"hour", "day", "week", "month", "year", "forever"}));
    }
    draft.length = *length;
  }
  return {};
}

Result<Budget> read_budget(std::string_view json, const std::string& path, bool is_quota) {
  Draft draft;
  draft.budget.unit = is_quota ? Unit::output_tokens : Unit::money;
  std::vector<std::string_view> names = {
      is_quota ? "tokens" : "usd", "period", "hard", "reset_day", "time_zone", "substitute"};
  if (is_quota) {
    names.emplace_back("count");
  }
  const auto read = settings::read_members(
      json, path, names, [&](std::string_view name, const text::JsonValue& value) -> Result<void> {
        const std::string at = settings::member_path(path, name);
        if (name == "usd" || name == "tokens") {
          return read_amount(value, at, draft);
        }
        if (name == "hard") {
          const auto hard = text::to_bool(value);
          draft.budget.hard = hard.value_or(true);
          return hard ? Result<void>() : fail(Code::invalid_request, at + " is neither true nor false");
        }
        if (name == "reset_day") {
          const auto day = text::to_int64(value);
          draft.reset_day = day && *day >= 1 && *day <= 31 ? static_cast<int>(*day) : 0;
          return draft.reset_day != 0 ? Result<void>()
                                      : fail(Code::invalid_request, at + " is no day between 1 and 31");
        }
        return read_word(name, value, at, draft);
      });
  if (!read) {
    return std::unexpected(read.error());
  }
  if (!draft.has_amount) {
    return fail(Code::invalid_request, path + ": " + (is_quota ? "tokens" : "usd") + " is missing");
  }
  const auto period = Period::make(draft.length, draft.reset_day, draft.zone);
  if (!period) {
    const bool zone_known = Period::make(PeriodLength::forever, 1, draft.zone).has_value();
    return fail(Code::invalid_request,
                settings::member_path(path, zone_known ? "reset_day" : "time_zone") + ": " + period.error().message);
  }
  draft.budget.period = *period;
  return draft.budget;
}

Result<void> read_list(std::string_view json, std::string_view name, bool is_quota, BudgetRules& rules) {
  if (json.empty() || json == "null") {
    return {};
  }
  const auto wrong = [&] { return fail(Code::invalid_request, std::string(name) + " is not a JSON array"); };
  if (!text::scan_document(json)) {
    return wrong();
  }
  const std::size_t start = json.find_first_not_of(" \t\r\n");
  if (json[start] != '[') {
    return wrong();
  }
  Result<void> result;
  std::size_t index = 0;
  text::for_each_element(json, [&](const text::JsonValue& element) {
    const std::string path = std::string(name) + "[" + std::to_string(index++) + "]";
    auto budget = read_budget(element.raw, path, is_quota);
    if (!budget) {
      result = std::unexpected(budget.error());
    } else if (std::ranges::any_of(rules.budgets, [&](const Budget& other) {
                 return other.unit == budget->unit && other.period == budget->period;
               })) {
      result = fail(Code::invalid_request, path + ": another one counts the same in the same period");
    } else if (rules.budgets.size() == budgets_max) {
      result = fail(Code::invalid_request,
                    path + ": there are more than " + std::to_string(budgets_max) + " budgets and quotas");
    } else {
      rules.budgets.push_back(*std::move(budget));
    }
    return result.has_value();
  });
  return result;
}

std::string list_to_json(const BudgetRules& rules, bool quotas) {
  std::string out = "[";
  for (const Budget& budget : rules.budgets) {
    if ((budget.unit != Unit::money) != quotas) {
      continue;
    }
    out += out.size() > 1 ? ",{" : "{";
    out += quotas ? "\"tokens\":" + std::to_string(budget.cap) : "\"usd\":" + Money::picodollars(budget.cap).to_text();
    out += ",\"period\":\"" + std::string(to_string(budget.period.length())) + "\"";
    if (quotas) {
      out += std::string(",\"count\":\"") + (budget.unit == Unit::tokens ? "total" : "output") + "\"";
    }
    out += std::string(",\"hard\":") + (budget.hard ? "true" : "false");
    if (budget.period.reset_day() != 1) {
      out += ",\"reset_day\":" + std::to_string(budget.period.reset_day());
    }
    if (budget.period.zone() != Period().zone()) {
      out += ",\"time_zone\":";
      text::append_json_string(out, budget.period.zone());
    }
    if (!budget.substitute.empty()) {
      out += ",\"substitute\":";
      text::append_json_string(out, budget.substitute);
    }
    out += "}";
  }
  return out + "]";
}

}  // namespace

std::string to_text(Unit unit, std::int64_t amount) {
  switch (unit) {
    case Unit::money: return "$" + Money::picodollars(amount).to_text();
    case Unit::tokens: return std::to_string(amount) + " tokens";
    case Unit::output_tokens: return std::to_string(amount) + " output tokens";
  }
  return {};
}

std::string to_text(const Budget& budget) {
  const std::string amount = to_text(budget.unit, budget.cap);
  return budget.period.length() == PeriodLength::forever
             ? amount + " in all"
             : amount + " per " + std::string(to_string(budget.period.length()));
}

BudgetRules newly_counted(const BudgetRules& before, const BudgetRules& now) {
  BudgetRules added;
  for (const Budget& budget : now.budgets) {
    if (std::ranges::none_of(before.budgets, [&](const Budget& other) {
          return other.unit == budget.unit && other.period == budget.period;
        })) {
      added.budgets.push_back(budget);
    }
  }
  return added;
}

Result<BudgetRules> parse_budget_rules(std::string_view budgets, std::string_view quotas) {
  BudgetRules rules;
  if (auto read = read_list(budgets, "budgets", false, rules); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (auto read = read_list(quotas, "quotas", true, rules); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return rules;
}

std::string budgets_to_json(const BudgetRules& rules) {
  return list_to_json(rules, false);
}

std::string quotas_to_json(const BudgetRules& rules) {
  return list_to_json(rules, true);
}

}  // namespace weir::ledger

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_builder.hpp"
#include "limits/rules.hpp"
#include "routing/resolve.hpp"
#include "settings/nearest.hpp"
#include "settings/report.hpp"
#include "settings/units.hpp"

namespace weir::app {

namespace {

using ledger::Budget;
using limits::Unit;
using settings::Node;
using settings::Report;
using settings::Section;

void add_windows(const Section& who, const char* name, Unit unit, bool with_default, Report& report,
                 limits::LimitSet& set) {
  if (!who.has(name) && !with_default) {
    return;
  }
  const auto wrong = [&](const std::string& words) { report.error(who.origin(name), who.path() + "." + name, words); };
  for (const std::string& text : who.texts(name)) {
    if (text.empty() || text == "none") {
      continue;
    }
    const auto limit = limits::parse_window(text, unit);
    if (!limit) {
      wrong(fmt::format("\"{}\" is no limit; write a number and a span of time, for example 100/60s, or none", text));
    } else if (set.windows.size() == limits::windows_max) {
      wrong(fmt::format("there are more than {} limits", limits::windows_max));
    } else if (std::ranges::any_of(set.windows, [&](const limits::WindowLimit& other) {
                 return other.unit == unit && other.window == limit->window;
               })) {
      wrong("two limits have the same span of time");
    } else {
      set.windows.push_back(*limit);
    }
  }
}

limits::LimitSet read_limits(const Section& who, Report& report, bool with_default = false) {
  limits::LimitSet set;
  add_windows(who, "requests", Unit::requests, with_default, report, set);
  add_windows(who, "tokens", Unit::tokens, false, report, set);
  set.in_flight = who.has("in_flight") ? who.integer("in_flight") : 0;
  return set;
}

std::optional<Budget> read_budget(const Section& item, bool is_quota, Report& report) {
  const char* const amount_name = is_quota ? "tokens" : "usd";
  const Node* const amount = item.node(amount_name);
  if (amount == nullptr) {
    if (item.node() != nullptr && item.node()->find(amount_name) == nullptr) {
      report.error(item.origin(), item.path(),
                   is_quota ? "tokens is missing; write {tokens: 100000, period: month}"
                            : "usd is missing; write {usd: 1.00, period: day}");
    }
    return std::nullopt;
  }
  Budget budget;
  if (is_quota) {
    budget.unit = item.text("count") == "total" ? Budget::Unit::tokens : Budget::Unit::output_tokens;
    budget.cap = settings::parse_integer(amount->text).value_or(0);
  } else {
    const auto money = ledger::Money::parse(amount->text);
    if (!money || *money >= ledger::Money::most()) {
      report.error(amount->origin, item.path() + ".usd",
                   fmt::format("\"{}\" is no amount of US dollars, for example 1.00", amount->shown()));
      return std::nullopt;
    }
    budget.cap = money->in_picodollars();
  }
  budget.hard = item.boolean("hard");
  budget.substitute = item.text("substitute");
  const auto length = ledger::parse_period_length(item.text("period"));
  const auto period = ledger::Period::make(length.value_or(ledger::PeriodLength::month), item.integer("reset_day"),
                                           item.text("time_zone"));
  if (!period) {
    report.error(item.origin(item.has("time_zone") ? "time_zone" : "reset_day"), item.path(), period.error().message);
    return std::nullopt;
  }
  budget.period = *period;
  return budget;
}

void read_budgets(const Section& items, bool is_quota, Report& report, ledger::BudgetRules& rules) {
  const Node* const list = items.node();
  for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
    const auto budget = read_budget(items.item(i), is_quota, report);
    if (!budget) {
      continue;
    }
    const auto wrong = [&](const std::string& words) {
      report.error(list->items[i].origin, items.item(i).path(), words);
    };
    if (rules.budgets.size() == ledger::budgets_max) {
      wrong(fmt::format("there are more than {} budgets and quotas", ledger::budgets_max));
    } else if (std::ranges::any_of(rules.budgets, [&](const Budget& other) {
                 return other.unit == budget->unit && other.period == budget->period;
               })) {
      wrong("another one counts the same in the same period");
    } else {
      rules.budgets.push_back(*budget);
    }
  }
}

/// Each name of the user's below that section.
template <class Read>
void for_each_name(const Section& section, const Read& read) {
  if (section.node() == nullptr) {
    return;
  }
  for (const settings::Entry& entry : section.node()->entries) {
    read(entry.key, section.named(entry.key));
  }
}

/// Models that budgets and quotas name: they must be there.
class Substitutes {
 public:
  Substitutes(const Section& root, const routing::ModelTable& models, Report& report)
      : root_(root), models_(models), report_(report) {
    for_each_name(root.at("models"), [this](const std::string& name, const Section&) { names_.push_back(name); });
  }

  void check() {
    for (const char* const kind : {"budgets", "quotas"}) {
      const Section section = root_.at(kind);
      for (const char* const whose : {"global", "per_key", "per_user", "per_tenant"}) {
        check_list(section.at(whose));
      }
      for_each_name(section.at("by_model"), [this](const std::string&, const Section& list) { check_list(list); });
      for_each_name(root_.at("tenants"),
                    [&](const std::string&, const Section& tenant) { check_list(tenant.at(kind)); });
      const Section keys = root_.at("auth").at("keys");
      for (std::size_t i = 0; i < length_of(keys); ++i) {
        check_list(keys.item(i).at(kind));
      }
    }
  }

 private:
  static std::size_t length_of(const Section& list) { return list.node() == nullptr ? 0 : list.node()->items.size(); }

  void check_list(const Section& list) {
    for (std::size_t i = 0; i < length_of(list); ++i) {
      const Section item = list.item(i);
      const std::string name = item.text("substitute");
      // An entry that is there and has an error of its own was told.
      if (!name.empty() && !routing::resolve(models_, name, false) && std::ranges::find(names_, name) == names_.end()) {
        report_.error(item.origin("substitute"), item.path() + ".substitute",
                      fmt::format("no model is named \"{}\"{}", name, settings::did_you_mean(name, names_)));
      }
    }
  }

  const Section& root_;
  const routing::ModelTable& models_;
  Report& report_;
  std::vector<std::string> names_;
};

}  // namespace

void build_limits(const Section& root, Report& report, Config& config) {
  gateway::Allowances& all = config.allowances;
  const Section limits = root.at("limits");
  // Where a key is required, calls without one come from a gateway that has no keys: its owner's, on this machine.
  all.without_key = read_limits(limits.at("without_key"), report, config.auth.mode == AuthMode::optional);
  all.per_ip = read_limits(limits.at("per_ip"), report);
  all.per_key.limits = read_limits(limits.at("per_key"), report);
  all.per_user.limits = read_limits(limits.at("per_user"), report);
  all.per_tenant.limits = read_limits(limits.at("per_tenant"), report);
  all.global.limits = read_limits(limits.at("global"), report);
  for (const char* const role : {"user", "operator", "admin"}) {
    if (auto set = read_limits(limits.at("by_role").at(role), report); !set.empty()) {
      all.by_role.emplace(role, std::move(set));
    }
  }
  const auto is_model = [&](const std::string& name, const Section& who) {
    const routing::ModelTable& models = config.models;
    const bool known =
        models.exact.contains(name) ||
        std::ranges::any_of(models.patterns, [&](const routing::Pattern& one) { return one.policy.name == name; }) ||
        std::ranges::any_of(models.forwards, [&](const routing::Forward& one) { return one.provider == name; });
    if (!known) {
      report.error(who.origin(), who.path(), fmt::format("no entry of models is named \"{}\"", name));
    }
    return known;
  };
  for_each_name(limits.at("by_model"), [&](const std::string& name, const Section& who) {
    if (is_model(name, who)) {
      all.by_model[name].limits = read_limits(who, report);
    }
  });
  for (const bool is_quota : {false, true}) {
    const Section section = root.at(is_quota ? "quotas" : "budgets");
    read_budgets(section.at("global"), is_quota, report, all.global.budgets);
    read_budgets(section.at("per_key"), is_quota, report, all.per_key.budgets);
    read_budgets(section.at("per_user"), is_quota, report, all.per_user.budgets);
    read_budgets(section.at("per_tenant"), is_quota, report, all.per_tenant.budgets);
    for_each_name(section.at("by_model"), [&](const std::string& name, const Section& who) {
      if (is_model(name, who)) {
        read_budgets(who, is_quota, report, all.by_model[name].budgets);
      }
    });
  }
  all.max_output_tokens = root.at("budgets").integer("max_output_tokens");
  for_each_name(root.at("tenants"), [&](const std::string& name, const Section& tenant) {
    gateway::TenantAllowance& made = all.tenants[name];
    made.parent = tenant.text("parent");
    static_cast<gateway::Allowance&>(made) = build_allowance(tenant, report);
  });
  Substitutes(root, config.models, report).check();
  for (const auto& [name, tenant] : all.tenants) {
    const auto wrong = [&, &at = name](const std::string& words) {
      report.error(root.at("tenants").named(at).origin("parent"), "tenants." + at + ".parent", words);
    };
    if (!tenant.parent.empty() && !all.tenants.contains(tenant.parent)) {
      wrong(fmt::format("unknown tenant \"{}\"", tenant.parent));
    } else if (all.is_too_deep(name)) {
      wrong(fmt::format("tenants stand at most {} deep, and none is part of itself",
                        gateway::Allowances::tenant_depth_max));
    }
  }
}

gateway::Allowance build_allowance(const Section& owner, Report& report) {
  gateway::Allowance made;
  made.limits = read_limits(owner.at("limits"), report);
  read_budgets(owner.at("budgets"), false, report, made.budgets);
  read_budgets(owner.at("quotas"), true, report, made.budgets);
  return made;
}

}  // namespace weir::app

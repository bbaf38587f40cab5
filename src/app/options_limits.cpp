#include <string>
#include <string_view>

#include "app/options_table.hpp"

namespace weir::app {

using settings::Repeat;
using settings::Type;

namespace {

/// Documented once: where it stands first.
constexpr std::string_view first_rules = "limits.without_key";

void document_once(OptionTable& table, std::size_t from, const std::string& here, const std::string& first) {
  for (std::size_t i = from; here != first && i < table.size(); ++i) {
    table[i].like = first + table[i].path.substr(here.size());
  }
}

void add_rules(OptionTable& table, const std::string& who, const std::string& sentence, const std::string& fallback) {
  table.push_back(
      {.path = who, .sentence = sentence + (who == first_rules ? "" : " Written as limits.without_key is.")});
  const std::size_t begin = table.size();
  table.push_back({.path = who + ".requests",
                   .type = Type::text,
                   .fallback = fallback,
                   .form = "number/duration",
                   .repeat = Repeat::one_or_list,
                   .sentence = fallback.empty()
                                   ? "Requests in any span of that length."
                                   : "Requests in any span of that length. The default holds with auth.mode: optional; "
                                     "otherwise there is no limit unless it is set here. none switches it off.",
                   .example = "100/60s"});
  table.push_back({.path = who + ".tokens",
                   .type = Type::text,
                   .form = "number/duration",
                   .repeat = Repeat::one_or_list,
                   .sentence = "Tokens of prompts and answers in any span of that length.",
                   .example = "50000/1m"});
  table.push_back({.path = who + ".in_flight",
                   .type = Type::integer,
                   .form = "calls",
                   .min = "1",
                   .max = "1000000",
                   .sentence = "Calls at the same time.",
                   .example = "8"});
  document_once(table, begin, who, std::string(first_rules));
}

void add_budgets(OptionTable& table, const std::string& list, const std::string& sentence, bool is_quota) {
  const std::string first = is_quota ? "quotas.global" : "budgets.global";
  table.push_back({.path = list,
                   .sentence = sentence + (list == first ? "" : " Written as " + first + " is."),
                   .example = is_quota ? "[{tokens: 100000, period: month, count: total}]"
                                       : "[{usd: 1.00, period: day, hard: true}]"});
  const std::string item = list + "[]";
  const std::size_t begin = table.size();
  if (is_quota) {
    table.push_back({.path = item + ".tokens",
                     .type = Type::integer,
                     .form = "tokens",
                     .min = "0",
                     .sentence = "How many may be used in each period.",
                     .example = "100000"});
    table.push_back({.path = item + ".count",
                     .type = Type::choice,
                     .fallback = "output",
                     .words = {"output", "total"},
                     .sentence = "Which are counted: those of answers, or those of prompts too.",
                     .example = "total"});
  } else {
    table.push_back({.path = item + ".usd",
                     .type = Type::number,
                     .form = "US dollars",
                     .min = "0",
                     .sentence = "How much may be spent in each period.",
                     .example = "1.00"});
  }
  table.push_back({.path = item + ".period",
                   .type = Type::choice,
                   .fallback = "month",
                   .words = {"hour", "day", "week", "month", "year", "forever"},
                   .sentence = "When it begins anew.",
                   .example = "day"});
  table.push_back({.path = item + ".hard",
                   .type = Type::boolean,
                   .fallback = "true",
                   .sentence = "Hard: each call holds the most that it can use until it has ended, so that the amount "
                               "is never passed. Soft: it holds what calls typically use, and the last ones may pass "
                               "it a little.",
                   .example = "false"});
  table.push_back({.path = item + ".reset_day",
                   .type = Type::integer,
                   .fallback = "1",
                   .form = "day",
                   .min = "1",
                   .max = "31",
                   .sentence = "The day of the month (its last one where it is shorter), or of the week (1 is Monday), "
                               "on which a period begins.",
                   .example = "15"});
  table.push_back({.path = item + ".time_zone",
                   .type = Type::text,
                   .fallback = "UTC",
                   .form = "IANA name",
                   .sentence = "Whose midnight it is.",
                   .example = "Europe/Berlin"});
  table.push_back({.path = item + ".substitute",
                   .type = Type::text,
                   .form = "model",
                   .sentence = "The model that is asked once it is used up, in place of a refusal.",
                   .example = "small"});
  document_once(table, begin, item, first + "[]");
}

}  // namespace

void add_allowance_options(OptionTable& table, const std::string& owner) {
  add_rules(table, owner + ".limits", "How much may be asked for.", "");
  add_budgets(table, owner + ".budgets", "What may be spent.", false);
  add_budgets(table, owner + ".quotas", "How many tokens may be used.", true);
}

void add_limit_options(OptionTable& table) {
  table.push_back({.path = "limits",
                   .sentence = "How much callers may ask for. All that hold for a call have to grant "
                               "it; a refused call counts in none."});
  add_rules(table, "limits.without_key", "Each address that calls without a key; an IPv6 network of 64 bits is one.",
            "100/60s");
  add_rules(table, "limits.per_key", "Each key without limits of its own.", "");
  add_rules(table, "limits.per_user", "Each user, with all keys together.", "");
  add_rules(table, "limits.per_tenant", "Each tenant without limits of its own.", "");
  add_rules(table, "limits.per_ip", "Each address, with a key or without.", "");
  add_rules(table, "limits.global", "All callers together.", "");
  table.push_back({.path = "limits.by_role", .sentence = "By the role of a key."});
  for (const std::string role : {"user", "operator", "admin"}) {
    add_rules(table, "limits.by_role." + role, "Each key of this role, beside what it has otherwise.", "");
  }
  table.push_back({.path = "limits.by_model", .sentence = "By an entry of models."});
  add_rules(table, "limits.by_model.*", "All calls of that model together.", "");

  for (const bool is_quota : {false, true}) {
    const std::string section = is_quota ? "quotas" : "budgets";
    table.push_back({.path = section,
                     .sentence = is_quota ? "Tokens that may be used in a period."
                                          : "Money that may be spent in a period, at the prices of weir's table and "
                                            "yours."});
    if (!is_quota) {
      table.push_back({.path = "budgets.max_output_tokens",
                       .type = Type::integer,
                       .fallback = "4096",
                       .form = "tokens",
                       .min = "1",
                       .max = "10000000",
                       .sentence = "The longest answer of a call whose budget or quota is hard: it is what such a call "
                                   "holds, and what the provider is told where the caller named no limit or a higher "
                                   "one.",
                       .example = "1024"});
    }
    add_budgets(table, section + ".global", "All callers together.", is_quota);
    add_budgets(table, section + ".per_key", "Each key without any of its own.", is_quota);
    add_budgets(table, section + ".per_user", "Each user, with all keys together.", is_quota);
    add_budgets(table, section + ".per_tenant", "Each tenant without any of its own.", is_quota);
    table.push_back({.path = section + ".by_model", .sentence = "By an entry of models."});
    add_budgets(table, section + ".by_model.*", "All calls of that model together.", is_quota);
  }

  table.push_back({.path = "tenants", .sentence = "Groups of callers, by the names that keys give."});
  table.push_back({.path = "tenants.*", .sentence = "One of them."});
  table.push_back({.path = "tenants.*.parent",
                   .type = Type::text,
                   .form = "tenant",
                   .sentence = "The tenant that it is part of: what that one may use holds for all below together.",
                   .example = "company"});
  add_allowance_options(table, "tenants.*");
}

}  // namespace weir::app

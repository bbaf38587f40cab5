#include "admin/call_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>

#include "admin/query_parameters.hpp"
#include "base/ids.hpp"
#include "ledger/money.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

std::unexpected<Error> refuse(std::string message) {
  return fail(Code::invalid_request, std::move(message));
}

/// Where a span of time begins or ends, as an id; empty where it is not said.
Result<std::string> id_at(std::string_view query, std::string_view name) {
  const auto text = parameter(query, name);
  if (!text || text->empty()) {
    return text;
  }
  const auto time = parse_time(*text);
  if (!time) {
    return refuse(fmt::format("`{}` is a day (2026-11-21) or a moment (2026-11-21T09:30:00Z).", name));
  }
  return store::first_id_at(*time);
}

Result<void> read_status(const std::string& text, store::RequestQuery& query) {
  constexpr std::array<std::string_view, 5> end_states = {"complete", "client_abort", "upstream_error", "gateway_error",
                                                          "unknown"};
  if (text.empty()) {
    return {};
  }
  if (std::ranges::find(end_states, text) != end_states.end()) {
    query.end_state = text;
    return {};
  }
  if (text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '5') {
    query.status_from = (text[0] - '0') * 100;
    query.status_to = *query.status_from + 99;
    return {};
  }
  query.status_from = number_in(text);
  if (!query.status_from || *query.status_from > 999) {
    return refuse(
        fmt::format("`status` is a number (200), a class (5xx), or how it ended: {}.", fmt::join(end_states, ", ")));
  }
  return {};
}

}  // namespace

std::optional<platform::WallTime> parse_time(std::string_view text) {
  const auto take = [&](std::size_t digits) -> std::optional<int> {
    if (text.size() < digits ||
        !std::ranges::all_of(text.substr(0, digits), [](char c) { return c >= '0' && c <= '9'; })) {
      return std::nullopt;
    }
    const auto value = number_in(text.substr(0, digits));
    text.remove_prefix(digits);
    return value;
  };
  const auto skip = [&](char mark) {
    const bool there = text.starts_with(mark);
    text.remove_prefix(there ? 1 : 0);
    return there;
  };
  const auto year = take(4);
  const auto month = skip('-') ? take(2) : std::nullopt;
  const auto day = skip('-') ? take(2) : std::nullopt;
  if (!year || !month || !day) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) {
    return std::nullopt;
  }
  platform::WallTime time{std::chrono::sys_days(date)};
  if (text.empty()) {
    return time;
  }
  if (!skip('T') && !skip('t') && !skip(' ')) {
    return std::nullopt;
  }
  const auto hour = take(2);
  const auto minute = skip(':') ? take(2) : std::nullopt;
  const auto second = skip(':') ? take(2) : std::nullopt;
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  time += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  if (skip('.')) {
    std::chrono::microseconds unit{100'000};
    if (!take(1)) {
      return std::nullopt;
    }
    text = {text.data() - 1, text.size() + 1};
    while (const auto digit = take(1)) {
      time += *digit * unit;
      unit /= 10;
    }
  }
  if ((skip('Z') || skip('z')) && text.empty()) {
    return time;
  }
  const bool east = skip('+') || skip(' ');  // a plus that was not escaped arrives as a space
  const bool west = !east && skip('-');
  const auto hours = take(2);
  const auto minutes = skip(':') ? take(2) : std::nullopt;
  if (!(east || west) || !hours || !minutes || !text.empty()) {
    return std::nullopt;
  }
  const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return east ? time - offset : time + offset;
}

Result<store::RequestQuery> read_request_query(std::string_view query) {
  store::RequestQuery read;
  for (const auto& [name, into] :
       {std::pair{std::string_view("key"), &read.key_id}, {"tenant", &read.tenant}, {"model", &read.model}}) {
    auto text = parameter(query, name);
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    *into = std::move(*text);
  }
  auto after = read_after(query, [](std::string_view text) { return is_id(text, "req_"); });
  if (!after) {
    return std::unexpected(std::move(after.error()));
  }
  read.after = std::move(*after);
  const auto status = parameter(query, "status");
  if (!status) {
    return std::unexpected(status.error());
  }
  if (auto understood = read_status(*status, read); !understood) {
    return std::unexpected(std::move(understood.error()));
  }
  auto from = id_at(query, "from");
  if (!from) {
    return std::unexpected(std::move(from.error()));
  }
  read.from = std::move(*from);
  const auto limit = read_limit(query);
  if (!limit) {
    return std::unexpected(limit.error());
  }
  read.limit = *limit;
  return read;
}

Result<UsageQuestion> read_usage_query(std::string_view query) {
  UsageQuestion question;
  const auto groups = parameter(query, "group_by");
  if (!groups) {
    return std::unexpected(groups.error());
  }
  for (std::string_view rest = *groups; !rest.empty();) {
    const std::string_view group = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), group.size() + 1));
    if (group == "key") {
      question.query.by_key = true;
    } else if (group == "tenant") {
      question.query.by_tenant = true;
    } else if (group == "model") {
      question.query.by_model = true;
    } else if (group == "day") {
      question.query.by_day = true;
    } else {
      return refuse(fmt::format("`group_by` is made of day, tenant, key and model, with commas; not `{}`.", group));
    }
  }
  for (const auto& [name, into] :
       {std::pair{std::string_view("from"), &question.query.from}, {"to", &question.query.to}}) {
    auto id = id_at(query, name);
    if (!id) {
      return std::unexpected(std::move(id.error()));
    }
    *into = std::move(*id);
  }
  for (const auto& [name, into] : {std::pair{std::string_view("key"), &question.query.key_id},
                                   {"tenant", &question.query.tenant},
                                   {"model", &question.query.model}}) {
    auto text = parameter(query, name);
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    *into = std::move(*text);
  }
  const auto format = parameter(query, "format");
  if (!format) {
    return std::unexpected(format.error());
  }
  if (!format->empty() && *format != "json" && *format != "csv") {
    return refuse("`format` is json or csv.");
  }
  if (!format->empty()) {
    question.csv = *format == "csv";
  }
  return question;
}

namespace {

struct Column {
  std::string_view name;
  std::int64_t store::UsageRow::* member;
};
constexpr std::array<Column, 8> counts = {{{"requests", &store::UsageRow::requests},
                                           {"errors", &store::UsageRow::errors},
                                           {"attempts", &store::UsageRow::attempts},
                                           {"cached", &store::UsageRow::cached},
                                           {"input_tokens", &store::UsageRow::input_tokens},
                                           {"cached_input_tokens", &store::UsageRow::cached_input_tokens},
                                           {"output_tokens", &store::UsageRow::output_tokens},
                                           {"reasoning_tokens", &store::UsageRow::reasoning_tokens}}};

struct Group {
  std::string_view name;
  bool store::UsageQuery::* asked;
  std::string store::UsageRow::* member;
};
constexpr std::array<Group, 4> groups = {{{"day", &store::UsageQuery::by_day, &store::UsageRow::day},
                                          {"tenant", &store::UsageQuery::by_tenant, &store::UsageRow::tenant},
                                          {"key", &store::UsageQuery::by_key, &store::UsageRow::key_id},
                                          {"model", &store::UsageQuery::by_model, &store::UsageRow::model}}};

std::string dollars(const store::UsageRow& row, std::string_view unknown) {
  return row.cost_picodollars ? ledger::Money::picodollars(*row.cost_picodollars).to_text() : std::string(unknown);
}

/// A cell of RFC 4180. A text that a spreadsheet would take for a formula begins with an apostrophe.
std::string cell(const std::string& text) {
  std::string quoted = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r").contains(text.front())) {
    quoted += '\'';
  }
  for (const char c : text) {
    quoted += c;
    if (c == '"') {
      quoted += '"';
    }
  }
  return quoted + '"';
}

}  // namespace

std::string usage_as_json(const store::UsageQuery& query, const std::vector<store::UsageRow>& rows) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const store::UsageRow& row = rows[i];
    out += i == 0 ? "{" : ",{";
    for (const Group& group : groups) {
      if (query.*group.asked) {
        fmt::format_to(std::back_inserter(out), "\"{}\":", group.name);
        text::append_json_string(out, row.*group.member);
        out += ',';
      }
    }
    for (const Column& count : counts) {
      fmt::format_to(std::back_inserter(out), "\"{}\":{},", count.name, row.*count.member);
    }
    fmt::format_to(std::back_inserter(out), "\"cost_usd\":{},\"unpriced_requests\":{}}}", dollars(row, "null"),
                   row.unpriced);
  }
  return out + "]}";
}

std::string usage_as_csv(const store::UsageQuery& query, const std::vector<store::UsageRow>& rows) {
  std::string out;
  for (const Group& group : groups) {
    if (query.*group.asked) {
      out.append(group.name).append(",");
    }
  }
  for (const Column& count : counts) {
    out.append(count.name).append(",");
  }
  out += "cost_usd,unpriced_requests\r\n";
  for (const store::UsageRow& row : rows) {
    for (const Group& group : groups) {
      if (query.*group.asked) {
        out += cell(row.*group.member) + ",";
      }
    }
    for (const Column& count : counts) {
      fmt::format_to(std::back_inserter(out), "{},", row.*count.member);
    }
    fmt::format_to(std::back_inserter(out), "{},{}\r\n", dollars(row, ""), row.unpriced);
  }
  return out;
}

}  // namespace weir::admin

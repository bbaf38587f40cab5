#include "store/call_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <tuple>

#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::store {

namespace {

using text::JsonKind;
using text::JsonValue;

// A damaged number may be anything.
constexpr std::int64_t year_9999 = 253'402'300'799'000;

/// The place of a member, found when this is compiled.
template <std::size_t count>
consteval std::size_t place(const std::array<CallMember, count>& members, std::string_view key) {
  for (std::size_t i = 0; i < count; ++i) {
    if (members[i].key == key) {
      return i;
    }
  }
  throw "no member has this name";
}
consteval std::size_t of_call(std::string_view key) {
  return first_member_place + place(call_members, key);
}
consteval std::size_t of_attempt(std::string_view key) {
  return place(attempt_members, key);
}

/// A decimal number of US dollars in picodollars, exactly.
std::optional<std::int64_t> picodollars(const JsonValue& value) {
  constexpr std::size_t decimals = 12;
  if (value.kind != JsonKind::number) {
    return std::nullopt;
  }
  const std::size_t point = std::min(value.raw.find('.'), value.raw.size());
  std::string digits(value.raw.substr(0, point));
  const std::string_view fraction = value.raw.substr(std::min(point + 1, value.raw.size())).substr(0, decimals);
  digits.append(fraction).append(decimals - fraction.size(), '0');
  std::int64_t amount = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), amount);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(amount) : std::nullopt;
}

/// The values of one array, by their places. Views into it.
class Values {
 public:
  explicit Values(std::string_view array) {
    text::for_each_element(array, [&](const JsonValue& value) {
      if (count_ < values_.size()) {
        values_[count_++] = value;
      }
    });
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  /// Null where there is none.
  [[nodiscard]] const JsonValue& at(std::size_t place) const { return place < count_ ? values_[place] : none_; }

  [[nodiscard]] std::string text(std::size_t place) const {
    const JsonValue& value = at(place);
    return value.kind == JsonKind::string ? text::unescape_lossy(value.string_raw()) : std::string();
  }
  [[nodiscard]] std::optional<std::int64_t> integer(std::size_t place) const { return text::to_int64(at(place)); }
  [[nodiscard]] std::optional<double> milliseconds(std::size_t place) const {
    const auto microseconds = integer(place);
    return microseconds ? std::optional(static_cast<double>(*microseconds) / 1000) : std::nullopt;
  }
  [[nodiscard]] bool flag(std::size_t place) const { return at(place).raw == "1"; }
  [[nodiscard]] std::optional<std::int64_t> money(std::size_t place) const { return picodollars(at(place)); }

 private:
  std::array<JsonValue, 64> values_;
  std::size_t count_ = 0;
  JsonValue none_;
};

std::unexpected<Error> no_record(std::string_view why) {
  return fail(Code::internal, fmt::format("a record cannot be read: {}", why));
}

/// A whole and valid array with an id and attempts, or an error.
Result<void> check(std::string_view record) {
  if (!record.starts_with('[')) {
    return no_record("it is no array");
  }
  if (const auto valid = text::scan_document(record); !valid) {
    return no_record(valid.error().what);
  }
  if (id_of(record).empty()) {
    return no_record("it has no id");
  }
  if (Values(record).at(attempts_place).kind != JsonKind::array) {
    return no_record("it has no list of attempts");
  }
  return {};
}

std::string_view time_of(const JsonValue& value, std::string& room) {
  const std::int64_t milliseconds = text::to_int64(value).value_or(0);
  room = observe::rfc3339(
      platform::WallTime(std::chrono::milliseconds(std::clamp<std::int64_t>(milliseconds, 0, year_9999))));
  return room;
}

void append_member(std::string& out, const CallMember& member, const JsonValue* value) {
  const std::string_view raw = value == nullptr ? std::string_view() : value->raw;
  const auto add = [&](std::string_view written) {
    out.append(",\"").append(member.key).append("\":").append(written);
  };
  const auto raw_or = [&](std::string_view fallback) { add(raw.empty() ? fallback : raw); };
  switch (member.slot) {
    case Slot::text: raw_or("\"\""); break;
    case Slot::number: raw_or("0"); break;
    case Slot::time:
    case Slot::optional_time:
      if (const auto microseconds = value == nullptr ? std::nullopt : text::to_int64(*value)) {
        // A damaged number may be anything; a century of nanoseconds fits.
        constexpr std::int64_t century = 3'155'760'000'000'000;
        add(observe::milliseconds(std::chrono::microseconds(std::clamp(*microseconds, -century, century))));
      } else if (member.slot == Slot::time) {
        add("0.000");
      }
      break;
    case Slot::money: raw_or("null"); break;
    case Slot::optional_text:
      if (value != nullptr && value->kind == JsonKind::string) {
        add(raw);
      }
      break;
    case Slot::optional:
      if (value != nullptr && value->kind != JsonKind::string) {
        add(raw);
      }
      break;
    case Slot::flag: add(raw == "1" ? "true" : "false"); break;
    case Slot::optional_flag:
      if (raw == "1") {
        add("true");
      }
      break;
    case Slot::wall_time: break;  // stands at the beginning
  }
}

void append_attempt(std::string& out, std::string_view attempt) {
  const Values values(attempt);
  const std::size_t begin = out.size();
  for (std::size_t i = 0; i < attempt_members.size(); ++i) {
    append_member(out, attempt_members[i], i < values.size() ? &values.at(i) : nullptr);
  }
  out[begin] = '{';
  out += '}';
}

InferenceAttempt attempt_of(std::string_view attempt);

/// "provider/model": a provider's name has no slash.
void split_target(const std::string& target, std::string& provider, std::string& model) {
  const std::size_t slash = target.find('/');
  provider = target.substr(0, slash);
  model = slash == std::string::npos ? std::string() : target.substr(slash + 1);
}

InferenceAttempt attempt_of(std::string_view attempt) {
  const Values values(attempt);
  InferenceAttempt row;
  split_target(values.text(of_attempt("target")), row.provider, row.upstream_model);
  row.status = static_cast<int>(values.integer(of_attempt("status")).value_or(0));
  row.end_state = values.text(of_attempt("end_state"));
  row.failure = values.text(of_attempt("failure"));
  row.started_ms = values.milliseconds(of_attempt("started_ms"));
  row.first_token_ms = values.milliseconds(of_attempt("first_token_ms"));
  row.ended_ms = values.milliseconds(of_attempt("ended_ms"));
  row.input_tokens = values.integer(of_attempt("tokens_in"));
  row.cached_input_tokens = values.integer(of_attempt("tokens_cached"));
  row.output_tokens = values.integer(of_attempt("tokens_out"));
  row.reasoning_tokens = values.integer(of_attempt("tokens_reasoning"));
  row.cost_picodollars = values.money(of_attempt("cost_usd"));
  return row;
}

constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

/// `array` with "unknown" for the "open" at `state_place`, its other values as they are but for that at `replaced`.
std::string closed(std::string_view array, std::size_t state_place, std::size_t replaced,
                   std::string_view replacement) {
  std::string out;
  std::size_t at = 0;
  text::for_each_element(array, [&](const JsonValue& value) {
    out += out.empty() ? '[' : ',';
    out += at == replaced ? replacement : at == state_place && value.raw == R"("open")" ? R"("unknown")" : value.raw;
    ++at;
  });
  return out.empty() ? "[]" : out + ']';
}

}  // namespace

namespace {

/// The number or string, with its quotes, that `values` begins with.
std::string_view first_scalar(std::string_view values) {
  if (!values.starts_with('"')) {
    return values.substr(0, values.find(','));
  }
  const auto escapes = [&](std::size_t quote) { return values.find_last_not_of('\\', quote - 1) % 2 == quote % 2; };
  std::size_t end = values.find('"', 1);
  while (end != std::string_view::npos && escapes(end)) {
    end = values.find('"', end + 1);
  }
  return values.substr(0, end == std::string_view::npos ? end : end + 1);
}

}  // namespace

std::string_view id_of(std::string_view record) {
  constexpr std::string_view before = "[\"";
  if (!record.starts_with(before)) {
    return {};
  }
  record.remove_prefix(before.size());
  const std::size_t end = record.find('"');
  return end == std::string_view::npos ? std::string_view() : record.substr(0, end);
}

std::string_view asked_of(std::string_view record) {
  const char* begin = nullptr;
  std::string_view asked;
  std::size_t at = 0;
  text::for_each_element(record, [&](const JsonValue& value) {
    if (at == attempts_place) {
      begin = value.raw.data() + value.raw.size();
    } else if (at == of_call("route")) {
      asked = {begin, value.raw.data() + value.raw.size()};
    }
    return at++ < of_call("route");
  });
  return asked;
}

std::string_view key_of(std::string_view asked) {
  std::string_view value;
  for (std::size_t at = of_call("time"); at <= of_call("key_id"); ++at) {
    if (!asked.starts_with(',')) {
      return {};
    }
    value = first_scalar(asked.substr(1));
    asked.remove_prefix(1 + value.size());
  }
  return value.starts_with('"') && value.size() > 1 ? value.substr(1, value.size() - 2) : std::string_view();
}

std::int64_t time_of(std::string_view asked) {
  std::int64_t milliseconds = 0;
  asked.remove_prefix(asked.starts_with(',') ? 1 : 0);
  std::from_chars(asked.data(), asked.data() + asked.size(), milliseconds);
  return milliseconds;
}

Result<std::string> as_object(std::string_view record) {
  if (auto good = check(record); !good) {
    return std::unexpected(std::move(good.error()));
  }
  const Values values(record);
  std::string room;
  std::string out = R"({"time":")";
  out.append(time_of(values.at(of_call("time")), room)).append(R"(","level":"info","event":"request")");
  for (const std::string_view key : {"id", "request_id"}) {
    out.append(",\"").append(key).append("\":\"").append(id_of(record)).append("\"");
  }
  for (std::size_t i = 0; i < call_members.size(); ++i) {
    const std::size_t at = first_member_place + i;
    append_member(out, call_members[i], at < values.size() ? &values.at(at) : nullptr);
  }
  out += R"(,"attempts":[)";
  std::string_view separator;
  text::for_each_element(values.at(attempts_place).raw, [&](const JsonValue& attempt) {
    if (attempt.kind == JsonKind::array) {
      out += separator;
      append_attempt(out, attempt.raw);
      separator = ",";
    }
  });
  return out + "]}";
}

Result<std::string> as_unknown(std::string_view record) {
  if (auto good = check(record); !good) {
    return std::unexpected(std::move(good.error()));
  }
  std::string attempts = "[";
  text::for_each_element(Values(record).at(attempts_place).raw, [&](const JsonValue& attempt) {
    if (attempt.kind == JsonKind::array) {
      attempts += attempts.size() == 1 ? "" : ",";
      attempts += closed(attempt.raw, of_attempt("end_state"), nowhere, {});
    }
  });
  attempts += ']';
  return closed(record, of_call("end_state"), attempts_place, attempts);
}

Result<InferenceLog> row_of(std::string_view record) {
  if (auto good = check(record); !good) {
    return std::unexpected(std::move(good.error()));
  }
  const Values values(record);
  InferenceLog row;
  row.id = id_of(record);
  time_of(values.at(of_call("time")), row.time);
  row.tenant = values.text(of_call("tenant"));
  row.key_id = values.text(of_call("key_id"));
  row.endpoint = values.text(of_call("endpoint"));
  row.model = values.text(of_call("model"));
  split_target(values.text(of_call("target")), row.provider, row.upstream_model);
  row.stream = values.flag(of_call("stream"));
  row.status = static_cast<int>(values.integer(of_call("status")).value_or(0));
  row.end_state = values.text(of_call("end_state"));
  row.error_code = values.text(of_call("error_code"));
  row.duration_ms = values.milliseconds(of_call("duration_ms"));
  row.first_token_ms = values.milliseconds(of_call("ttft_ms"));
  row.added_ms = values.milliseconds(of_call("weir_added_ms"));
  row.input_tokens = values.integer(of_call("tokens_in"));
  row.cached_input_tokens = values.integer(of_call("tokens_cached"));
  row.output_tokens = values.integer(of_call("tokens_out"));
  row.reasoning_tokens = values.integer(of_call("tokens_reasoning"));
  row.usage_source = values.text(of_call("usage_source"));
  row.cost_picodollars = values.money(of_call("cost_usd"));
  text::for_each_element(values.at(attempts_place).raw, [&](const JsonValue& attempt) {
    if (attempt.kind == JsonKind::array) {
      row.attempts.push_back(attempt_of(attempt.raw));
    }
  });
  return row;
}

namespace {

CallCharge::Open open_of(std::string_view reserved) {
  CallCharge::Open open;
  text::for_each_member(reserved, [&](const text::JsonMember& member) {
    const JsonValue& value = member.value;
    if (member.key_raw == "usd") {
      open.worst.picodollars = picodollars(value);
    } else if (member.key_raw == "tokens") {
      open.worst.tokens = text::to_int64(value).value_or(0);
    } else if (member.key_raw == "output_tokens") {
      open.worst.output_tokens = text::to_int64(value).value_or(0);
    } else if (member.key_raw == "until" && value.kind == JsonKind::string) {
      open.expires = observe::parse_rfc3339(value.string_raw()).value_or(platform::WallTime{});
    }
  });
  return open;
}

void add_charge(CallCharge& charge, std::string_view attempt) {
  const Values values(attempt);
  const auto charged = values.money(of_attempt("charged_usd"));
  const std::int64_t answer = values.integer(of_attempt("tokens_out")).value_or(0);
  const std::int64_t told = values.integer(of_attempt("tokens_in")).value_or(0) + answer;
  charge.attempts.push_back({.picodollars = charged ? charged : values.money(of_attempt("cost_usd")),
                             .tokens = values.integer(of_attempt("charged_tokens")).value_or(told),
                             .output_tokens = values.integer(of_attempt("charged_output_tokens")).value_or(answer)});
  const JsonValue& reserved = values.at(of_attempt("reserved"));
  if (reserved.kind == JsonKind::object && values.at(of_attempt("end_state")).raw == R"("unknown")") {
    charge.open.push_back(open_of(reserved.raw));
  }
}

}  // namespace

Result<CallCharge> charge_of(std::string_view record) {
  if (auto good = check(record); !good) {
    return std::unexpected(std::move(good.error()));
  }
  const Values values(record);
  const auto began = std::clamp<std::int64_t>(values.integer(of_call("time")).value_or(0), 0, year_9999);
  const auto took = std::clamp<std::int64_t>(values.integer(of_call("duration_ms")).value_or(0), 0, 1'000'000'000'000);
  CallCharge charge{.ended = platform::WallTime(std::chrono::milliseconds(began)) + std::chrono::microseconds(took),
                    .tenant = values.text(of_call("tenant")),
                    .user = values.text(of_call("user")),
                    .key_id = values.text(of_call("key_id")),
                    .route = values.text(of_call("route")),
                    .attempts = {},
                    .open = {}};
  text::for_each_element(values.at(attempts_place).raw, [&](const JsonValue& attempt) {
    if (attempt.kind == JsonKind::array) {
      add_charge(charge, attempt.raw);
    }
  });
  return charge;
}

bool UsageSums::Less::operator()(const UsageRow& a, const UsageRow& b) const {
  return std::tie(a.day, a.tenant, a.key_id, a.model) < std::tie(b.day, b.tenant, b.key_id, b.model);
}

void UsageSums::add(const InferenceLog& call) {
  if ((!query_.key_id.empty() && call.key_id != query_.key_id) ||
      (!query_.tenant.empty() && call.tenant != query_.tenant) ||
      (!query_.model.empty() && call.model != query_.model)) {
    return;
  }
  UsageRow group;
  if (query_.by_tenant) {
    group.tenant = call.tenant;
  }
  if (query_.by_key) {
    group.key_id = call.key_id;
  }
  if (query_.by_model) {
    group.model = call.model;
  }
  if (query_.by_day) {
    group.day = call.time.substr(0, 10);
  }
  auto at = std::ranges::lower_bound(rows_, group, Less());
  if (at == rows_.end() || Less()(group, *at)) {
    at = rows_.insert(at, std::move(group));
  }
  UsageRow& row = *at;
  ++row.requests;
  row.errors += call.end_state != "complete" || call.status >= 400 ? 1 : 0;
  row.attempts += static_cast<std::int64_t>(call.attempts.size());
  row.cached += call.cached ? 1 : 0;
  row.input_tokens += call.input_tokens.value_or(0);
  row.cached_input_tokens += call.cached_input_tokens.value_or(0);
  row.output_tokens += call.output_tokens.value_or(0);
  row.reasoning_tokens += call.reasoning_tokens.value_or(0);
  if (call.cost_picodollars) {
    row.cost_picodollars = row.cost_picodollars.value_or(0) + *call.cost_picodollars;
  } else if (!call.attempts.empty()) {
    ++row.unpriced;
  }
}

std::vector<UsageRow> UsageSums::rows() const {
  return rows_;
}

bool matches(const RequestQuery& query, const InferenceLog& call) {
  const int most = query.status_to.value_or(query.status_from.value_or(0));
  return (query.key_id.empty() || call.key_id == query.key_id) && (query.model.empty() || call.model == query.model) &&
         (query.tenant.empty() || call.tenant == query.tenant) &&
         (query.end_state.empty() || call.end_state == query.end_state) &&
         (!query.status_from || (call.status >= *query.status_from && call.status <= most));
}

}  // namespace weir::store

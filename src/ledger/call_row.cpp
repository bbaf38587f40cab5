#include "ledger/call_row.hpp"

#include <fmt/format.h>

#include "ledger/money.hpp"
#include "text/json_value.hpp"

namespace weir::ledger {

namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

// A quote inside a string is escaped, so that this can only be the member itself.
constexpr std::string_view open_state = R"("end_state":"open")";
constexpr std::string_view unknown_state = R"("end_state":"unknown")";

std::string text_of(const JsonValue& value) {
  return value.kind == JsonKind::string ? text::unescape_lossy(value.string_raw()) : std::string();
}

/// "provider/model": a provider's name has no slash.
void split_target(const std::string& target, std::string& provider, std::string& model) {
  const std::size_t slash = target.find('/');
  provider = target.substr(0, slash);
  model = slash == std::string::npos ? std::string() : target.substr(slash + 1);
}

/// The members that calls and attempts have in common.
template <class Row>
bool read_common(Row& row, const JsonMember& member) {
  const std::string_view key = member.key_raw;
  const JsonValue& value = member.value;
  if (key == "status") {
    row.status = static_cast<int>(text::to_int64(value).value_or(0));
  } else if (key == "end_state") {
    row.end_state = text_of(value);
  } else if (key == "tokens_in") {
    row.input_tokens = text::to_int64(value);
  } else if (key == "tokens_cached") {
    row.cached_input_tokens = text::to_int64(value);
  } else if (key == "tokens_out") {
    row.output_tokens = text::to_int64(value);
  } else if (key == "tokens_reasoning") {
    row.reasoning_tokens = text::to_int64(value);
  } else if (key == "cost_usd") {
    if (const auto cost = Money::parse(value.raw)) {  // null: unknown
      row.cost_picodollars = cost->in_picodollars();
    }
  } else {
    return false;
  }
  return true;
}

store::InferenceAttempt attempt_of(std::string_view object) {
  store::InferenceAttempt row;
  text::for_each_member(object, [&](const JsonMember& member) {
    const std::string_view key = member.key_raw;
    if (read_common(row, member)) {
    } else if (key == "target") {
      split_target(text_of(member.value), row.provider, row.upstream_model);
    } else if (key == "failure") {
      row.failure = text_of(member.value);
    } else if (key == "started_ms") {
      row.started_ms = text::to_double(member.value);
    } else if (key == "first_token_ms") {
      row.first_token_ms = text::to_double(member.value);
    } else if (key == "ended_ms") {
      row.ended_ms = text::to_double(member.value);
    }
  });
  return row;
}

void read_member(store::InferenceLog& row, const JsonMember& member) {
  const std::string_view key = member.key_raw;
  const JsonValue& value = member.value;
  if (read_common(row, member)) {
  } else if (key == "id") {
    row.id = text_of(value);
  } else if (key == "time") {
    row.time = text_of(value);
  } else if (key == "tenant") {
    row.tenant = text_of(value);
  } else if (key == "key_id") {
    row.key_id = text_of(value);
  } else if (key == "endpoint") {
    row.endpoint = text_of(value);
  } else if (key == "model") {
    row.model = text_of(value);
  } else if (key == "target") {
    split_target(text_of(value), row.provider, row.upstream_model);
  } else if (key == "stream") {
    row.stream = value.is_true();
  } else if (key == "cached") {
    row.cached = value.is_true();
  } else if (key == "error_code") {
    row.error_code = text_of(value);
  } else if (key == "duration_ms") {
    row.duration_ms = text::to_double(value);
  } else if (key == "ttft_ms") {
    row.first_token_ms = text::to_double(value);
  } else if (key == "weir_added_ms") {
    row.added_ms = text::to_double(value);
  } else if (key == "usage_source") {
    row.usage_source = text_of(value);
  }
}

}  // namespace

Result<store::InferenceLog> row_of(std::string record) {
  store::InferenceLog row;
  std::string_view attempts;
  const auto scanned = text::scan_object(record, [&](const JsonMember& member) {
    if (member.key_raw == "attempts" && member.value.kind == JsonKind::array) {
      attempts = member.value.raw;
    } else {
      read_member(row, member);
    }
  });
  if (!scanned) {
    return fail(Code::internal, fmt::format("a record is no JSON object: {}", scanned.error().what));
  }
  if (row.id.empty()) {
    return fail(Code::internal, "a record has no id");
  }
  if (!attempts.empty()) {
    text::for_each_element(attempts, [&](const JsonValue& attempt) {
      if (attempt.kind == JsonKind::object) {
        row.attempts.push_back(attempt_of(attempt.raw));
      }
    });
  }
  row.record = std::move(record);
  return row;
}

bool is_open(std::string_view record) {
  constexpr std::string_view any_state = R"("end_state":")";
  const std::size_t at = record.find(any_state);  // the call's own comes before those of its attempts
  return at != std::string_view::npos && record.substr(at).starts_with(open_state);
}

std::string as_unknown(std::string_view record) {
  std::string closed;
  closed.reserve(record.size() + 16);
  for (std::size_t at = record.find(open_state); at != std::string_view::npos; at = record.find(open_state)) {
    closed.append(record.substr(0, at)).append(unknown_state);
    record.remove_prefix(at + open_state.size());
  }
  return closed.append(record);
}

std::string_view id_of(std::string_view record) {
  constexpr std::string_view mark = R"("id":")";
  const std::size_t at = record.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  record.remove_prefix(at + mark.size());
  return record.substr(0, record.find('"'));
}

}  // namespace weir::ledger

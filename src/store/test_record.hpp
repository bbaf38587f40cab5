#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/call_form.hpp"
#include "text/json_value.hpp"

/// For tests: calls as stores take them, from the rows that analysts see.
namespace weir::store {

/// Moments of tests, by what a row says.
inline constexpr std::string_view test_day = "2026-11-21T09:00:00.000Z";
inline constexpr std::string_view next_test_day = "2026-11-22T00:00:00.000Z";

template <std::size_t count>
std::string kept_values(std::string out, const std::array<CallMember, count>& members, const auto& value_of) {
  for (const CallMember& member : members) {
    std::string value = value_of(member.key);
    if (value.empty()) {
      value = member.slot == Slot::text                                             ? "\"\""
              : member.slot == Slot::optional_text                                  ? "0"
              : member.slot == Slot::money                                          ? "null"
              : member.slot == Slot::optional || member.slot == Slot::optional_time ? "\"\""
                                                                                    : "0";
    }
    out += out.size() == 1 ? "" : ",";
    out += value;
  }
  return out + "]";
}

inline std::string kept(const InferenceLog& call) {
  const auto text = [](std::string_view value) {
    std::string quoted;
    if (!value.empty()) {
      text::append_json_string(quoted, value);
    }
    return quoted;
  };
  const auto target = [&](const auto& row) {
    return row.provider.empty() ? "" : text(row.provider + "/" + row.upstream_model);
  };
  const auto number = [](const auto& value) { return value ? fmt::format("{}", *value) : std::string(); };
  const auto time = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.0f}", *value * 1000) : std::string();
  };
  const auto money = [](const std::optional<std::int64_t>& value) {
    return value ? fmt::format("{}.{:012}", *value / 1'000'000'000'000, *value % 1'000'000'000'000) : std::string();
  };
  const auto common = [&](const auto& row, std::string_view key) -> std::string {
    return key == "target"             ? target(row)
           : key == "status"           ? fmt::format("{}", row.status)
           : key == "end_state"        ? text(row.end_state)
           : key == "tokens_in"        ? number(row.input_tokens)
           : key == "tokens_out"       ? number(row.output_tokens)
           : key == "tokens_cached"    ? number(row.cached_input_tokens)
           : key == "tokens_reasoning" ? number(row.reasoning_tokens)
           : key == "cost_usd"         ? money(row.cost_picodollars)
                                       : "";
  };
  std::string attempts;
  for (const InferenceAttempt& attempt : call.attempts) {
    attempts += attempts.empty() ? "" : ",";
    attempts += kept_values("[", attempt_members, [&](std::string_view key) -> std::string {
      return key == "failure"          ? text(attempt.failure)
             : key == "started_ms"     ? time(attempt.started_ms)
             : key == "first_token_ms" ? time(attempt.first_token_ms)
             : key == "ended_ms"       ? time(attempt.ended_ms)
                                       : common(attempt, key);
    });
  }
  return kept_values(fmt::format(R"(["{}",[{}])", call.id, attempts), call_members,
                     [&](std::string_view key) -> std::string {
                       return key == "time"          ? (call.time == next_test_day ? "1795305600000" : "1795251600000")
                              : key == "endpoint"    ? text(call.endpoint)
                              : key == "tenant"      ? text(call.tenant)
                              : key == "key_id"      ? text(call.key_id)
                              : key == "model"       ? text(call.model)
                              : key == "stream"      ? (call.stream ? "1" : "0")
                              : key == "error_code"  ? text(call.error_code)
                              : key == "ttft_ms"     ? time(call.first_token_ms)
                              : key == "duration_ms" ? time(call.duration_ms)
                              : key == "weir_added_ms" ? time(call.added_ms)
                              : key == "usage_source"  ? text(call.usage_source)
                                                       : common(call, key);
                     });
}

inline std::string object_of(const InferenceLog& call) {
  return as_object(kept(call)).value_or("no record");
}

inline Result<void> put_calls(Store& store, std::span<const InferenceLog> calls, Repeats repeats = Repeats::possible) {
  std::vector<std::string> records;
  for (const InferenceLog& call : calls) {
    records.push_back(kept(call));
  }
  const std::vector<std::string_view> views(records.begin(), records.end());
  return store.requests().put(views, repeats);
}

}  // namespace weir::store

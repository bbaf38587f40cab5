#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "dialects/openai/mend.hpp"
#include "ledger/record_rows.hpp"
#include "ledger/request_record.hpp"

namespace weir::ledger {

namespace {

using rows::Array;
using rows::fixed_bytes_max;
using rows::Object;

/// The most bytes that the texts take in JSON, each with its quotes: a control character becomes six.
std::size_t room_for(const auto&... texts) {
  return 6 * (texts.size() + ...) + 2 * sizeof...(texts);
}

std::size_t room_for_record(const RequestRecord& record) {
  std::size_t room =
      fixed_bytes_max + room_for(record.endpoint, record.id, record.id, record.tenant, record.user, record.key_id,
                                 record.key, record.client, record.client_request_id, record.trace_id, record.model,
                                 record.route, record.target, record.error_code, record.error_message,
                                 record.recovered_from, record.refused_by);
  for (const std::string& skipped : record.skipped) {
    room += room_for(skipped) + 1;
  }
  for (const AttemptRecord& attempt : record.attempts) {
    room += fixed_bytes_max +
            room_for(attempt.target, attempt.reason, attempt.upstream_words, attempt.upstream_request_id, attempt.key);
    room += attempt.price ? room_for(attempt.price->name) : 0;
  }
  return room;
}

#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)  // as in record_rows.hpp

template <class Row>
void write_usage(Row& row, const llm::Usage& usage) {
  row.number_if(",\"tokens_in\":", usage.input_tokens);
  row.number_if(",\"tokens_out\":", usage.output_tokens);
  row.number_if(",\"tokens_cached\":", usage.cached_input_tokens);
  row.number_if(",\"tokens_reasoning\":", usage.reasoning_tokens);
}

// The members of both forms. A new one comes behind the last, and there in store/call_form.hpp too: places never
// change.

/// What is known of an attempt when it begins.
template <class Row>
void write_attempt_begin(Row& row, const AttemptRecord& attempt) {
  if constexpr (Row::is_object) {
    row.text("{\"target\":", attempt.target);
  } else {
    row.literal("[");
    row.string(attempt.target);
  }
  row.plain(",\"end_state\":", to_string(attempt.end_state));
}

template <class Row>
void write_attempt(Row& row, const AttemptRecord& attempt) {
  write_attempt_begin(row, attempt);
  row.number(",\"status\":", static_cast<std::uint64_t>(attempt.status));
  row.text_if(",\"failure\":", attempt.failure ? weir::to_string(*attempt.failure) : std::string_view());
  row.text_if(",\"reason\":", attempt.reason);
  row.text_if(",\"upstream_words\":", attempt.upstream_words);
  row.time_if(",\"started_ms\":", attempt.started);
  row.time_if(",\"connected_ms\":", attempt.connected);
  row.time_if(",\"first_byte_ms\":", attempt.first_byte);
  row.time_if(",\"first_token_ms\":", attempt.first_token);
  row.time_if(",\"ended_ms\":", attempt.ended);
  row.time(",\"backoff_ms\":", attempt.backoff);
  row.flag(",\"reused_connection\":", attempt.reused_connection);
  row.flag(",\"silent_retry\":", attempt.silent_retry);
  row.text_if(",\"upstream_request_id\":", attempt.upstream_request_id);
  write_usage(row, attempt.usage);
  row.money(",\"cost_usd\":", attempt.cost);
  row.text_if(",\"price\":", attempt.price ? std::string_view(attempt.price->name) : std::string_view());
  row.number(",\"events\":", attempt.events);
  row.number(",\"response_bytes\":", attempt.response_bytes);
  if (row.begin_value(",\"mended\":", !attempt.mended.empty())) {
    std::string_view separator = "{\"";
    for (std::size_t i = 0; i < attempt.mended.size(); ++i) {
      if (attempt.mended[i] != 0) {
        row.bytes(separator);
        row.bytes(openai::to_string(static_cast<openai::Mend>(i)));
        row.literal("\":");
        row.integer(attempt.mended[i]);
        separator = ",\"";
      }
    }
    row.literal("}");
    row.end_value();
  }
  row.text_if(",\"cause\":", attempt.cause ? llm::to_string(*attempt.cause) : std::string_view());
  row.text_if(",\"key\":", attempt.key);
  row.text_if(",\"recovery\":", attempt.recovery);
  row.number_if(",\"repeated_bytes\":", attempt.recovery.empty() ? std::optional<std::int64_t>()
                                                                 : static_cast<std::int64_t>(attempt.repeated_bytes));
  row.flag_if(",\"trial\":", attempt.trial);
  row.text_if(",\"usage_source\":",
              attempt.usage_source > UsageSource::provider ? to_string(attempt.usage_source) : std::string_view());
  row.text_if(",\"tier\":",
              attempt.tier.value_or(Tier::standard) != Tier::standard ? to_string(*attempt.tier) : std::string_view());
  if (row.begin_value(",\"reserved\":", attempt.reserved != nullptr)) {
    const Reserved& reserved = *attempt.reserved;
    row.bytes(R"({"usd":)");
    row.bytes(reserved.money ? reserved.money->to_text() : "null");
    row.bytes(R"(,"tokens":)");
    row.integer(reserved.tokens);
    row.bytes(R"(,"output_tokens":)");
    row.integer(reserved.output_tokens);
    row.bytes(R"(,"until":")");
    row.bytes(observe::rfc3339(reserved.expires));
    row.bytes(R"("})");
    row.end_value();
  }
  if (row.begin_value(",\"charged_usd\":", attempt.reserved != nullptr && attempt.reserved->charged)) {
    row.bytes(attempt.reserved->charged->to_text());
    row.end_value();
  }
  using Tokens = std::optional<Reserved::Tokens>;
  const Tokens charged = attempt.reserved == nullptr ? Tokens() : attempt.reserved->charged_tokens;
  row.number_if(",\"charged_tokens\":", charged ? std::optional(charged->all) : std::nullopt);
  row.number_if(",\"charged_output_tokens\":", charged ? std::optional(charged->output) : std::nullopt);
  if constexpr (Row::is_object) {
    row.literal("}");
  } else {
    row.end();
  }
}

/// What was asked, by whom, and which entry decided: known before the first attempt, and never changed:
/// store::asked_of().
template <class Row>
void write_asked(Row& row, const RequestRecord& record) {
  row.wall_time("{\"time\":", record.time);
  if constexpr (Row::is_object) {
    row.literal(",\"level\":\"info\",\"event\":\"request\"");
    row.plain(",\"id\":", record.id);
    row.plain(",\"request_id\":", record.id);
  }
  row.plain(",\"endpoint\":", record.endpoint);
  row.text_if(",\"tenant\":", record.tenant);
  row.text_if(",\"user\":", record.user);
  row.text_if(",\"key_id\":", record.key_id);
  row.text_if(",\"key\":", record.key);
  row.plain(",\"client\":", record.client);
  row.text_if(",\"client_request_id\":", record.client_request_id);
  row.text_if(",\"trace_id\":", record.trace_id);
  row.text(",\"model\":", record.model);
  row.text(",\"route\":", record.route);
}

/// How the call stands; of one that is open, as far as it is known.
template <class Row>
void write_state(Row& row, const RequestRecord& record) {
  row.text(",\"target\":", record.target);
  row.flag(",\"stream\":", record.stream);
  row.number(",\"status\":", static_cast<std::uint64_t>(record.status));
  row.plain(",\"end_state\":", to_string(record.end_state));
}

template <class Row>
void write_rest(Row& row, const RequestRecord& record) {
  row.text_if(",\"error_code\":", record.error_code);
  row.text_if(",\"error_message\":", record.error_message);
  row.time_if(",\"ttft_ms\":", record.first_token);
  row.time(",\"duration_ms\":", record.duration);
  row.time(",\"weir_added_ms\":", record.added);
  row.number_if(",\"keep_alives\":", record.keep_alives == 0 ? std::optional<std::int64_t>()
                                                             : static_cast<std::int64_t>(record.keep_alives));
  row.number(",\"request_bytes\":", record.request_bytes);
  row.number(",\"response_bytes\":", record.response_bytes);
  write_usage(row, record.usage);
  row.plain(",\"usage_source\":", to_string(record.usage_source));
  row.money(",\"cost_usd\":", record.cost);
  row.text_if(",\"recovered_from\":", record.recovered_from);
  if (row.begin_value(",\"skipped\":", !record.skipped.empty())) {
    char separator = '[';
    for (const std::string& skipped : record.skipped) {
      row.bytes({&separator, 1});
      row.string(skipped);
      separator = ',';
    }
    row.literal("]");
    row.end_value();
  }
  row.text_if(",\"refused_by\":", record.refused_by);
}

template <class Row>
void write_attempts(Row& row, const RequestRecord& record) {
  for (const AttemptRecord& attempt : record.attempts) {
    if (&attempt != record.attempts.data()) {
      row.literal(",");
    }
    if constexpr (Row::is_object) {
      write_attempt(row, attempt);
    } else {
      Array inner(row.end_of_all());
      write_attempt(inner, attempt);
      row.skip(inner.size());
    }
  }
  row.literal("]");
}

void write_object(Object& row, const RequestRecord& record) {
  write_asked(row, record);
  write_state(row, record);
  write_rest(row, record);
  row.literal(",\"attempts\":[");
  write_attempts(row, record);
  row.literal("}");
}

AskedPart write_array(Array& row, const RequestRecord& record, Asked asked) {
  row.literal("[");
  row.quoted(record.id);
  row.literal(",[");
  write_attempts(row, record);
  const std::size_t begin = row.size();
  if (asked == Asked::told) {
    write_asked(row, record);
  }
  const std::size_t end = row.size();
  write_state(row, record);
  if (record.end_state != EndState::open) {
    write_rest(row, record);
  }
  row.end();
  return {.at = begin, .bytes = end - begin};
}

#pragma clang attribute pop

}  // namespace

void RequestRecord::append_to(std::string& out) const {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + room_for_record(*this), [&](char* text, std::size_t) {
    Object row(text + before);
    write_object(row, *this);
    return before + row.size();
  });
}

AskedPart append_kept(std::string& out, const RequestRecord& record, Asked asked) {
  const std::size_t before = out.size();
  AskedPart part;
  out.resize_and_overwrite(before + room_for_record(record), [&](char* text, std::size_t) {
    Array row(text + before);
    part = write_array(row, record, asked);
    return before + row.size();
  });
  part.at += before;
  return part;
}

std::string to_json(const RequestRecord& record) {
  std::string out;
  record.append_to(out);
  return out;
}

}  // namespace weir::ledger

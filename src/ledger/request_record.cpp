#include "ledger/request_record.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "dialects/openai/mend.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::ledger {

namespace {

using platform::Duration;

constexpr std::size_t number_bytes_max = 24;
constexpr std::size_t fixed_bytes_max = 1024;  // keys, punctuation and numbers of one row, with room to spare

/// Writes a JSON row into memory that is large enough: this is done for every call, so each member is a few plain
/// copies. Keys are literals with their punctuation.
class Row {
 public:
  explicit Row(char* at) : begin_(at), at_(at) {}
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

  template <std::size_t n>
  void literal(const char (&text)[n]) {
    std::memcpy(at_, text, n - 1);
    at_ += n - 1;
  }
  void bytes(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  template <std::size_t n>
  void text(const char (&key)[n], std::string_view value) {
    literal(key);
    string(value);
  }
  /// A text of our own that needs no escape: an id, a configured path, a word of an enumeration.
  template <std::size_t n>
  void plain(const char (&key)[n], std::string_view value) {
    literal(key);
    literal("\"");
    bytes(value);
    literal("\"");
  }
  template <std::size_t n>
  void text_if(const char (&key)[n], std::string_view value) {
    if (!value.empty()) {
      text(key, value);
    }
  }
  template <std::size_t n>
  void number(const char (&key)[n], std::uint64_t value) {
    literal(key);
    at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr;
  }
  template <std::size_t n>
  void number_if(const char (&key)[n], std::optional<std::int64_t> value) {
    if (value) {
      literal(key);
      at_ = std::to_chars(at_, at_ + number_bytes_max, *value).ptr;
    }
  }
  /// Milliseconds with three decimals, from whole numbers.
  template <std::size_t n>
  void time(const char (&key)[n], Duration value) {
    literal(key);
    at_ = observe::write_milliseconds(at_, value);
  }
  template <std::size_t n>
  void time_if(const char (&key)[n], std::optional<Duration> value) {
    if (value) {
      time(key, *value);
    }
  }
  template <std::size_t n>
  void money(const char (&key)[n], const std::optional<Money>& amount) {
    literal(key);
    if (amount) {
      at_ = amount->write(at_);
    } else {
      literal("null");
    }
  }
  template <std::size_t n>
  void flag(const char (&key)[n], bool value) {
    literal(key);
    bytes(value ? "true" : "false");
  }
  void usage(const llm::Usage& usage) {
    number_if(",\"tokens_in\":", usage.input_tokens);
    number_if(",\"tokens_out\":", usage.output_tokens);
    number_if(",\"tokens_cached\":", usage.cached_input_tokens);
    number_if(",\"tokens_reasoning\":", usage.reasoning_tokens);
  }
  void string(std::string_view value) {
    if (text::is_plain(value)) {
      literal("\"");
      bytes(value);
      literal("\"");
    } else {
      std::string escaped;
      text::append_json_string(escaped, value);
      bytes(escaped);
    }
  }

 private:
  char* begin_;
  char* at_;
};

/// The most bytes that `value` takes in JSON: a control character becomes six.
std::size_t room_for(std::string_view value) {
  return 6 * value.size() + 2;
}

std::size_t room_for(const RequestRecord& record) {
  std::size_t room = fixed_bytes_max;
  for (const std::string* text :
       {&record.id, &record.id, &record.endpoint, &record.tenant, &record.user, &record.key_id, &record.key,
        &record.client, &record.client_request_id, &record.trace_id, &record.model, &record.route, &record.target,
        &record.error_code, &record.error_message, &record.recovered_from}) {
    room += room_for(*text);
  }
  for (const std::string& skipped : record.skipped) {
    room += room_for(skipped) + 1;
  }
  for (const AttemptRecord& attempt : record.attempts) {
    room += fixed_bytes_max + room_for(attempt.target) + room_for(attempt.reason) + room_for(attempt.upstream_words) +
            room_for(attempt.upstream_request_id) + room_for(attempt.key) +
            (attempt.price ? room_for(attempt.price->name) : 0);
  }
  return room;
}

void write_attempt(Row& row, const AttemptRecord& attempt) {
  row.text("{\"target\":", attempt.target);
  row.plain(",\"end_state\":", to_string(attempt.end_state));
  row.number(",\"status\":", static_cast<std::uint64_t>(attempt.status));
  if (attempt.failure) {
    row.plain(",\"failure\":", weir::to_string(*attempt.failure));
  }
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
  row.usage(attempt.usage);
  if (attempt.usage_source > UsageSource::provider) {
    row.plain(",\"usage_source\":", to_string(attempt.usage_source));
  }
  if (attempt.tier.value_or(Tier::standard) != Tier::standard) {
    row.plain(",\"tier\":", to_string(*attempt.tier));
  }
  row.money(",\"cost_usd\":", attempt.cost);
  if (attempt.price) {
    row.text(",\"price\":", attempt.price->name);
  }
  row.number(",\"events\":", attempt.events);
  row.number(",\"response_bytes\":", attempt.response_bytes);
  if (!attempt.mended.empty()) {
    row.literal(",\"mended\":");
    std::string_view separator = "{\"";
    for (std::size_t i = 0; i < attempt.mended.size(); ++i) {
      if (attempt.mended[i] != 0) {
        row.bytes(separator);
        row.bytes(openai::to_string(static_cast<openai::Mend>(i)));
        row.number("\":", attempt.mended[i]);
        separator = ",\"";
      }
    }
    row.literal("}");
  }
  if (attempt.cause) {
    row.plain(",\"cause\":", llm::to_string(*attempt.cause));
  }
  row.text_if(",\"key\":", attempt.key);
  if (!attempt.recovery.empty()) {
    row.plain(",\"recovery\":", attempt.recovery);
    row.number(",\"repeated_bytes\":", attempt.repeated_bytes);
  }
  if (attempt.trial) {
    row.literal(",\"trial\":true");
  }
  row.literal("}");
}

void write_record(Row& row, const RequestRecord& record) {
  row.plain("{\"time\":", observe::rfc3339(record.time));
  row.literal(",\"level\":\"info\",\"event\":\"request\"");
  row.plain(",\"id\":", record.id);
  row.plain(",\"request_id\":", record.id);
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
  row.text(",\"target\":", record.target);
  row.flag(",\"stream\":", record.stream);
  row.number(",\"status\":", static_cast<std::uint64_t>(record.status));
  row.plain(",\"end_state\":", to_string(record.end_state));
  row.text_if(",\"error_code\":", record.error_code);
  row.text_if(",\"error_message\":", record.error_message);
  row.time_if(",\"ttft_ms\":", record.first_token);
  row.time(",\"duration_ms\":", record.duration);
  row.time(",\"weir_added_ms\":", record.added);
  if (record.keep_alives != 0) {
    row.number(",\"keep_alives\":", record.keep_alives);
  }
  row.number(",\"request_bytes\":", record.request_bytes);
  row.number(",\"response_bytes\":", record.response_bytes);
  row.usage(record.usage);
  row.plain(",\"usage_source\":", to_string(record.usage_source));
  row.money(",\"cost_usd\":", record.cost);
  row.text_if(",\"recovered_from\":", record.recovered_from);
  if (!record.skipped.empty()) {
    row.literal(",\"skipped\":");
    std::string_view separator = "[";
    for (const std::string& skipped : record.skipped) {
      row.bytes(separator);
      row.string(skipped);
      separator = ",";
    }
    row.literal("]");
  }
  row.literal(",\"attempts\":[");
  for (const AttemptRecord& attempt : record.attempts) {
    if (&attempt != record.attempts.data()) {
      row.literal(",");
    }
    write_attempt(row, attempt);
  }
  row.literal("]}");
}

}  // namespace

void settle_cost(AttemptRecord& attempt, std::shared_ptr<const ModelPrice> price) {
  const bool never_asked = attempt.status == 0 && !attempt.connected;
  if (never_asked || attempt.status >= 300) {
    attempt.cost = Money{};
    return;
  }
  attempt.cost = price ? cost_of(*price, attempt.usage, attempt.tier.value_or(Tier::standard)) : std::nullopt;
  attempt.price = std::move(price);
}

std::optional<Money> cost_of(const RequestRecord& record) {
  Money sum;
  for (const AttemptRecord& attempt : record.attempts) {
    if (!attempt.cost) {
      return std::nullopt;
    }
    sum += *attempt.cost;
  }
  return sum;
}

std::string_view to_string(UsageSource source) {
  switch (source) {
    case UsageSource::none: return "none";
    case UsageSource::provider: return "provider";
    case UsageSource::counted: return "counted";
    case UsageSource::estimated: return "estimated";
  }
  return "none";
}

std::string_view to_string(EndState state) {
  switch (state) {
    case EndState::open: return "open";
    case EndState::complete: return "complete";
    case EndState::client_abort: return "client_abort";
    case EndState::upstream_error: return "upstream_error";
    case EndState::gateway_error: return "gateway_error";
  }
  return "open";
}

void RequestRecord::append_to(std::string& out) const {
  if (!json.empty()) {
    out += json;
    return;
  }
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + room_for(*this), [&](char* text, std::size_t) {
    Row row(text + before);
    write_record(row, *this);
    return before + row.size();
  });
}

std::string to_json(const RequestRecord& record) {
  std::string out;
  record.append_to(out);
  return out;
}

}  // namespace weir::ledger

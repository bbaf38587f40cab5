#include "ledger/request_record.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstring>
#include <utility>

#include "dialects/openai/mend.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"

namespace weir::ledger {

namespace {

using platform::Duration;

constexpr std::size_t number_bytes_max = 24;
constexpr std::size_t fixed_bytes_max = 1280;  // keys, punctuation and numbers of one row, with room to spare

template <std::size_t n>
void copy_fixed(char* to, const char* from) {
  std::memcpy(to, from, n);
}

/// A copy of what is mostly short, in place: two that overlap do for every length between.
char* copied(char* to, std::string_view text) {
  const char* from = text.data();
  const std::size_t size = text.size();
  char* const end = to + size;
  if (size > 64) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    for (; end - to > 16; to += 16, from += 16) {
      copy_fixed<16>(to, from);
    }
    copy_fixed<16>(end - 16, text.data() + size - 16);
  } else if (size >= 8) {
    copy_fixed<8>(to, from);
    copy_fixed<8>(end - 8, from + size - 8);
  } else if (size >= 4) {
    copy_fixed<4>(to, from);
    copy_fixed<4>(end - 4, from + size - 4);
  } else {
    while (to != end) {
      *to++ = *from++;
    }
  }
  return end;
}

/// A number below 1000.
char* written_small(char* at, std::uint32_t value) {
  if (value >= 10) {
    if (value >= 100) {
      *at++ = static_cast<char>('0' + value / 100);
    }
    *at++ = static_cast<char>('0' + value / 10 % 10);
  }
  *at++ = static_cast<char>('0' + value % 10);
  return at;
}

/// What both forms of a record have in common: they are written into memory that is large enough, as this is done for
/// every call, so that each member is a few plain copies.
class Bytes {
 public:
  explicit Bytes(char* at) : begin_(at), at_(at) {}
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

  template <std::size_t n>
  void literal(const char (&text)[n]) {
    std::memcpy(at_, text, n - 1);
    at_ += n - 1;
  }
  void bytes(std::string_view text) { at_ = copied(at_, text); }
  void integer(std::integral auto value) {
    if (value >= 0 && value < 1000) {  // as most are
      at_ = written_small(at_, static_cast<std::uint32_t>(value));
    } else {
      at_ = std::to_chars(at_, at_ + number_bytes_max, value).ptr;
    }
  }
  void quoted(std::string_view value) {
    *at_ = '"';
    at_ = copied(at_ + 1, value);
    *at_++ = '"';
  }
  void string(std::string_view value) {
    if (text::is_plain(value)) {
      quoted(value);
    } else {
      std::string escaped;
      text::append_json_string(escaped, value);
      bytes(escaped);
    }
  }

 protected:
  char* begin_;
  char* at_;
};

/// The record as the JSON object of the log and of the admin API. Keys are literals with their punctuation.
class Object : public Bytes {
 public:
  using Bytes::Bytes;
  static constexpr bool is_object = true;

  template <std::size_t n>
  void text(const char (&key)[n], std::string_view value) {
    literal(key);
    string(value);
  }
  /// A text of our own that needs no escape: an id, a configured path, a word of an enumeration.
  template <std::size_t n>
  void plain(const char (&key)[n], std::string_view value) {
    literal(key);
    quoted(value);
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
    integer(value);
  }
  template <std::size_t n>
  void number_if(const char (&key)[n], std::optional<std::int64_t> value) {
    if (value) {
      literal(key);
      integer(*value);
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
  template <std::size_t n>
  void flag_if(const char (&key)[n], bool value) {
    if (value) {
      flag(key, true);
    }
  }
  template <std::size_t n>
  void wall_time(const char (&key)[n], platform::WallTime value) {
    plain(key, observe::rfc3339(value));
  }
  /// A list or an object, which the caller writes; false: there is none, and nothing is to be written.
  template <std::size_t n>
  bool begin_value(const char (&key)[n], bool there_is_one) {
    if (there_is_one) {
      literal(key);
    }
    return there_is_one;
  }
  void end_value() {}
};

/// The record as the array that is kept: see store/call_form.hpp, whose places the members take in the order in which
/// they are written here. What is missing at the end is left out.
class Array : public Bytes {
 public:
  using Bytes::Bytes;
  static constexpr bool is_object = false;

  void text(const auto&, std::string_view value) {
    literal(",");
    string(value);
    present(!value.empty());
  }
  void plain(const auto&, std::string_view value) {
    literal(",");
    quoted(value);
    present(!value.empty());
  }
  void text_if(const auto&, std::string_view value) {
    if (value.empty()) {
      literal(",0");
    } else {
      text("", value);
    }
  }
  void number(const auto&, std::uint64_t value) {
    literal(",");
    integer(value);
    present(value != 0);
  }
  void number_if(const auto&, std::optional<std::int64_t> value) {
    if (value) {
      literal(",");
      integer(*value);
      present(true);
    } else {
      literal(",\"\"");
    }
  }
  void time(const auto&, Duration value) {
    literal(",");
    integer(value.count() / 1000);
    present(value.count() >= 1000 || value.count() <= -1000);
  }
  void time_if(const auto&, std::optional<Duration> value) {
    if (value) {
      time("", *value);
      present(true);
    } else {
      literal(",\"\"");
    }
  }
  void money(const auto&, const std::optional<Money>& amount) {
    literal(",");
    if (amount) {
      at_ = amount->write(at_);
    } else {
      literal("null");
    }
    present(amount.has_value());
  }
  void flag(const auto&, bool value) {
    bytes(value ? ",1" : ",0");
    present(value);
  }
  void flag_if(const auto&, bool value) { flag("", value); }
  void wall_time(const auto&, platform::WallTime value) {
    literal(",");
    integer(std::chrono::floor<std::chrono::milliseconds>(value.time_since_epoch()).count());
    present(true);
  }
  bool begin_value(const auto&, bool there_is_one) {
    bytes(there_is_one ? "," : ",\"\"");
    return there_is_one;
  }
  void end_value() { present(true); }

  /// Behind the last member that is not as if it were missing.
  void end() {
    at_ = present_;
    literal("]");
  }
  void present(bool is) { present_ = is ? at_ : present_; }

  /// Where what stands inside is written, by an Array of its own; then its size.
  [[nodiscard]] char* end_of_all() const { return at_; }
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  char* present_ = at_;
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
        &record.error_code, &record.error_message, &record.recovered_from, &record.refused_by}) {
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
  if constexpr (Row::is_object) {
    row.literal("}");
  } else {
    row.end();
  }
}

/// What is known of a call when its first attempt begins.
template <class Row>
void write_begin(Row& row, const RequestRecord& record) {
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
  write_begin(row, record);
  write_rest(row, record);
  row.literal(",\"attempts\":[");
  write_attempts(row, record);
  row.literal("}");
}

void write_array(Array& row, const RequestRecord& record, bool ended) {
  row.literal("[");
  row.quoted(record.id);
  row.literal(",[");
  write_attempts(row, record);
  row.present(true);
  write_begin(row, record);
  if (ended) {
    write_rest(row, record);
  }
  row.end();
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
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + room_for(*this), [&](char* text, std::size_t) {
    Object row(text + before);
    write_object(row, *this);
    return before + row.size();
  });
}

void append_kept(std::string& out, const RequestRecord& record) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + room_for(record), [&](char* text, std::size_t) {
    Array row(text + before);
    write_array(row, record, record.end_state != EndState::open);
    return before + row.size();
  });
}

std::string to_json(const RequestRecord& record) {
  std::string out;
  record.append_to(out);
  return out;
}

}  // namespace weir::ledger

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/store.hpp"

/// The form in which calls are kept: the record of a call as a JSON array in which the place of a value tells what it
/// is. It takes a third of the bytes of the object with the same content, and SQL can read it.
///
///   ["req_...",[["openai/gpt-4o","complete",200,...],...],1763715903007,"/v1/chat/completions",...]
///
/// A call's array begins with its id and its attempts; the other places are those of `call_members`, and of
/// `attempt_members` in each attempt. What an array lacks at its end is as `Slot` says, so that new members can be
/// added behind the last ones. Nothing else may ever change: what was kept by an older version has to be read.
/// Pure functions.
namespace weir::store {

/// How a member is written, and what its absence is.
enum class Slot : std::uint8_t {
  text,           // missing: ""
  optional_text,  // 0: there is none
  number,         // missing: 0
  time,           // microseconds; missing: 0
  optional_time,  // microseconds; "": there is none
  optional,       // a number, a list, an object; "": there is none
  money,          // US dollars as a decimal number; null: not known
  flag,           // 0 or 1
  optional_flag,  // 0: not told; 1: true
  wall_time,      // milliseconds since 1970
};
struct CallMember {
  std::string_view key;  // in the object
  Slot slot;
};

inline constexpr std::size_t id_place = 0;
inline constexpr std::size_t attempts_place = 1;
inline constexpr std::size_t first_member_place = 2;
inline constexpr auto call_members = std::to_array<CallMember>({
    {"time", Slot::wall_time},
    {"endpoint", Slot::text},
    {"tenant", Slot::optional_text},
    {"user", Slot::optional_text},
    {"key_id", Slot::optional_text},
    {"key", Slot::optional_text},
    {"client", Slot::text},
    {"client_request_id", Slot::optional_text},
    {"trace_id", Slot::optional_text},
    {"model", Slot::text},
    {"route", Slot::text},
    {"target", Slot::text},
    {"stream", Slot::flag},
    {"status", Slot::number},
    {"end_state", Slot::text},
    {"error_code", Slot::optional_text},
    {"error_message", Slot::optional_text},
    {"ttft_ms", Slot::optional_time},
    {"duration_ms", Slot::time},
    {"weir_added_ms", Slot::time},
    {"keep_alives", Slot::optional},
    {"request_bytes", Slot::number},
    {"response_bytes", Slot::number},
    {"tokens_in", Slot::optional},
    {"tokens_out", Slot::optional},
    {"tokens_cached", Slot::optional},
    {"tokens_reasoning", Slot::optional},
    {"usage_source", Slot::text},
    {"cost_usd", Slot::money},
    {"recovered_from", Slot::optional_text},
    {"skipped", Slot::optional},
    {"refused_by", Slot::optional_text},
});
inline constexpr auto attempt_members = std::to_array<CallMember>({
    {"target", Slot::text},
    {"end_state", Slot::text},
    {"status", Slot::number},
    {"failure", Slot::optional_text},
    {"reason", Slot::optional_text},
    {"upstream_words", Slot::optional_text},
    {"started_ms", Slot::optional_time},
    {"connected_ms", Slot::optional_time},
    {"first_byte_ms", Slot::optional_time},
    {"first_token_ms", Slot::optional_time},
    {"ended_ms", Slot::optional_time},
    {"backoff_ms", Slot::time},
    {"reused_connection", Slot::flag},
    {"silent_retry", Slot::flag},
    {"upstream_request_id", Slot::optional_text},
    {"tokens_in", Slot::optional},
    {"tokens_out", Slot::optional},
    {"tokens_cached", Slot::optional},
    {"tokens_reasoning", Slot::optional},
    {"cost_usd", Slot::money},
    {"price", Slot::optional_text},
    {"events", Slot::number},
    {"response_bytes", Slot::number},
    {"mended", Slot::optional},
    {"cause", Slot::optional_text},
    {"key", Slot::optional_text},
    {"recovery", Slot::optional_text},
    {"repeated_bytes", Slot::optional},
    {"trial", Slot::optional_flag},
    {"usage_source", Slot::optional_text},
    {"tier", Slot::optional_text},
    {"reserved", Slot::optional},
    {"charged_usd", Slot::optional},
    {"charged_tokens", Slot::optional},
    {"charged_output_tokens", Slot::optional},
});

/// The call's id, without reading the rest; empty where there is none.
[[nodiscard]] std::string_view id_of(std::string_view record);
/// What was asked: the members from `time` to `route`, as they are written, each behind its comma. Known before the
/// first attempt, and never changed. Empty where they are not there. Of a record that is JSON.
[[nodiscard]] std::string_view asked_of(std::string_view record);
/// The key that it was asked with, as written; empty: none.
[[nodiscard]] std::string_view key_of(std::string_view asked);
/// When it was asked: milliseconds since 1970.
[[nodiscard]] std::int64_t time_of(std::string_view asked);
/// The record as the object that the log has and the admin API gives.
[[nodiscard]] Result<std::string> as_object(std::string_view record);
/// The record of a call whose end nobody saw: what was open in it is `unknown`.
[[nodiscard]] Result<std::string> as_unknown(std::string_view record);
/// What analysts ask for.
[[nodiscard]] Result<InferenceLog> row_of(std::string_view record);

/// What budgets ask for: who pays for a call, when it ended, and what it was charged with.
struct CallCharge {
  platform::WallTime ended{};
  std::string tenant;
  std::string user;
  std::string key_id;
  std::string route;
  struct Amount {
    std::optional<std::int64_t> picodollars;  // whole 1e-12 US dollars; absent: not known
    std::int64_t tokens = 0;                  // prompt and answer
    std::int64_t output_tokens = 0;
  };
  std::vector<Amount> attempts;
  /// Of an attempt whose end nobody saw: what it held, and until when.
  struct Open {
    Amount worst;
    platform::WallTime expires{};
  };
  std::vector<Open> open;
};
[[nodiscard]] Result<CallCharge> charge_of(std::string_view record);

/// The sums that a query asks for, over the calls that it is shown. The same for every store that sums by itself.
class UsageSums {
 public:
  explicit UsageSums(const UsageQuery& query) : query_(query) {}
  void add(const InferenceLog& call);
  /// Sorted by day, tenant, key, model.
  [[nodiscard]] std::vector<UsageRow> rows() const;

 private:
  struct Less {
    bool operator()(const UsageRow& a, const UsageRow& b) const;
  };
  const UsageQuery& query_;
  std::vector<UsageRow> rows_;  // sorted; few
};

/// What of a query the call itself decides, the ids apart.
[[nodiscard]] bool matches(const RequestQuery& query, const InferenceLog& call);

}  // namespace weir::store

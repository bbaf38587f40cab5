#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ledger/journal_place.hpp"
#include "ledger/prices.hpp"
#include "llm/cause.hpp"
#include "llm/usage.hpp"
#include "observe/log.hpp"
#include "platform/clock.hpp"
#include "platform/recycled_memory.hpp"

namespace weir::ledger {

/// How a call or an attempt ended.
enum class EndState : std::uint8_t {
  open,            // still running
  complete,        // the whole answer (or the caller's own error) was delivered
  client_abort,    // the caller left first
  upstream_error,  // the provider failed
  gateway_error,   // we refused or failed
};
std::string_view to_string(EndState state);

/// Where the token counts of a call or an attempt come from.
enum class UsageSource : std::uint8_t {
  none,       // nothing is known, or nothing was used
  provider,   // its own word
  counted,    // it told none: weir counted them, as the provider does
  estimated,  // it told none, and they cannot be counted exactly, or the count did not come in time
};
std::string_view to_string(UsageSource source);

/// What an attempt held of limits and budgets while it ran.
struct Reserved {
  std::optional<Money> money;  // the most that it could cost; absent: no price is known
  std::int64_t tokens = 0;     // prompt and answer
  std::int64_t output_tokens = 0;
  platform::WallTime expires{};  // it is free from then on, whatever became of the process
  std::optional<Money> charged;  // what it was settled with; absent: it runs, or nobody knows
  // The same in tokens, where they are not those of `usage`, because nobody told them.
  struct Tokens {
    std::int64_t all = 0;  // prompt and answer
    std::int64_t output = 0;
  };
  std::optional<Tokens> charged_tokens;
};

/// One upstream call. Times are measured from the start of the request; those that did not happen are absent.
struct AttemptRecord {
  std::string target;  // "provider/model", as configured
  std::optional<platform::Duration> started;
  std::optional<platform::Duration> connected;    // a connection was there (at once for a reused one)
  std::optional<platform::Duration> first_byte;   // the response head was whole
  std::optional<platform::Duration> first_token;  // the commit point: the first content
  std::optional<platform::Duration> ended;
  int status = 0;  // what the provider answered; 0: it did not
  EndState end_state = EndState::open;
  std::optional<Code> failure;      // why it was left
  std::string reason;               // the same in our words; empty when complete
  std::string upstream_words;       // the provider's own words, shortened: for log and explain, never for the caller
  platform::Duration backoff{};     // waited before this attempt
  bool reused_connection = false;   // went over a kept-alive connection
  bool silent_retry = false;        // repeats an attempt whose reused connection turned out to be closed
  std::string upstream_request_id;  // the provider's x-request-id
  llm::Usage usage;
  UsageSource usage_source = UsageSource::none;
  std::optional<Tier> tier;  // of service: that the provider says it gave, else the one that was asked for
  std::shared_ptr<const ModelPrice> price;  // null: unknown
  std::optional<Money> cost;                // absent: unknown
  std::uint64_t events = 0;                 // of the stream, those before the commit included
  std::uint64_t response_bytes = 0;
  std::vector<std::uint32_t> mended;  // events, by openai::Mend; empty: none
  std::optional<llm::Cause> cause;    // of the failure
  std::string key;                    // the label of the key that was used, never the key; empty: none was
  // Of an attempt that was to go on with an answer that had broken off: "proven" or "prefill"; else empty.
  std::string_view recovery;
  std::uint64_t repeated_bytes = 0;    // how much it repeated of the text that the caller had
  std::shared_ptr<Reserved> reserved;  // null: nothing bounds the call by tokens or money
  bool trial = false;                  // finds out whether the target is well again: its breaker was half-open
};

/// One call, from the first byte to the last. Written once, when the call has ended; shared as const afterwards.
struct RequestRecord final : observe::LogLine {
  std::string id;  // the response's x-weir-request-id
  platform::WallTime time{};
  std::string_view endpoint;  // "/v1/chat/completions": a constant
  std::string tenant;
  std::string user;               // of the caller's key
  std::string key_id;             // the caller's key; empty: none
  std::string key;                // its label, never the key
  std::string client;             // address
  std::string client_request_id;  // the caller's own x-request-id, if sent
  std::string trace_id;
  std::string model;   // as the caller named it
  std::string route;   // the entry that decided; a configured name, safe as a label
  std::string target;  // the one that answered; empty if none
  bool stream = false;
  int status = 0;  // what the caller got; 0: he left before
  EndState end_state = EndState::open;
  std::string error_code;  // the stable code that the caller saw, empty if none
  std::string error_message;
  std::optional<platform::Duration> first_token;
  platform::Duration duration{};
  platform::Duration added{};     // what weir itself took of it: all but waiting for others
  std::uint64_t keep_alives = 0;  // sent before the first content
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  llm::Usage usage;
  UsageSource usage_source = UsageSource::none;  // the least certain of those that it was added up from
  std::optional<Money> cost;                     // of all attempts; absent: of one at least it is unknown
  RecycledVector<AttemptRecord> attempts;
  std::vector<std::string> skipped;  // targets that were not asked, and why
  std::string recovered_from;        // the target whose stream broke off and was gone on with by `target`; mostly empty

  std::string refused_by;  // the limit or budget that refused it, or sent it to a substitute; mostly empty
  // Of the journal: as long as this is held, the file stays in which the call is told to be open.
  std::shared_ptr<const void> open_in;
  JournalPlace asked_at;  // where in that file stands what was asked

  /// The record as one JSON object: the form of the log line and of GET /admin/v1/requests/{id}. Never a prompt, answer
  /// or key.
  void append_to(std::string& out) const override;
};

/// Finds what the attempt costs, by `price`, which may be null. An attempt that the provider refused or never got costs
/// nothing; one that it answered without telling a usage, or that was left while it worked, has an unknown cost.
void settle_cost(AttemptRecord& attempt, std::shared_ptr<const ModelPrice> price);
/// The sum over the attempts; nothing where one is unknown.
std::optional<Money> cost_of(const RequestRecord& record);

using RecordPtr = std::shared_ptr<const RequestRecord>;

/// Takes the record of a call that has ended. Called on request threads: must not block.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void record(RecordPtr record) = 0;
};

std::string to_json(const RequestRecord& record);

/// Whether what was asked is written too: store::asked_of().
enum class Asked : std::uint8_t { told, left_out };
/// Where in what was appended stands what was asked, or would.
struct AskedPart {
  std::size_t at = 0;
  std::size_t bytes = 0;
};
/// Appends the record in the form in which it is kept (store/call_form.hpp); of a call that is open, what is known by
/// then.
AskedPart append_kept(std::string& out, const RequestRecord& record, Asked asked = Asked::told);

}  // namespace weir::ledger

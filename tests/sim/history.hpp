#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/request_record.hpp"
#include "platform/clock.hpp"
#include "platform/sim/simulated_connection.hpp"
#include "sim/upset.hpp"

namespace weir::sim {

using platform::Duration;
using platform::Instant;

/// What a provider says when a request is too long for its model.
inline constexpr std::string_view context_window = "context_length_exceeded";

// Of a metered scenario, in picodollars.
inline constexpr std::int64_t input_price = 1'000'003;
inline constexpr std::int64_t output_price = 2'000'029;
inline constexpr std::int64_t metered_cap = 1'000'000'000'000'000'000;

/// What an upstream means to do with one request.
struct Intent {
  Upset upset = Upset::none;
  Phase phase = Phase::before_head;
  int status = 200;                         // of Upset::error before the head
  std::string_view says;                    // with it: the provider's code, a literal; empty: none
  std::optional<int> retry_after;           // in seconds
  std::size_t words = 1;                    // pieces of text in the answer
  std::size_t upset_after_words = 1;        // for Phase::after_content and within_body
  std::size_t filler_bytes = 0;             // behind each word
  bool by_key = false;                      // an error status for the key's sake
  bool early = false;                       // an error status before the request has come whole
  Duration slow_for{};                      // of Upset::slow
  std::uint64_t same_text = 0;              // not 0: the text follows from this alone, so every upstream gives the same
  std::optional<std::size_t> altered_word;  // but for this word
  bool usage_in_finish = false;  // the usage stands in the event with the finish reason, not in one of its own
};

/// What an upstream saw and did: one per request whose call it recognised.
struct UpstreamCall {
  std::uint64_t serial = 0;  // the number in every word of this answer
  std::string upstream;
  std::string call;  // the caller's x-request-id as it stands in the body
  bool stream = false;
  bool usage_asked = false;               // by the request as it came here
  std::size_t key = 0;                    // the gateway's key that it came with, as in UpstreamPlan::keys
  std::optional<std::size_t> output_max;  // max_completion_tokens as it came here
  Intent intent;
  Instant received;
  std::shared_ptr<const platform::LinkReport> link;  // the gateway dialled, we accepted
  bool first_on_connection = true;
  std::vector<std::string> events;       // the data of each event that was written, the last perhaps in part
  std::optional<Instant> first_content;  // written
  std::string text;                      // of a stream, decoded
  std::size_t words_sent = 0;
  bool finish_sent = false;
  bool done_sent = false;
  bool body_ended = false;  // the framing says so
  std::optional<Instant> ended;
  std::string body;  // of an answer that is not streamed
};

/// The upstream that an attempt asked: its provider has the same name.
inline std::string provider_of(const ledger::AttemptRecord& attempt) {
  return attempt.target.substr(0, attempt.target.find('/'));
}

/// What a client meant to do with one call.
struct CallPlan {
  std::string id;  // sent as x-request-id and as the question
  std::string model;
  bool stream = true;
  bool usage = false;  // asks for it
  std::size_t padding_bytes = 0;
  bool chunked = false;  // the request's body
  std::size_t send_pieces = 1;
  Duration send_pause{};
  Duration read_pause{};     // before each read
  Duration read_spurt{};     // how long it reads on before it pauses again
  bool reads_small = false;  // few bytes at a time
  std::optional<Mischief> leave;
  ClientPhase leave_phase = ClientPhase::waiting;
  Duration leave_after{};             // while waiting: since the request was sent
  std::size_t leave_after_words = 0;  // while receiving
  bool pipelined = false;             // sent together with the one before
  std::string key;                    // the caller's; empty: none is sent
  std::int64_t output_max = 0;        // max_completion_tokens; 0: not said
  bool same_text = false;             // every upstream gives it the same text, or nearly
};

/// What a client saw of one call.
struct ClientCall {
  CallPlan plan;
  std::size_t body_bytes = 0;  // of the request, without its framing
  Instant started;
  std::optional<Instant> sent;  // the whole request was written
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;                            // as far as it came, without its framing
  std::optional<Instant> head_at;
  std::optional<Instant> first_content_at;
  std::optional<Instant> ended_at;  // the framing's end
  bool between_chunks = false;      // where it stopped, not a byte of a next chunk had come
  std::string broken_framing;       // how the gateway broke HTTP; empty: it did not
  std::optional<Code> connection_end;
  std::optional<Instant> left;  // by its own will
  bool out_of_patience = false;
  bool abandoned = false;                            // pipelined behind an answer that ended the connection
  std::shared_ptr<const platform::LinkReport> link;  // we dialled, the gateway accepted
};

/// A circuit breaker opened, as the log says.
struct BreakerOpening {
  std::string provider;
  Instant at;
};

/// Everything that happened in one run, for the judge.
struct History {
  std::deque<UpstreamCall> upstream_calls;  // a deque: references stay
  std::deque<ClientCall> client_calls;
  std::vector<ledger::RecordPtr> records;
  std::vector<Instant> settled_at;  // each record, in their order
  std::vector<BreakerOpening> openings;
  Reached reached;
  std::uint64_t next_serial = 0;
  std::optional<Instant> drain_began;
  std::vector<std::string> end_violations;  // found when everything was over: leaks and hangs
};

}  // namespace weir::sim

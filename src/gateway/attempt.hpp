#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dialects/openai/edits.hpp"
#include "dialects/openai/mend.hpp"
#include "dialects/openai/stream.hpp"
#include "gateway/call.hpp"
#include "gateway/continuation.hpp"
#include "gateway/core.hpp"
#include "gateway/reply_sink.hpp"
#include "gateway/retry_policy.hpp"
#include "http/server.hpp"
#include "http/sse_parser.hpp"
#include "ledger/request_record.hpp"
#include "routing/resolve.hpp"
#include "routing/target_state.hpp"

namespace weir::gateway {

class KeyTurn;
struct Uncounted;

class Charges;

/// What a provider answered with a status that is no success, kept in case it is what the caller gets.
struct ProviderAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // those that pass
  std::string body;
};

/// How an attempt ended.
struct AttemptResult {
  enum class Kind : std::uint8_t {
    delivered,    // the whole answer is with the caller
    broken,       // content had left when it failed, and the caller was not told yet
    caller_left,  // or the gateway stops: see RequestEnd
    failed,       // nothing had left: another attempt may be made
  };
  Kind kind = Kind::failed;
  AttemptFailure failure;
  std::string reason;                      // our words
  std::unique_ptr<ProviderAnswer> answer;  // of a failed one; null: none that could be passed on
  bool closed_before_reply = false;        // on a reused connection: repeat it at once
  bool differs = false;  // of a failed one: it was to go on with an answer that broke off, and gave another one
  // When the first of all targets that were asked, or passed over, takes calls again, as far as they said so.
  std::optional<platform::Instant> back_at;
  bool back_at_is_own = false;  // it is this answer's own word
};

/// One upstream call, and the relay of its answer to the caller.
///
/// Nothing leaves before the commit point: the first event with content, or a whole reply. Until then every failure is
/// a value and another attempt is free; after it, the caller gets the rest or the truth about its absence. An attempt
/// that is to go on with an answer that broke off (`resume`) commits where it has something that the caller lacks.
/// Belongs to one loop.
class Attempt {
 public:
  struct Context {
    Core& core;
    const Call& call;
    ReplySink& sink;
    http::RequestEnd& end;
    ledger::RequestRecord& record;  // of the whole call; the attempt's own row is its last
    ledger::LiveCall& live;
    Charges* charges = nullptr;  // what bounds the call; null: nothing
    platform::Duration& waited;
    platform::Instant deadline;             // of the whole call
    bool timed = false;                     // the target is chosen by its speed
    std::unique_ptr<Uncounted>& uncounted;  // what is kept of an answer whose provider tells no usage; mostly null
  };
  /// What belongs to one attempt of the call.
  struct Turn {
    const routing::Candidate& candidate;
    providers::Provider& provider;
    KeyTurn& keys;                   // ours at the provider
    routing::Slot& slot;             // its place at the target
    bool fresh_connection = false;   // not a kept-alive one
    Delivered* delivered = nullptr;  // keeps what the caller gets of a stream; null: nobody would go on with it
    std::optional<Resume> resume;    // go on with `delivered`, which broke off
  };
  /// `context` outlives the attempt, and so does all that `turn` names.
  Attempt(const Context& context, const Turn& turn);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() = default;

  WEIR_OWN_FRAME Task<AttemptResult> run();
  /// What the answer's head said about limits, as far as it matters; empty where no key was used.
  [[nodiscard]] const providers::RateLimits& limits() const { return limits_; }

 private:
  using Bytes = Result<std::string_view>;

  void prepare_body();
  WEIR_OWN_FRAME Task<AttemptResult> no_stream(std::unique_ptr<providers::UpstreamReply> reply, std::string body);
  WEIR_OWN_FRAME Task<AttemptResult> keep_answer(std::unique_ptr<providers::UpstreamReply> reply);

  // relay_stream.cpp
  WEIR_OWN_FRAME Task<AttemptResult> relay_stream(std::unique_ptr<providers::UpstreamReply> reply);
  Task<std::optional<AttemptResult>> take_event(const http::SseEvent& event, providers::UpstreamReply& reply);
  WEIR_OWN_FRAME Task<std::optional<AttemptResult>> deliver(std::string_view event, bool content,
                                                            providers::UpstreamReply& reply);
  WEIR_OWN_FRAME Task<AttemptResult> deliver_end(std::string_view last, providers::UpstreamReply& reply);
  WEIR_OWN_FRAME Task<AttemptResult> stream_stopped(Error error, providers::UpstreamReply& reply);
  /// The event with its data made of these parts, in scratch_.
  std::string_view rewritten(const http::SseEvent& event, std::span<const std::string_view> parts);
  /// What the caller gets of an event that is not swallowed.
  std::string_view relayed(const http::SseEvent& event, const openai::ChunkFacts& facts, const openai::Relay& relay);
  /// Nothing if it is well-formed. `cut`: the usage that only weir asked for.
  std::optional<std::string_view> mended(const http::SseEvent& event, std::optional<text::Span> cut);
  // continue_stream.cpp
  /// The event, as this answer's caller would get it, of an answer that is to go on with another one.
  WEIR_OWN_FRAME Task<std::optional<AttemptResult>> go_on(std::string_view event);
  WEIR_OWN_FRAME Task<AttemptResult> go_on_to_end(std::string_view last);
  void resume();
  AttemptResult differs(std::string why);

  /// Every choice that was asked for has its finish reason, which implies the terminator.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] platform::Instant next_event_deadline(bool event_came);

  // relay_whole.cpp
  WEIR_OWN_FRAME Task<AttemptResult> relay_whole(std::unique_ptr<providers::UpstreamReply> reply);
  WEIR_OWN_FRAME Task<AttemptResult> relay_as_it_comes(providers::UpstreamReply& reply, std::string start);

  Task<Bytes> read(providers::UpstreamReply& reply, platform::Instant deadline);
  /// False if the memory budget has no room for that much held of the reply.
  [[nodiscard]] bool charge(std::size_t bytes) {
    return context_.core.budget == nullptr || held_lease_.grow_to(*context_.core.budget, bytes);
  }
  /// The head as the caller gets it; the commit point is now.
  void commit(const providers::UpstreamReply& reply, bool streamed, std::optional<std::size_t> body_bytes);
  /// No cause: it follows from the code.
  AttemptResult failed(Code code, std::string reason, std::string upstream_words = {},
                       std::optional<llm::Cause> cause = {});
  void note_wait(llm::Cause cause, std::string_view message);
  /// An error that came inside of a success, before anything had left: worth what the status would have been.
  AttemptResult failed_in_success(std::string_view body, std::string reason);
  /// For content that had left: the caller is told by whoever knows whether another answer can go on with it.
  AttemptResult broken(Code code, std::string reason, std::string upstream_words = {},
                       std::optional<llm::Cause> cause = {});
  AttemptResult left();
  AttemptResult complete();
  [[nodiscard]] platform::Duration since_start() const;
  [[nodiscard]] ledger::AttemptRecord& row() { return context_.record.attempts.back(); }

  const Context& context_;
  const Turn turn_;
  const providers::KeyPool::Lease* key_ = nullptr;  // that it was sent with; null: none
  platform::Instant began_;
  openai::EditList edits_;
  std::vector<std::string_view> body_;
  bool committed_ = false;
  providers::RateLimits limits_;

  // Of a stream.
  openai::ChunkInspector inspector_;
  openai::ChatStream chat_;
  openai::StreamMender mender_;
  std::vector<std::string> held_;  // events before the commit point
  std::size_t held_bytes_ = 0;
  platform::MemoryBudget::Lease held_lease_;  // for what is held of a stream or a whole reply
  std::optional<platform::Instant> whole_since_;
  platform::Instant last_event_;  // of those that came once it was whole
  platform::Instant event_at_{};  // when the last whole event had been dealt with
  std::uint64_t events_counted_ = 0;
  std::string scratch_;                         // an event from which a part was cut
  std::unique_ptr<Continuation> continuation_;  // with `resume`
};

/// The headers that weir adds to every answer of a call. `provider_sent_id`: x-request-id is then the provider's.
/// `added`: the time that weir itself took.
void append_own_headers(http::FieldLines& out, const Call& call, const ledger::RequestRecord& record,
                        bool provider_sent_id, platform::Duration added);

}  // namespace weir::gateway

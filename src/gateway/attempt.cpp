#include "gateway/attempt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dialects/openai/causes.hpp"
#include "dialects/openai/prefill.hpp"
#include "dialects/openai/reply.hpp"
#include "gateway/charges.hpp"
#include "gateway/key_turn.hpp"
#include "gateway/passthrough.hpp"
#include "gateway/rate_limit_headers.hpp"
#include "http/head_writer.hpp"
#include "observe/json_time.hpp"
#include "text/json_value.hpp"
#include "text/write_text.hpp"

namespace weir::gateway {

using platform::Duration;
using platform::Instant;
using providers::UpstreamReply;

namespace {

constexpr std::size_t upstream_words_max = 500;  // of a provider's words in a record
constexpr std::size_t upstream_id_max = 256;     // of its request id
constexpr std::size_t own_headers_bytes = 500;   // of most answers

/// How a failed wait or connection looks from the caller's side.
Code as_upstream_code(Code code) {
  switch (code) {
    case Code::refused:
    case Code::unreachable: return Code::upstream_unreachable;
    case Code::reset:
    case Code::end_of_stream: return Code::upstream_broken;
    case Code::timeout: return Code::upstream_timeout;
    default: return code;
  }
}

/// For the repeats of one call at one target, and for nothing else. Hex of FNV-1a over the target's model.
std::string idempotency_key(const Call& call, const routing::Candidate& candidate) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : candidate.upstream_model) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{}-{:016x}", call.id, hash);
}

/// What an error answer says, for the record. Of JSON only the message: the rest may repeat the request, prompt and
/// all.
std::string words_of(std::string_view body) {
  const auto text_of = [](const std::optional<text::JsonValue>& value) {
    return value && value->kind == text::JsonKind::string ? text::unescape_lossy(value->string_raw()) : std::string();
  };
  if (!text::scan_document(body)) {
    return std::string(body.substr(0, upstream_words_max));
  }
  if (!text::scan_object(body, [](const text::JsonMember&) {})) {
    return {};
  }
  if (const auto error = text::find_member(body, "error")) {
    if (const auto reported = openai::read_error(*error, body); reported && !reported->message.empty()) {
      return reported->message;
    }
  }
  const std::string message = text_of(text::find_member(body, "message"));
  return message.empty() ? text_of(text::find_member(body, "detail")) : message;
}

/// Of a content type: clients read what bears it as JSON.
bool is_json(std::string_view type) {
  return type.contains("json");
}

/// What the caller gets of an error answer, if it is the last word; null: it is told in the gateway's words.
std::unique_ptr<ProviderAnswer> for_caller(ProviderAnswer answer, bool whole, llm::Cause cause,
                                           std::string_view call_id) {
  if (answer.status < 400 || answer.status > 599) {
    return nullptr;  // no error that a client knows; a redirect would lead it, and its key, elsewhere
  }
  const bool readable = whole && text::scan_document(answer.body);
  if (!readable) {
    // Clients go by the status: to repeat what the caller did wrong would help nobody, and after a 429 they wait.
    if (!is_about_request(cause) && answer.status != 429) {
      return nullptr;
    }
    answer.body = openai::error_body(
        fmt::format("The provider answered {} {}, and nothing that could be passed on. Request id: {}.", answer.status,
                    http::reason_phrase(static_cast<unsigned>(answer.status)), call_id),
        answer.status == 429 ? "rate_limit_error" : "invalid_request_error", std::nullopt, "upstream_error");
  }
  std::erase_if(answer.headers, [readable](const auto& header) {
    return http::iequals(header.first, "content-type") && (!readable || !is_json(header.second));
  });
  return std::make_unique<ProviderAnswer>(std::move(answer));
}

}  // namespace

void append_own_headers(http::FieldLines& out, const Call& call, const ledger::RequestRecord& record,
                        bool provider_sent_id, Duration added) {
  out.add("x-weir-request-id", call.id);
  if (!provider_sent_id) {
    out.add("x-request-id", call.id);
  }
  if (!record.attempts.empty()) {
    out.add("x-weir-target", record.attempts.back().target);
  }
  out.add("x-weir-attempts", static_cast<std::int64_t>(record.attempts.size()));
  constexpr std::string_view measure = "weir;dur=";
  std::array<char, measure.size() + 24> timing;
  out.add("server-timing",
          {timing.data(), observe::write_milliseconds(text::write_text(timing.data(), measure), added)});
}

Attempt::Attempt(const Context& context, const Turn& turn)
    : context_(context),
      turn_(turn),
      began_(context.core.loop.now()),
      inspector_(context.call.operation().inspect_chunk),
      chat_(context.call.request.include_usage ? openai::UsageView::shown : openai::UsageView::hidden),
      mender_(context.call.id) {}

Duration Attempt::since_start() const {
  return context_.core.loop.now() - context_.call.started;
}

void Attempt::prepare_body() {
  const Call& call = context_.call;
  edits_.add(openai::edit_model(call.request, turn_.candidate.upstream_model));
  if (call.request.stream) {
    edits_.add(turn_.provider.quirks().stream_usage == providers::StreamUsage::ask
                   ? openai::edit_include_usage(call.request)
                   : openai::edit_no_stream_options(call.request, call.body));
  }
  if (context_.charges != nullptr) {
    if (const auto limit = context_.charges->output_limit()) {
      const char* const member = turn_.provider.quirks().max_completion_tokens ? "max_completion_tokens" : "max_tokens";
      for (auto& edit : openai::edit_output_limit(call.request, *limit, member)) {
        edits_.add(std::move(edit));
      }
    }
  }
  if (turn_.resume) {
    continuation_ = std::make_unique<Continuation>(*turn_.delivered, *turn_.resume);
    row().recovery = *turn_.resume == Resume::proven ? "proven" : "prefill";
  }
  if (turn_.resume && *turn_.resume != Resume::proven) {
    for (openai::Edit& edit : openai::edit_prefill(call.request, call.body, turn_.delivered->texts()[0].bytes,
                                                   turn_.provider.quirks().prefill)) {
      edits_.add(std::move(edit));
    }
  }
  openai::slices(call.body, edits_.all(), body_);
}

Task<AttemptResult> Attempt::run() {
  const Call& call = context_.call;
  const routing::Timeouts& timeouts = turn_.candidate.target->timeouts;
  row().started = since_start();
  if (context_.core.journal != nullptr) {
    context_.core.journal->opened(context_.record);  // before the provider hears of it
  }
  context_.live.note(ledger::LiveStep::attempt_began);
  prepare_body();

  const Duration limit = call.request.stream ? timeouts.first_token : timeouts.attempt;
  const Instant own_deadline = std::min(began_ + limit, context_.deadline);
  const std::string traceparent =
      call.trace ? observe::traceparent(*call.trace, context_.core.loop.random().next()) : std::string();
  const std::string idempotency =
      turn_.provider.quirks().idempotency_key ? idempotency_key(call, turn_.candidate) : std::string();
  const providers::UpstreamRequest request{
      .path = call.endpoint.upstream_path,
      .query = call.query,
      .body = body_,
      .body_bytes = openai::edited_size(call.body, edits_.all()),
      .headers = call.headers,
      .traceparent = traceparent,
      .model = turn_.candidate.upstream_model,
      .mock = call.mock,
      .choose_key =
          [this](Instant now) {
            key_ = turn_.keys.key(now);
            if (key_ != nullptr) {
              row().key = key_->label();
            }
            return key_;
          },
      .idempotency_key = idempotency,
      .stream = call.request.stream,
      .fresh_connection = turn_.fresh_connection,
      .on_connected =
          [this](Instant now) {
            row().connected = now - context_.call.started;
            context_.live.note(ledger::LiveStep::connected);
          },
      .connect_deadline = std::min(began_ + timeouts.connect, own_deadline),
  };
  providers::UpstreamFacts facts;
  const Instant asked = context_.core.loop.look_at_clock();
  auto reply = co_await turn_.provider.send(request, facts, {own_deadline, &context_.end.cancellation});
  const Instant answered = context_.core.loop.now();
  context_.waited += answered - asked;
  if (facts.connected) {
    row().connected = *facts.connected - call.started;
  }
  row().reused_connection = facts.reused_connection;
  if (!reply) {
    if (reply.error().code == Code::cancelled) {
      co_return left();
    }
    AttemptResult result = failed(reply.error().code, reply.error().message, reply.error().upstream_words);
    result.closed_before_reply = facts.reused_connection && facts.closed_before_reply;
    co_return result;
  }
  row().first_byte = answered - call.started;
  row().status = (*reply)->status();
  row().upstream_request_id = (*reply)->headers().value(http::KnownHeader::x_request_id).substr(0, upstream_id_max);
  context_.live.note(ledger::LiveStep::answered);
  if (key_ != nullptr && (*reply)->status() < 300 && key_->pool()->size() > 1) {
    limits_ = providers::read_rate_limits((*reply)->headers(), context_.core.loop.wall_now());
  }
  if ((*reply)->status() < 200 || (*reply)->status() > 299) {
    // A server that waited on an idle connection for too long says so before it closes it. If our call crosses that, it
    // saw nothing of it (RFC 9110, 15.5.9).
    const bool idle_too_long = facts.reused_connection && (*reply)->status() == 408 &&
                               http::iequals((*reply)->headers().value(http::KnownHeader::connection), "close");
    AttemptResult result = co_await keep_answer(std::move(*reply));
    result.closed_before_reply = idle_too_long && result.kind == AttemptResult::Kind::failed;
    co_return result;
  }
  if (call.request.stream) {
    const std::string_view type = (*reply)->headers().value(http::KnownHeader::content_type);
    if (!type.empty() && !http::iequals(type.substr(0, type.find_first_of("; ")), "text/event-stream")) {
      co_return co_await no_stream(std::move(*reply), {});
    }
    co_return co_await relay_stream(std::move(*reply));
  }
  co_return co_await relay_whole(std::move(*reply));
}

/// A success that is no stream where one was asked for: mostly an error that the provider, or something before it,
/// tells with 200.
Task<AttemptResult> Attempt::no_stream(std::unique_ptr<UpstreamReply> reply, std::string body) {
  const std::string type =
      body.empty() ? std::string(reply->headers().value(http::KnownHeader::content_type).substr(0, 100)) : "JSON";
  const Instant patience = began_ + turn_.candidate.target->timeouts.first_token;
  while (body.size() <= context_.core.relay.error_bytes_max) {
    const auto bytes = co_await read(*reply, patience);
    if (!bytes) {
      co_return bytes.error().code == Code::cancelled ? left() : failed(bytes.error().code, bytes.error().message);
    }
    if (bytes->empty()) {
      break;
    }
    body.append(*bytes);
  }
  const openai::ReplyFacts facts = context_.call.operation().inspect_reply(body);
  if (facts.error) {
    co_return failed_in_success(body, "it answered 200 with an error");
  }
  co_return failed(Code::upstream_malformed, fmt::format("it answered {} to a request for a stream", type));
}

/// Reads an error answer to its end, or as far as it is worth.
Task<AttemptResult> Attempt::keep_answer(std::unique_ptr<UpstreamReply> reply) {
  ProviderAnswer answer{.status = reply->status(), .headers = {}, .body = {}};
  RecycledVector<http::Header> passing;
  select_reply_headers(reply->headers(), passing);
  for (const http::Header& header : passing) {
    answer.headers.emplace_back(header.name, header.value);
  }
  limits_ = providers::read_rate_limits(reply->headers(), context_.core.loop.wall_now());
  const Instant patience = std::min(context_.deadline, context_.core.loop.now() + std::chrono::seconds(10));
  bool whole = false;
  while (answer.body.size() <= context_.core.relay.error_bytes_max && charge(answer.body.size())) {
    const auto bytes = co_await read(*reply, patience);
    if (!bytes) {
      if (bytes.error().code == Code::cancelled) {
        co_return left();
      }
      break;
    }
    if (bytes->empty()) {
      whole = true;
      break;
    }
    answer.body.append(*bytes);
  }
  turn_.provider.conceal(answer.body);
  const openai::ErrorWords words = openai::read_error_words(answer.body);
  const llm::Cause cause = openai::cause_of(answer.status, words);
  note_wait(cause, words.message);
  AttemptResult result = failed(
      is_credential_refusal(cause) ? Code::upstream_credentials : Code::upstream_error,
      fmt::format("it answered {} {}{}", answer.status, http::reason_phrase(static_cast<unsigned>(answer.status)),
                  answer.status / 100 == 3 ? ", and redirects are not followed" : ""),
      words_of(answer.body), cause);
  result.failure.status = answer.status;
  result.failure.retry_after = limits_.retry_after;
  result.answer = for_caller(std::move(answer), whole, cause, context_.call.id);
  co_return result;
}

Task<Attempt::Bytes> Attempt::read(UpstreamReply& reply, Instant deadline) {
  const Instant asked = context_.core.loop.now();
  auto bytes = co_await reply.read({std::min(deadline, context_.deadline), &context_.end.cancellation});
  const Instant arrived = context_.core.loop.now();
  context_.waited += arrived - asked;
  if (bytes) {
    row().response_bytes += bytes->size();
    context_.live.progress(arrived);
  }
  co_return bytes;
}

void Attempt::commit(const UpstreamReply& reply, bool streamed, std::optional<std::size_t> body_bytes) {
  committed_ = true;
  const Instant now = context_.core.loop.look_at_clock();
  turn_.slot.answered(now - began_, now, context_.timed);
  row().first_token = now - context_.call.started;
  context_.record.first_token = row().first_token;
  context_.record.target = row().target;
  context_.record.status = reply.status();
  context_.live.note(ledger::LiveStep::first_content);

  ReplyHead head{.status = reply.status(), .streamed = streamed, .body_bytes = body_bytes, .passing = {}, .own = {}};
  select_reply_headers(reply.headers(), head.passing);
  head.own.reserve(own_headers_bytes);
  const bool typed = reply.headers().has(http::KnownHeader::content_type);
  const bool mislabelled = typed && !streamed && !is_json(reply.headers().value(http::KnownHeader::content_type));
  if (mislabelled) {
    std::erase_if(head.passing,
                  [](const http::Header& header) { return header.known == http::KnownHeader::content_type; });
  }
  if (!typed || mislabelled) {
    head.own.add("content-type", streamed ? "text/event-stream; charset=utf-8" : "application/json");
  }
  append_own_headers(head.own, context_.call, context_.record, !row().upstream_request_id.empty(),
                     now - context_.call.received - context_.waited);
  if (context_.charges != nullptr && context_.charges->has_limits()) {
    std::erase_if(head.passing, [](const http::Header& header) { return is_rate_limit_header(header.name); });
    context_.charges->append_headers(head.own);
  }
  context_.sink.head(head);
  for (ReplyTee* tee : context_.core.tees) {
    tee->committed(context_.call, head);
  }
}

/// Where no header tells how long to wait, the limit that is used up may, and else the provider's words.
void Attempt::note_wait(llm::Cause cause, std::string_view message) {
  if (limits_.retry_after || (cause != llm::Cause::rate && cause != llm::Cause::overload)) {
    return;
  }
  limits_.retry_after = providers::retry_after_in(message);
  for (const providers::LimitLeft* left : {&limits_.requests, &limits_.tokens}) {
    if (!limits_.retry_after && left->remaining == 0) {
      limits_.retry_after = left->reset;
    }
  }
}

AttemptResult Attempt::failed_in_success(std::string_view body, std::string reason) {
  const openai::ErrorWords words = openai::read_error_words(body);
  const llm::Cause cause = openai::cause_of(row().status, words);
  note_wait(cause, words.message);
  AttemptResult result = failed(is_credential_refusal(cause) ? Code::upstream_credentials : Code::upstream_error,
                                std::move(reason), words.message, cause);
  result.failure.retry_after = limits_.retry_after;
  const int worth = openai::status_of(row().status, words);
  if (auto error = openai::error_object_of(body); worth != 0 && error) {
    result.failure.status = worth;
    turn_.provider.conceal(*error);
    result.answer =
        std::make_unique<ProviderAnswer>(ProviderAnswer{.status = worth, .headers = {}, .body = std::move(*error)});
  }
  return result;
}

AttemptResult Attempt::failed(Code code, std::string reason, std::string upstream_words,
                              std::optional<llm::Cause> cause) {
  cause = cause.value_or(cause_of(code));
  row().cause = cause;
  row().end_state = ledger::EndState::upstream_error;
  row().failure = code;
  row().reason = reason;
  turn_.provider.conceal(upstream_words);
  upstream_words.resize(std::min(upstream_words.size(), upstream_words_max));
  std::ranges::replace_if(
      upstream_words, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, ' ');  // they are shown in terminals
  row().upstream_words = std::move(upstream_words);
  row().ended = since_start();
  context_.live.note(ledger::LiveStep::attempt_ended);
  return {.kind = AttemptResult::Kind::failed,
          .failure = {.code = as_upstream_code(code), .cause = *cause},
          .reason = std::move(reason)};
}

AttemptResult Attempt::broken(Code code, std::string reason, std::string upstream_words,
                              std::optional<llm::Cause> cause) {
  AttemptResult result = failed(code, std::move(reason), std::move(upstream_words), cause);
  result.kind = AttemptResult::Kind::broken;
  return result;
}

AttemptResult Attempt::left() {
  row().end_state = context_.end.client_left ? ledger::EndState::client_abort : ledger::EndState::gateway_error;
  row().failure = context_.end.client_left ? Code::cancelled : Code::shutting_down;
  row().reason = context_.end.client_left ? "the caller left" : "the gateway is stopping";
  row().ended = since_start();
  context_.live.note(ledger::LiveStep::attempt_ended);
  return {.kind = AttemptResult::Kind::caller_left};
}

AttemptResult Attempt::complete() {
  row().end_state = ledger::EndState::complete;
  row().ended = since_start();
  return {.kind = AttemptResult::Kind::delivered};
}

}  // namespace weir::gateway

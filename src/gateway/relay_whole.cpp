// The relay of an answer that is not streamed: held until its JSON is whole, so that a broken one can still be
// replaced.
#include <fmt/format.h>

#include "dialects/openai/usage_scanner.hpp"
#include "gateway/attempt.hpp"
#include "gateway/uncounted.hpp"

#include <fmt/format.h>

namespace weir::gateway {

using providers::UpstreamReply;

Task<AttemptResult> Attempt::relay_whole(std::unique_ptr<UpstreamReply> reply) {
  const platform::Instant deadline = began_ + turn_.candidate.target->timeouts.attempt;
  const openai::Operation& operation = context_.call.operation();
  std::size_t most = context_.core.relay.whole_bytes_max;
  std::string collected;
  std::string_view body;
  while (true) {
    const auto bytes = co_await read(*reply, deadline);
    if (!bytes) {
      if (bytes.error().code == Code::cancelled) {
        co_return left();
      }
      co_return failed(bytes.error().code, bytes.error().code == Code::timeout
                                               ? "the whole answer did not come within timeouts.attempt"
                                               : bytes.error().message);
    }
    if (collected.empty() && reply->ended()) {
      body = *bytes;  // it came in one piece: no copy
      break;
    }
    collected.append(*bytes);
    if (bytes->empty() || reply->ended()) {
      body = collected;
      break;
    }
    // Without memory to hold it the caller gets it at once: he loses a fallback, not an answer.
    const bool has_room = charge(collected.size());
    if (collected.size() > most || !has_room) {
      const bool must_adapt = operation.must_adapt != nullptr && operation.must_adapt(context_.call.request, collected);
      if (!must_adapt) {
        co_return co_await relay_as_it_comes(*reply, std::move(collected));
      }
      if (!has_room) {
        co_return failed(Code::overloaded, "the gateway has no memory left to hold its answer");
      }
      if (collected.size() > context_.core.relay.adapted_bytes_max) {
        co_return failed(Code::upstream_malformed,
                         "its answer is in the other encoding_format, and too large to be converted");
      }
      most = context_.core.relay.adapted_bytes_max;
    }
  }

  const openai::ReplyFacts facts = operation.inspect_reply(body);
  if (facts.malformed) {
    reply->distrust();
    // Its words are not kept: half an answer is an answer, which no record may hold.
    co_return failed(Code::upstream_malformed,
                     fmt::format("its answer is not {}: {}", operation.answer, facts.malformed_why));
  }
  if (facts.error) {
    co_return failed_in_success(body, "it answered 200 with an error");
  }
  row().usage = facts.usage.value_or(llm::Usage{});
  if (!facts.service_tier.empty()) {
    row().tier = ledger::tier_of(facts.service_tier);
  }
  if (!row().usage.input_tokens) {
    keep_reply(context_.uncounted, body);
  }
  std::string adapted;
  if (operation.adapt != nullptr) {
    auto other = operation.adapt(context_.call.request, body);
    if (!other) {
      co_return failed(Code::upstream_malformed, std::string(other.error()));
    }
    if (*other) {
      adapted = **std::move(other);
      body = adapted;
    }
  }
  commit(*reply, false, body.size());
  for (ReplyTee* tee : context_.core.tees) {
    tee->delivered(context_.call, body);
  }
  const auto sent = co_await context_.sink.end(body);
  if (!sent) {
    co_return left();
  }
  reply->finish();
  co_return complete();
}

Task<AttemptResult> Attempt::relay_as_it_comes(UpstreamReply& reply, std::string start) {
  const platform::Instant deadline = began_ + turn_.candidate.target->timeouts.attempt;
  commit(reply, false, reply.body_bytes());
  openai::UsageScanner usage;
  std::string_view piece = start;
  while (true) {
    usage.feed(piece);
    row().usage = usage.usage().value_or(llm::Usage{});
    for (ReplyTee* tee : context_.core.tees) {
      tee->delivered(context_.call, piece);
    }
    if (!co_await context_.sink.events({&piece, 1})) {
      co_return left();
    }
    const auto bytes = co_await read(reply, deadline);
    if (!bytes) {
      if (bytes.error().code == Code::cancelled) {
        co_return left();
      }
      co_return broken(bytes.error().code, bytes.error().message);
    }
    if (bytes->empty()) {
      break;
    }
    piece = *bytes;
  }
  if (!co_await context_.sink.end({})) {
    co_return left();
  }
  co_return complete();
}

}  // namespace weir::gateway

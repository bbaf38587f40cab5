#include "gateway/uncounted.hpp"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "dialects/openai/operation.hpp"
#include "tokens/chat.hpp"
#include "tokens/estimate.hpp"

namespace weir::gateway {

namespace {

using ledger::UsageSource;

// How long a record waits for its count. Only behind many megabytes of others' words does a count come later.
constexpr auto patience = std::chrono::seconds(5);
// A larger request is estimated from its bytes alone: looking for its texts would take the request thread's time.
constexpr std::size_t read_bytes_max = std::size_t{64} << 10;

tokens::PromptIn prompt_in(const openai::Operation& operation) {
  return &operation == &openai::embedding         ? tokens::PromptIn::input
         : &operation == &openai::text_completion ? tokens::PromptIn::prompt
                                                  : tokens::PromptIn::messages;
}

std::int64_t estimated_prompt(const Call& call) {
  if (call.body.size() > read_bytes_max) {
    return tokens::estimate(call.body);
  }
  switch (prompt_in(call.operation())) {
    case tokens::PromptIn::messages: return tokens::estimate_chat(call.body);
    case tokens::PromptIn::prompt: return tokens::estimate_prompt(call.body, "prompt");
    case tokens::PromptIn::input: return tokens::estimate_prompt(call.body, "input");
  }
  return 0;
}

std::int64_t estimated_answer(const Call& call, const ledger::AttemptRecord& row, const Uncounted* uncounted,
                              const Delivered* text) {
  if (text != nullptr && text->is_known()) {
    std::int64_t sum = 0;
    for (const Delivered::Text& one : text->texts()) {
      sum += tokens::estimate(one.bytes);
    }
    return sum;
  }
  if (call.request.stream) {
    return static_cast<std::int64_t>(row.events);  // most servers send a token with each
  }
  if (uncounted != nullptr && !uncounted->reply.empty() && uncounted->reply.size() <= read_bytes_max) {
    return tokens::estimate_reply(uncounted->reply);
  }
  return static_cast<std::int64_t>(row.response_bytes / 4);
}

/// Exactly countable: the whole text is known, and the model's vocabulary is. Charged to the memory budget.
std::optional<tokens::CountJob> job_for(const Core& core, const Call& call, const ledger::AttemptRecord& row,
                                        const Delivered* text, Uncounted& uncounted) {
  const std::size_t slash = row.target.find('/');
  const auto choice =
      tokens::encoding_of(std::string_view(row.target).substr(slash == std::string::npos ? 0 : slash + 1));
  const bool is_embedding = &call.operation() == &openai::embedding;
  const bool has_text = text != nullptr && text->is_known();
  if (core.counting == nullptr || !choice.known || row.end_state != ledger::EndState::complete ||
      !row.recovery.empty() || (!has_text && uncounted.reply.empty() && !is_embedding)) {
    return std::nullopt;
  }
  const std::size_t bytes = call.body.size() + uncounted.reply.size() + (has_text ? text->bytes() : 0);
  if (core.budget != nullptr && !uncounted.lease.grow_to(*core.budget, bytes)) {
    return std::nullopt;
  }
  tokens::CountJob job{.encoding = choice.encoding,
                       .prompt_in = prompt_in(call.operation()),
                       .request = std::string(call.body),
                       .reply = std::exchange(uncounted.reply, {}),
                       .texts = {}};
  if (has_text) {
    for (const Delivered::Text& one : text->texts()) {
      job.texts.push_back(one.bytes);
    }
  }
  return job;
}

/// An answer that another one went on with, or was asked to, used what all of them used.
void add_leg(ledger::RequestRecord& record, const ledger::AttemptRecord& attempt) {
  const auto add = [](std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& more) {
    if (more) {
      sum = sum.value_or(0) + *more;
    }
  };
  add(record.usage.input_tokens, attempt.usage.input_tokens);
  add(record.usage.output_tokens, attempt.usage.output_tokens);
  add(record.usage.cached_input_tokens, attempt.usage.cached_input_tokens);
  add(record.usage.cache_write_tokens, attempt.usage.cache_write_tokens);
  add(record.usage.reasoning_tokens, attempt.usage.reasoning_tokens);
  for (const auto part :
       {&llm::Usage::cache_write_hour_tokens, &llm::Usage::audio_input_tokens, &llm::Usage::image_input_tokens,
        &llm::Usage::audio_output_tokens, &llm::Usage::image_output_tokens}) {
    record.usage.*part += attempt.usage.*part;
  }
  record.usage_source = std::max(record.usage_source, attempt.usage_source);
}

/// What the counting thread tells the loop. Used on the loop alone.
struct Counted {
  explicit Counted(platform::Loop& loop) : done(loop) {}
  platform::Signal done;
  std::optional<tokens::Count> count;
};

void take_count(ledger::RequestRecord& record, const tokens::Count& count) {
  ledger::AttemptRecord& row = record.attempts.back();
  row.usage.input_tokens = count.input;
  if (row.usage.output_tokens) {
    row.usage.output_tokens = count.output;
  }
  row.usage_source = count.exact ? UsageSource::counted : UsageSource::estimated;
  ledger::settle_cost(row, std::move(row.price));
  add_up(record);
}

Task<void> wait_for_count(Core& core, std::shared_ptr<ledger::RequestRecord> record,
                          std::unique_ptr<Uncounted> uncounted) {
  auto counted = std::make_shared<Counted>(core.loop);
  auto abandoned = std::make_shared<std::atomic<bool>>(false);
  platform::Loop& loop = core.loop;
  const bool submitted = core.counting->submit(
      *std::exchange(uncounted->job, std::nullopt), abandoned,
      [counted, &loop, lease = std::move(uncounted->lease)](const std::optional<tokens::Count>& count) {
        loop.post([counted, count] {
          counted->count = count;
          counted->done.notify();
        });
      });
  if (submitted) {
    static_cast<void>(co_await counted->done.wait({loop.now() + patience, &core.background.cancellation()}));
    abandoned->store(true, std::memory_order_relaxed);
  }
  if (counted->count) {
    take_count(*record, *counted->count);
  }
  core.call_metrics.usage_known(uncounted->label, record->attempts.back());
  uncounted->awaited.reset();
  hand_over(core, std::move(record));
}

}  // namespace

void keep_text(std::unique_ptr<Uncounted>& uncounted, const Core& core, const Call& call, Attempt::Turn& turn) {
  if (turn.delivered != nullptr || !call.request.stream || turn.provider.tells_stream_usage()) {
    return;
  }
  uncounted = std::make_unique<Uncounted>();
  turn.delivered = &uncounted->text.emplace(core.relay.delivered_bytes_max, core.budget);
}

void keep_reply(std::unique_ptr<Uncounted>& uncounted, std::string_view reply) {
  uncounted = std::make_unique<Uncounted>();
  uncounted->reply = reply;
}

void find_usage(const Core& core, const Call& call, const Delivered* delivered, ledger::AttemptRecord& row,
                std::unique_ptr<Uncounted>& uncounted) {
  if (!row.tier && call.request.service_tier && row.status / 100 == 2) {
    const ledger::Tier asked = ledger::tier_of(call.request.service_tier->of(call.body));
    // A call is no batch, whatever it asks for; that it was charged as one, only its provider can say.
    row.tier = asked == ledger::Tier::batch ? ledger::Tier::standard : asked;
  }
  row.usage_source = row.usage == llm::Usage{} ? UsageSource::none : UsageSource::provider;
  if (row.usage.input_tokens || !row.first_token) {
    uncounted.reset();
    return;
  }
  row.usage_source = UsageSource::estimated;
  row.usage.input_tokens = estimated_prompt(call);
  if (&call.operation() != &openai::embedding) {
    row.usage.output_tokens = estimated_answer(call, row, uncounted.get(), delivered);
  }
  if (uncounted == nullptr) {
    uncounted = std::make_unique<Uncounted>();
  }
  uncounted->job = job_for(core, call, row, delivered, *uncounted);
  if (!uncounted->job) {
    uncounted.reset();
  }
}

void add_up(ledger::RequestRecord& record) {
  if (!record.attempts.empty()) {
    record.usage = record.attempts.back().usage;
    record.usage_source = record.attempts.back().usage_source;
    for (const ledger::AttemptRecord& attempt : std::span(record.attempts).first(record.attempts.size() - 1)) {
      if (attempt.first_token || !attempt.recovery.empty()) {
        add_leg(record, attempt);
      }
    }
  }
  record.cost = ledger::cost_of(record);
}

void hand_over(Core& core, std::shared_ptr<ledger::RequestRecord> record) {
  if (core.journal != nullptr) {
    core.journal->closed(*record);
  }
  core.records.record(std::move(record));
}

void count_and_hand_over(Core& core, std::shared_ptr<ledger::RequestRecord> record,
                         std::unique_ptr<Uncounted> uncounted) {
  uncounted->awaited.emplace(core.live, *record);
  try {
    core.background.spawn("count tokens", wait_for_count(core, record, std::move(uncounted)));
    return;
  } catch (const std::bad_alloc&) {
    // The record is what must not be lost.
  }
  hand_over(core, std::move(record));
}

}  // namespace weir::gateway

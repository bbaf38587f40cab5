#include "sim/judge_answer.hpp"

#include <algorithm>

namespace weir::sim {

using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

bool asked_to_go_on(const JudgedCall& call, std::string_view upstream) {
  return call.row != nullptr && std::ranges::any_of(call.row->attempts, [&](const AttemptRecord& attempt) {
           return !attempt.recovery.empty() && provider_of(attempt) == upstream;
         });
}

const AttemptRecord* first_delivering(const JudgedCall& call) {
  return &*std::ranges::find_if(call.row->attempts,
                                [](const AttemptRecord& attempt) { return attempt.first_token.has_value(); });
}

}  // namespace

const UpstreamCall* source_of(JudgedCall& call, const Words& words) {
  if (words.serials.empty()) {
    return nullptr;
  }
  if (words.serials.size() > 1) {
    call.violate("the text is mixed from {} answers", words.serials.size());
    return nullptr;
  }
  const UpstreamCall* source = call.upstream_call(*words.serials.begin());
  if (source == nullptr || source->call != call.client.plan.id) {
    call.violate("the text belongs to another call");
    return nullptr;
  }
  for (std::size_t i = 0; i < words.numbers.size(); ++i) {
    if (words.numbers[i] != i) {
      call.violate("word {} stands where word {} belongs", words.numbers[i], i);
      return source;
    }
  }
  for (const UpstreamCall* upstream : call.upstreams) {
    // A request that was on its way when the gateway gave it up may still arrive.
    const auto given_up = upstream->link->closed[platform::SimulatedConnection::dialling];
    if (call.client.first_content_at && upstream->received > *call.client.first_content_at &&
        !asked_to_go_on(call, upstream->upstream) && !(given_up && *given_up <= *call.client.first_content_at)) {
      call.violate("{} was asked after content had reached the client", upstream->upstream);
    }
  }
  return source;
}

void judge_whole_row(JudgedCall& call, const UpstreamCall& source) {
  const ClientCall& client = call.client;
  if (call.row == nullptr || !client.ended_at) {
    return;
  }
  const RequestRecord& row = *call.row;
  if (row.end_state != EndState::complete) {
    call.violate("the client has the whole answer, and the row says {}", to_string(row.end_state));
  }
  const auto told = client.headers.find("x-weir-target");
  const bool kept_alive = row.keep_alives != 0;  // then the head came before any target
  const std::string& first_target = row.recovered_from.empty() ? row.target : first_delivering(call)->target;
  if (kept_alive ? told != client.headers.end() : told == client.headers.end() || told->second != first_target) {
    call.violate("the head's x-weir-target is wrong, or there though the head came before any target");
  }
  if (row.target != source.upstream + "/" + source.upstream + "-model") {
    call.violate("the answer is of {}, and the row says {}", source.upstream, row.target);
  }
  if (row.attempts.empty() || row.attempts.back().end_state != EndState::complete || !row.attempts.back().first_token) {
    call.violate("the client has the whole answer, and the last attempt is not complete");
    return;
  }
  call.count(kept_alive ? "whole after keep-alives" : "whole");
  const AttemptRecord& last = row.attempts.back();
  if (last.silent_retry) {
    call.count("whole after silent retry");
  }
  if (row.attempts.size() > 1 && client.plan.stream && row.first_token > call.scenario.timeouts.first_token) {
    call.count("whole after a slow one");
  }
  if (row.attempts.size() > 1 && !last.silent_retry && last.recovery.empty()) {
    const bool same = row.attempts[row.attempts.size() - 2].target == last.target;
    call.count(same ? "whole after retry" : "whole after fallback");
  }
}

void judge_whole(JudgedCall& call) {
  const ClientCall& client = call.client;
  const auto text = text_of(client.body);
  if (!client.ended_at) {
    if (call.stayed && client.broken_framing.empty() && !client.out_of_patience && !call.drained) {
      call.violate("the answer is cut off");
    }
    call.count(client.left ? "client left" : "cut");
    return;
  }
  if (!text) {
    call.violate("200 with a body that is no JSON: {}", client.body.substr(0, 80));
    return;
  }
  Words words;
  read_words(*text, words);
  const UpstreamCall* source = source_of(call, words);
  if (source == nullptr) {
    call.violate("200 without an answer: {}", client.body.substr(0, 80));
    return;
  }
  if (words.numbers.size() != source->intent.words || !source->finish_sent || client.body != source->body) {
    call.violate("the answer is not what {} sent", source->upstream);
  }
  if (call.row != nullptr &&
      call.row->attempts.back().usage.output_tokens != static_cast<std::int64_t>(source->intent.words)) {
    call.violate("the row's usage is not the provider's");
  }
  judge_whole_row(call, *source);
}

}  // namespace weir::sim

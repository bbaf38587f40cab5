#include "sim/judge_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/answer_text.hpp"
#include "sim/judge_answer.hpp"
#include "sim/judge_error.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;
using ledger::EndState;

namespace {

/// Nothing but the gateway decides when this client has what.
bool reads_quickly(const JudgedCall& call) {
  const ClientCall& client = call.client;
  return call.scenario.quiet_network && client.plan.read_pause == 0ns && !client.plan.reads_small &&
         !client.plan.pipelined;
}

/// They come after the silence that was set, and behind the first content only while somebody is to go on with it.
void judge_keep_alives(JudgedCall& call) {
  const ClientCall& client = call.client;
  constexpr std::string_view form = ": keep-alive\n\n";
  const std::size_t data = client.body.find("data: ");
  const std::size_t last = std::string_view(client.body).substr(0, data).rfind(form);
  const std::size_t last_of_all = client.body.rfind(form);
  // The end of the answer that broke off may be all there is to see of that.
  const bool broke_off =
      call.row != nullptr && std::ranges::any_of(call.row->attempts, [](const AttemptRecord& attempt) {
        return attempt.first_token && attempt.end_state == EndState::upstream_error;
      });
  if (data != std::string::npos && last_of_all != std::string::npos && last_of_all > data && !broke_off) {
    call.violate("a keep-alive behind the first content");
  }
  if (!reads_quickly(call) || !client.sent || !client.plan.stream || call.drained) {
    return;
  }
  const Instant due = *client.sent + call.scenario.keep_alive_after;
  if (client.head_at && *client.head_at > due + 100ms) {
    call.violate("no keep-alive came for {} ms",
                 std::chrono::duration_cast<std::chrono::milliseconds>(*client.head_at - *client.sent).count());
  }
  if (last != std::string::npos && client.head_at && *client.head_at < due) {
    call.violate("a keep-alive came too early");
  }
}

/// The stream was cut at the end of a drain. That is as it must be if an event of the upstream was half written,
/// since whatever came now would be taken for its rest, or if the client took nothing for as long as last words wait.
/// The last event and the end of the body are one write.
bool last_words_were_due(const JudgedCall& call, const Events& events, bool has_last_event) {
  constexpr Duration wait_for_last_words = 2s;
  const auto closed = call.client.link->closed[platform::SimulatedConnection::accepting];
  if (reads_quickly(call)) {
    return true;
  }
  if (!closed || call.client.link->stalled ||
      *closed >= *call.history.drain_began + call.scenario.drain_time + wait_for_last_words) {
    return false;
  }
  const bool nothing_half_said = call.client.between_chunks && events.rest.empty() && !has_last_event;
  return nothing_half_said || is_error_in_part(events.rest);
}

/// What the client got is what the upstream sent, event by event.
void judge_relayed(JudgedCall& call, const UpstreamCall& source, const std::vector<std::string>& relayed) {
  std::vector<std::string> sent;
  for (const std::string& data : source.events) {
    const std::size_t usage = call.client.plan.usage ? std::string::npos : data.find(",\"usage\":{");
    if (data == "[DONE]" || is_error(data) || (usage != std::string::npos && data.contains("\"choices\":[]"))) {
      continue;
    }
    // The usage is the last member, and what the caller did not ask for is cut out of an event that has more to say.
    sent.push_back(usage == std::string::npos ? data : data.substr(0, usage) + "}");
  }
  for (std::size_t i = 0; i < relayed.size(); ++i) {
    if (i >= sent.size() || relayed[i] != sent[i]) {
      call.violate("event {} is not what {} sent: {}", i + 1, source.upstream, relayed[i].substr(0, 120));
      return;
    }
  }
}

/// The upstream calls whose content went to the client, by the row: more than one where an answer broke off and
/// another went on with it.
std::vector<const UpstreamCall*> legs(const JudgedCall& call) {
  std::vector<const UpstreamCall*> all;
  for (const AttemptRecord& attempt : call.row->attempts) {
    for (const UpstreamCall* upstream : call.upstreams) {
      if (attempt.first_token && call.attempt_of(*upstream) == &attempt) {
        all.push_back(upstream);
      }
    }
  }
  return all;
}

/// Every upstream gives this call the same text, or nearly. The upstream call that the client's text is the beginning
/// of; null if he has none.
const UpstreamCall* judge_same_text(JudgedCall& call, const std::vector<std::string>& relayed, const std::string& text,
                                    bool done) {
  if (text.empty() || call.row == nullptr) {
    return nullptr;
  }
  const auto all = legs(call);
  if (all.empty()) {
    call.violate("content without an attempt that delivered it");
    return nullptr;
  }
  if (!all.back()->text.starts_with(text)) {
    call.violate("the text is no beginning of what {} said: {}", all.back()->upstream, text.substr(0, 80));
  }
  if (done && (!all.back()->finish_sent || text != all.back()->text)) {
    call.violate("[DONE] for an answer that is not whole");
  }
  if (all.size() == 1) {
    judge_relayed(call, *all.back(), relayed);
    return all.back();
  }
  call.count("gone on with by another answer");
  std::size_t roles = 0;
  const std::string identity =
      fmt::format(R"({{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":1800000000,"model":"{}-model",)",
                  all.front()->serial, all.front()->upstream);
  for (const std::string& data : relayed) {
    roles += data.contains("\"role\":") ? 1 : 0;
    if (!data.starts_with(identity)) {
      call.violate("an event has another identity than the first: {}", data.substr(0, 120));
    }
  }
  if (roles > 1) {
    call.violate("{} roles", roles);
  }
  return all.back();
}

void judge_whole_stream(JudgedCall& call, const UpstreamCall& source, bool usage_seen) {
  const ClientCall& client = call.client;
  const bool usage_due =
      client.plan.usage && source.usage_asked && (source.done_sent || source.body_ended) && call.scenario.quiet_network;
  if (usage_due && !usage_seen) {
    call.violate("the usage that the caller asked for is missing");
  }
  if (source.done_sent && source.usage_asked && call.row != nullptr && call.scenario.quiet_network && client.ended_at &&
      call.row->attempts.back().usage.output_tokens != static_cast<std::int64_t>(source.intent.words)) {
    call.violate("the row's usage is not the provider's");
  }
  judge_whole_row(call, source);
  if (source.done_sent && source.ended && client.ended_at && reads_quickly(call) &&
      *client.ended_at > *source.ended + 50ms) {
    call.violate("the body ended {} ms after the upstream's last event",
                 std::chrono::duration_cast<std::chrono::milliseconds>(*client.ended_at - *source.ended).count());
  }
}

/// It paused in the middle of a stream, for less time than the gateway has patience.
bool paused_in_time(const JudgedCall& call, const Intent& intent) {
  const Duration limit = intent.phase == Phase::after_content ? Duration(call.scenario.timeouts.between_events)
                                                              : Duration(call.scenario.timeouts.first_token);
  return intent.upset == Upset::slow && intent.slow_for + 1s < limit;
}

void judge_error_event(JudgedCall& call, const UpstreamCall* source) {
  const ClientCall& client = call.client;
  call.count(call.drained ? "drained" : "error event");
  if (call.drained && source != nullptr && call.row != nullptr && call.row->end_state == EndState::gateway_error) {
    call.count("drained after content");
    if (client.plan.reads_small) {
      call.count("drained, slow reader");
    }
  }
  if (source == nullptr) {
    // Before any content a stream has no head yet, unless the wait was so long that a keep-alive had to be sent.
    if (client.head_at && client.sent && *client.head_at - *client.sent < call.scenario.keep_alive_after &&
        !call.drained) {
      call.violate("an error event where a whole answer or an error status was still possible");
    }
    if (call.row != nullptr && call.row->keep_alives != 0 && !call.drained) {
      call.count("error event after keep-alives");
      judge_giving_up(call);
    }
    return;
  }
  if (call.row != nullptr && call.row->end_state != EndState::upstream_error &&
      call.row->end_state != EndState::gateway_error) {
    call.violate("the stream ended with an error, and the row says {}", to_string(call.row->end_state));
  }
  const Upset kind = source->intent.upset;
  const bool harmless =
      kind == Upset::none || kind == Upset::missing_done || kind == Upset::held_open ||
      (call.scenario.quiet_network && (kind == Upset::trickle || paused_in_time(call, source->intent)));
  if (harmless && !source->link->disturbed && !source->link->stalled && !call.drained && !call.out_of_time()) {
    call.violate("an error event, and {} did nothing wrong", source->upstream);
  }
}

/// The client was told that its answer broke off: then nobody could have gone on with it.
void judge_not_gone_on(JudgedCall& call, const std::string& text) {
  if (call.row == nullptr || call.drained || call.out_of_time()) {
    return;
  }
  for (const auto& step : call.scenario.models.at(call.client.plan.model)) {
    for (const std::string& provider : step) {
      if (std::ranges::none_of(call.row->attempts,
                               [&](const AttemptRecord& attempt) { return provider_of(attempt) == provider; }) &&
          !call.was_left_alone(provider)) {
        call.violate("the answer broke off, and {} was never asked to go on with it", provider);
      }
    }
  }
  for (const UpstreamCall* upstream : call.upstreams) {
    const AttemptRecord* attempt = call.attempt_of(*upstream);
    const bool whole = upstream->intent.upset == Upset::none && upstream->body_ended && !upstream->link->disturbed &&
                       !upstream->link->stalled;
    if (attempt == nullptr || attempt->recovery.empty() || !whole) {
      continue;
    }
    if (call.client.plan.same_text && upstream->text.starts_with(text) && attempt->failure != Code::timeout) {
      call.violate("{} gave the same text whole, and the client was told that it broke off", upstream->upstream);
    }
  }
  if (std::ranges::any_of(call.row->attempts,
                          [](const auto& one) { return one.repeated_bytes > 0 && !one.first_token; })) {
    call.count("asked to go on, and differed");
  }
}

}  // namespace

void judge_stream(JudgedCall& call) {
  const ClientCall& client = call.client;
  judge_keep_alives(call);
  const Events events = events_of(client.body);
  const bool ended = client.ended_at.has_value();
  Words words;
  std::size_t terminals = 0;
  bool done = false;
  bool error = false;
  bool finish_seen = false;
  bool usage_seen = false;
  std::vector<std::string> relayed;
  std::string text_seen;
  for (const std::string& data : events.data) {
    if (terminals > 0) {
      call.violate("an event behind the end of the stream: {}", data.substr(0, 80));
    }
    if (data == "[DONE]") {
      done = true;
      ++terminals;
      continue;
    }
    const auto text = text_of(data);
    if (!text) {
      call.violate("an event is no JSON: {}", data.substr(0, 80));
      continue;
    }
    if (is_error(data)) {
      error = true;
      ++terminals;
      continue;
    }
    text_seen += *text;
    if (!client.plan.same_text) {
      read_words(*text, words);
    }
    finish_seen = finish_seen || data.contains("\"finish_reason\":\"stop\"");
    usage_seen = usage_seen || data.contains("\"usage\":{");
    relayed.push_back(data);
  }
  if (ended && !events.rest.empty()) {
    call.violate("the stream ends inside an event: {}", events.rest.substr(0, 80));
  }
  if (ended && terminals == 0) {
    call.violate("the stream ends without [DONE] and without an error");
  }
  if (!ended && call.stayed && client.broken_framing.empty() && !client.out_of_patience &&
      (!call.drained || call.could_take_it() || last_words_were_due(call, events, terminals > 0))) {
    call.violate("the stream is cut off without an error");
  }
  if (done && !finish_seen) {
    call.violate("[DONE] without a finish reason");
  }
  const UpstreamCall* source = nullptr;
  if (client.plan.same_text) {
    source = judge_same_text(call, relayed, text_seen, done);
  } else {
    source = source_of(call, words);
    if (source != nullptr) {
      judge_relayed(call, *source, relayed);
    }
    if (source != nullptr && done && (!source->finish_sent || words.numbers.size() != source->intent.words)) {
      call.violate("[DONE] for an answer that is not whole");
    }
  }
  if (source != nullptr && done) {
    judge_whole_stream(call, *source, usage_seen);
  }
  if (usage_seen && !client.plan.usage) {
    call.violate("usage that the caller did not ask for");
  }
  if (error) {
    judge_error_event(call, source);
    if (source != nullptr) {
      judge_not_gone_on(call, text_seen);
    }
  }
  if (!ended && !done && !error) {
    call.count(client.left ? "client left" : "cut");
  }
}

}  // namespace weir::sim

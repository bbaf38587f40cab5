#include "sim/judge_error.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include "sim/judge_keys.hpp"
#include "sim/judge_routing.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

/// Whether this upstream, left alone, would have given the whole answer within the time that an attempt has.
bool was_in_time(const JudgedCall& call, const UpstreamCall& upstream) {
  const Intent& intent = upstream.intent;
  const bool good = intent.upset == Upset::none ||
                    (intent.upset == Upset::slow && (!upstream.stream || intent.phase != Phase::after_content));
  if (!good || !call.scenario.quiet_network) {
    return false;
  }
  // An attempt's time runs from its beginning, and some wait for a place among the connections first.
  const AttemptRecord* own = call.row == nullptr ? nullptr : call.attempt_of(upstream);
  const bool waited = call.row != nullptr && std::ranges::any_of(call.row->attempts, [&](const AttemptRecord& attempt) {
                        return (own == nullptr ? provider_of(attempt) == upstream.upstream : &attempt == own) &&
                               attempt.started && attempt.connected && *attempt.connected - *attempt.started > 50ms;
                      });
  if (waited) {
    return false;
  }
  const auto plan = std::ranges::find(call.scenario.upstreams, upstream.upstream, &UpstreamPlan::name);
  const auto pauses = static_cast<Duration::rep>(upstream.stream ? 3 : intent.words + 3);
  const Duration slowest = intent.slow_for + (plan->pace.max + 10ms) * pauses + 50ms;
  return slowest <=
         (upstream.stream ? Duration(call.scenario.timeouts.first_token) : Duration(call.scenario.timeouts.attempt));
}

/// The end of a drain met an answer of which a part had left, to a client that took no more for the moment.
bool was_half_said(const JudgedCall& call) {
  const auto closed = call.client.link->closed[platform::SimulatedConnection::accepting];
  return call.drained && closed && *closed >= *call.history.drain_began + call.scenario.drain_time &&
         !call.could_take_it();
}

}  // namespace

void judge_giving_up(JudgedCall& call) {
  const RequestRecord& row = *call.row;
  for (const AttemptRecord& attempt : row.attempts) {
    if (attempt.first_token) {
      call.violate("content was committed, and the client got status {}", call.client.status);
    }
  }
  if (!row.attempts.empty() && callers_fault(row.attempts.back().status)) {
    const bool body_lost = std::ranges::any_of(call.upstreams, [&](const UpstreamCall* upstream) {
      return call.attempt_of(*upstream) == &row.attempts.back() && upstream->link->disturbed;
    });
    if (call.client.status != row.attempts.back().status && !body_lost && row.keep_alives == 0) {
      call.violate("the provider said {}, the client got {}", row.attempts.back().status, call.client.status);
    }
    if (!call.is_too_long(row.attempts.back()) || body_lost) {
      return;
    }
  }
  for (const UpstreamCall* upstream : call.upstreams) {
    const AttemptRecord* attempt = call.attempt_of(*upstream);
    const bool could = upstream->intent.upset == Upset::none && upstream->body_ended && !upstream->link->disturbed &&
                       !upstream->link->stalled;
    if (could && attempt != nullptr && attempt->failure != Code::timeout) {
      call.violate("{} gave a whole answer, and the client got status {}", upstream->upstream, call.client.status);
    }
    if (was_in_time(call, *upstream) && !call.out_of_time()) {
      call.violate("{} would have answered in its time, and the client got status {}", upstream->upstream,
                   call.client.status);
    }
  }
  if (call.out_of_time()) {
    return;
  }
  for (const auto& step : call.scenario.models.at(call.client.plan.model)) {
    for (const std::string& provider : step) {
      const bool asked = std::ranges::any_of(
          row.attempts, [&](const AttemptRecord& attempt) { return provider_of(attempt) == provider; });
      if (!asked && !call.was_left_alone(provider)) {
        call.violate("status {}, and {} was never asked", call.client.status, provider);
      }
      judge_siblings(call, provider);
    }
  }
}

void judge_error(JudgedCall& call) {
  const ClientCall& client = call.client;
  if (!client.ended_at) {
    if (call.stayed && client.broken_framing.empty() && !client.out_of_patience && !was_half_said(call)) {
      call.violate("the error is cut off");
    }
    return;
  }
  boost::system::error_code broken;
  const boost::json::value value = boost::json::parse(client.body, broken);
  const auto* error = !broken && value.is_object() ? value.as_object().if_contains("error") : nullptr;
  if (error == nullptr || !error->is_object() || !error->as_object().contains("message")) {
    call.violate("status {} without an error object: {}", client.status, client.body.substr(0, 80));
  }
  if (client.status == 401 || client.status == 402 || client.status == 403) {
    call.violate("the caller is blamed for our credentials: {}", client.status);
  }
  if (client.status == 429 || client.status == 503) {
    const auto told = client.headers.find("retry-after");
    if (told == client.headers.end()) {
      call.violate("status {} does not say when to come back", client.status);
    } else if (call.row != nullptr && call.row->error_code != to_string(Code::shutting_down)) {
      judge_come_back(call.history, *call.row, told->second, call.violations);
    }
  }
  if (call.row == nullptr) {
    call.count("error status");  // refused at the door
    return;
  }
  const RequestRecord& row = *call.row;
  if (row.end_state == EndState::client_abort || row.end_state == EndState::open) {
    call.violate("the client has an error, and the row says {}", to_string(row.end_state));
  }
  if (call.drained && client.status == 503) {
    call.count("drained");
    return;
  }
  call.count("error status");
  judge_giving_up(call);
}

}  // namespace weir::sim

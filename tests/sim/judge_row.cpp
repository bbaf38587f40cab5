#include "sim/judge_row.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "sim/judge_keys.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

/// No attempt waits for longer than its limits, as long as nothing of its answer is being delivered.
void judge_limits(JudgedCall& call, const AttemptRecord& attempt) {
  if (attempt.first_token || !attempt.started || !attempt.ended) {
    return;
  }
  const Duration took = *attempt.ended - *attempt.started;
  const Duration limit =
      call.client.plan.stream ? Duration(call.scenario.timeouts.first_token) : Duration(call.scenario.timeouts.attempt);
  const Duration error_body = attempt.status != 0 && attempt.status != 200 ? Duration(10s) : Duration(0s);
  // One that repeats what had left brings content all the while.
  if (took > limit + error_body + 100ms && attempt.recovery.empty()) {
    call.violate("an attempt took {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  }
  // To wait for one of few connections is no part of connecting.
  const bool may_wait = call.scenario.upstream_connections < 10;
  if (!attempt.connected && !may_wait && took > call.scenario.timeouts.connect + 100ms) {
    call.violate("connecting took {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  }
}

/// Each attempt has its limits to itself: whatever an earlier one took, only the call's own limit shortens them.
void judge_patience(JudgedCall& call, const AttemptRecord& attempt) {
  if (attempt.failure != Code::timeout || !attempt.started || !attempt.ended || call.out_of_time()) {
    return;
  }
  const routing::Timeouts& timeouts = call.scenario.timeouts;
  const bool content = call.client.plan.stream && attempt.first_token;
  const Duration limit = !attempt.connected                     ? Duration(timeouts.connect)
                         : !call.client.plan.stream             ? Duration(timeouts.attempt)
                         : content || !attempt.recovery.empty() ? Duration(timeouts.between_events)
                                                                : Duration(timeouts.first_token);
  const Duration waited = *attempt.ended - (content ? *attempt.first_token : *attempt.started);
  if (waited < limit) {
    call.violate("an attempt on {} was given up for its time after {} of {} ms", provider_of(attempt),
                 std::chrono::duration_cast<std::chrono::milliseconds>(waited).count(),
                 std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
  }
}

/// It set out with another key, which another call found to be out while this one waited for a connection, and then
/// there was none left that serves: it goes with the one that is back first.
bool lost_its_key(const JudgedCall& call, const UpstreamCall& refused, const UpstreamCall& later) {
  const RequestRecord& row = *call.row;
  const auto place =
      std::ranges::find(call.history.records, call.row, &ledger::RecordPtr::get) - call.history.records.begin();
  const Instant began = call.history.settled_at[static_cast<std::size_t>(place)] - row.duration;
  std::optional<Instant> set_out;  // an attempt that is repeated in silence goes on from the one before
  for (const AttemptRecord& attempt : row.attempts) {
    if (provider_of(attempt) == refused.upstream && !attempt.silent_retry && attempt.started &&
        began + *attempt.started <= later.received) {
      set_out = began + *attempt.started;
    }
  }
  const auto plan = std::ranges::find(call.scenario.upstreams, refused.upstream, &UpstreamPlan::name);
  std::set<std::size_t> out = {refused.key};
  bool meanwhile = false;
  for (const UpstreamCall& other : call.history.upstream_calls) {
    if (other.upstream == refused.upstream && other.key != refused.key && refuses_key(other) && other.ended &&
        *other.ended <= later.received) {
      out.insert(other.key);
      meanwhile = meanwhile || (set_out && other.call != call.client.plan.id && *other.ended + 100ms >= *set_out);
    }
  }
  return later.key == refused.key && refused.intent.status == 429 && meanwhile && out.size() == plan->keys.size();
}

/// Retry-After is a floor for the next request of the same call to the same upstream.
void judge_waits(JudgedCall& call) {
  for (std::size_t i = 0; i < call.upstreams.size(); ++i) {
    const UpstreamCall& refused = *call.upstreams[i];
    if (refused.intent.upset != Upset::error || !refused.intent.retry_after || !refused.ended ||
        call.attempt_of(refused) == nullptr) {
      continue;
    }
    for (std::size_t j = i + 1; j < call.upstreams.size(); ++j) {
      const UpstreamCall& later = *call.upstreams[j];
      const auto given_up = later.link->closed[platform::SimulatedConnection::dialling];
      const bool was_on_its_way = given_up && *given_up <= *refused.ended;
      const bool other_key = refused.intent.status == 429 && later.key != refused.key;  // limits are each key's own
      if (later.upstream == refused.upstream && !was_on_its_way && !other_key &&
          later.received < *refused.ended + std::chrono::seconds(*refused.intent.retry_after)) {
        if (!lost_its_key(call, refused, later)) {
          call.violate("{} was asked again before its Retry-After had passed", refused.upstream);
        }
      }
    }
  }
}

/// The row's attempts and what the upstreams saw agree.
void judge_requests(JudgedCall& call) {
  std::map<std::string, std::size_t> asked;
  std::map<std::string, std::size_t> answered;
  std::map<std::string, std::size_t> connected;
  for (const AttemptRecord& attempt : call.row->attempts) {
    ++asked[provider_of(attempt)];
    answered[provider_of(attempt)] += attempt.status != 0 ? 1 : 0;
    connected[provider_of(attempt)] += attempt.connected ? 1 : 0;
  }
  for (const auto& [provider, times] : answered) {
    const auto seen = static_cast<std::size_t>(
        std::ranges::count(call.upstreams, provider, [](const UpstreamCall* u) { return u->upstream; }));
    if (seen < times) {
      call.violate("{} answered attempts on {}, which saw {} requests", times, provider, seen);
    }
    if (seen > connected[provider]) {
      call.violate("{} saw {} requests, and there are {} connected attempts", provider, seen, connected[provider]);
    }
  }
  for (const UpstreamCall* upstream : call.upstreams) {
    if (!asked.contains(upstream->upstream)) {
      call.violate("{} was asked, and no attempt row says so", upstream->upstream);
    }
  }
}

}  // namespace

void judge_row(JudgedCall& call) {
  const RequestRecord& row = *call.row;
  std::size_t committed = 0;
  for (std::size_t i = 0; i < row.attempts.size(); ++i) {
    const AttemptRecord& attempt = row.attempts[i];
    if (attempt.end_state == EndState::open || !attempt.ended) {
      call.violate("attempt {} was never closed", i + 1);
    }
    if (attempt.end_state == EndState::complete && i + 1 < row.attempts.size()) {
      call.violate("attempt {} is complete, and another follows", i + 1);
    }
    if (call.is_too_long(attempt)) {
      const auto rest = std::span(row.attempts).subspan(i + 1);
      if (std::ranges::find(rest, attempt.target, &AttemptRecord::target) != rest.end()) {
        call.violate("{} said that the request is too long for its model, and was asked again", provider_of(attempt));
      }
    } else if (callers_fault(attempt.status) && attempt.recovery.empty() && i + 1 < row.attempts.size()) {
      call.violate("{} said that the request itself is wrong, and somebody else was asked", provider_of(attempt));
    }
    judge_limits(call, attempt);
    judge_patience(call, attempt);
    if (attempt.silent_retry) {
      const AttemptRecord* before = i == 0 ? nullptr : &row.attempts[i - 1];
      if (before == nullptr || before->target != attempt.target || !before->reused_connection || before->status != 0) {
        call.violate("attempt {} repeats in silence what was no closed kept-alive connection", i + 1);
      }
    }
    if (!attempt.recovery.empty() && committed == 0) {
      call.violate("attempt {} was to go on with an answer, and none had begun", i + 1);
    }
    if (attempt.first_token) {
      ++committed;
      if (i + 1 < row.attempts.size() && row.attempts[i + 1].recovery.empty()) {
        call.violate("attempt {} delivered content, and another follows that does not go on with it", i + 1);
      }
      if (committed > 1 && attempt.recovery.empty()) {
        call.violate("attempt {} delivered content, and did not go on with what had left", i + 1);
      }
    }
    if (!attempt.upstream_request_id.empty()) {
      const UpstreamCall* upstream = call.upstream_call(std::stoull(attempt.upstream_request_id.substr(3)));
      if (upstream == nullptr || upstream->call != call.client.plan.id || upstream->upstream != provider_of(attempt)) {
        call.violate("attempt {} has the answer of somebody else", i + 1);
      }
    }
  }
  judge_requests(call);
  if ((committed > 1) != !row.recovered_from.empty()) {
    call.violate("{} attempts delivered content, and the row says recovered from \"{}\"", committed,
                 row.recovered_from);
  }
  const auto told = call.client.headers.find("x-weir-attempts");
  const auto first =
      std::ranges::find_if(row.attempts, [](const AttemptRecord& a) { return a.first_token.has_value(); });
  const auto before_head =
      first == row.attempts.end() ? row.attempts.size() : static_cast<std::size_t>(first - row.attempts.begin()) + 1;
  if (told != call.client.headers.end() && told->second != std::to_string(before_head)) {
    call.violate("the client was told of {} attempts, there were {} before the head", told->second, before_head);
  }
  judge_waits(call);
}

}  // namespace weir::sim

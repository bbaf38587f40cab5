#include "sim/judge_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;

namespace {

/// The gateway heard that its key was refused, or is spent.
bool refused_key(const AttemptRecord& attempt) {
  return attempt.cause == llm::Cause::credential || attempt.cause == llm::Cause::key_quota;
}

/// Whether any call's row says so of this answer.
bool was_heard(const History& history, const UpstreamCall& refusal) {
  return std::ranges::any_of(history.records, [&](const ledger::RecordPtr& record) {
    const auto attempt =
        std::ranges::find(record->attempts, fmt::format("up-{}", refusal.serial), &AttemptRecord::upstream_request_id);
    return attempt != record->attempts.end() && refused_key(*attempt);
  });
}

/// Whether the upstream ever gave the gateway a reason to leave this key alone for a while.
bool was_refused(const History& history, const std::string& provider, std::size_t key) {
  return std::ranges::any_of(history.upstream_calls, [&](const UpstreamCall& upstream) {
    return upstream.upstream == provider && upstream.key == key && refuses_key(upstream);
  });
}

}  // namespace

bool refuses_key(const UpstreamCall& upstream) {
  const int status = upstream.intent.upset == Upset::error ? upstream.intent.status : 0;
  return status == 401 || status == 402 || status == 403 || status == 429;
}

void judge_siblings(JudgedCall& call, const std::string& provider) {
  const auto plan = std::ranges::find(call.scenario.upstreams, provider, &UpstreamPlan::name);
  const AttemptRecord* last = nullptr;
  std::set<std::string> tried;
  for (const AttemptRecord& attempt : call.row->attempts) {
    if (provider_of(attempt) == provider) {
      tried.insert(attempt.key);
      last = &attempt;
    }
  }
  if (last == nullptr || !refused_key(*last)) {
    return;
  }
  for (std::size_t key = 0; key < plan->keys.size(); ++key) {
    if (plan->keys[key] == KeyStanding::good && !tried.contains(fmt::format("key-{}", key + 1)) &&
        !was_refused(call.history, provider, key)) {
      call.violate("status {}, and {} was never asked with its good key {}", call.client.status, provider, key + 1);
    }
  }
}

void judge_keys(const Scenario& scenario, const History& history, std::vector<std::string>& violations) {
  if (!scenario.quiet_network) {
    return;
  }
  for (const UpstreamPlan& plan : scenario.upstreams) {
    const bool replaced = std::ranges::any_of(scenario.reloads, [&](const ReloadPlan& reload) {
      return std::ranges::find(reload.replaced, plan.name) != reload.replaced.end();
    });
    if (replaced) {
      continue;  // its keys are new to the gateway
    }
    std::map<std::size_t, Instant> refused_at;
    bool has_good = false;
    for (std::size_t key = 0; key < plan.keys.size(); ++key) {
      has_good = has_good || (plan.keys[key] == KeyStanding::good && !was_refused(history, plan.name, key));
    }
    for (const UpstreamCall& upstream : history.upstream_calls) {
      if (upstream.upstream != plan.name) {
        continue;
      }
      const auto refused = refused_at.find(upstream.key);
      if (has_good && refused != refused_at.end() && upstream.received > refused->second + 100ms &&
          upstream.received < refused->second + scenario.breaker.recovery_timeout) {
        violations.push_back(fmt::format("{} was asked with key {}, which it had refused, while another one serves",
                                         plan.name, upstream.key + 1));
      }
      if (upstream.intent.by_key && upstream.ended && was_heard(history, upstream)) {
        refused_at.try_emplace(upstream.key, *upstream.ended);
      }
    }
  }
}

}  // namespace weir::sim

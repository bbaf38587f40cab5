#include "sim/judged_call.hpp"

#include <algorithm>

namespace weir::sim {

using ledger::AttemptRecord;

JudgedCall::JudgedCall(const Scenario& its_scenario, History& its_history, std::vector<std::string>& all_violations,
                       const ClientCall& its_client)
    : scenario(its_scenario), history(its_history), violations(all_violations), client(its_client) {
  for (const UpstreamCall& upstream : history.upstream_calls) {
    if (upstream.call == client.plan.id) {
      upstreams.push_back(&upstream);
    }
  }
  std::size_t rows = 0;
  for (const auto& record : history.records) {
    if (record->client_request_id == client.plan.id) {
      row = ++rows == 1 ? record.get() : nullptr;
    }
  }
  stayed = !client.left && !client.link->disturbed && !client.abandoned;
  drained = history.drain_began && (!client.ended_at || *client.ended_at >= *history.drain_began);
}

const UpstreamCall* JudgedCall::upstream_call(std::uint64_t serial) const {
  const auto found = std::ranges::find(history.upstream_calls, serial, &UpstreamCall::serial);
  return found == history.upstream_calls.end() ? nullptr : &*found;
}

const AttemptRecord* JudgedCall::attempt_of(const UpstreamCall& upstream) const {
  const auto found =
      std::ranges::find(row->attempts, fmt::format("up-{}", upstream.serial), &AttemptRecord::upstream_request_id);
  return found == row->attempts.end() ? nullptr : &*found;
}

bool JudgedCall::is_too_long(const AttemptRecord& attempt) const {
  return std::ranges::any_of(upstreams, [&](const UpstreamCall* upstream) {
    return attempt_of(*upstream) == &attempt && upstream->intent.says == context_window;
  });
}

bool JudgedCall::was_left_alone(const std::string& provider) const {
  return std::ranges::any_of(row->skipped, [&](const std::string& line) {
    return line.starts_with(provider + "/") && (line.contains("circuit breaker") || line.contains("in flight"));
  });
}

bool JudgedCall::could_take_it() const {
  constexpr std::size_t head_and_last_words = 2000;
  if (client.link->disturbed || client.link->stalled) {
    return false;
  }
  std::size_t most = 0;
  for (const auto& record : history.records) {
    most += record->keep_alives * 40;
  }
  for (const ClientCall& other : history.client_calls) {
    if (other.link != client.link) {
      continue;
    }
    most += head_and_last_words;
    for (const UpstreamCall& upstream : history.upstream_calls) {
      if (upstream.call == other.plan.id) {
        most += upstream.body.size() * 2;
        for (const std::string& event : upstream.events) {
          most += event.size() + 50;  // its framing, and what may be mended
        }
      }
    }
  }
  return most < scenario.client_link.capacity.min;
}

bool JudgedCall::out_of_time() const {
  return row != nullptr && row->duration >= scenario.timeouts.total;
}

bool callers_fault(int status) {
  return status == 400 || status == 422;
}

}  // namespace weir::sim

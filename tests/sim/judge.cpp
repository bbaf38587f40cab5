#include "sim/judge.hpp"

#include <algorithm>

#include "sim/judge_answer.hpp"
#include "sim/judge_error.hpp"
#include "sim/judge_keys.hpp"
#include "sim/judge_records.hpp"
#include "sim/judge_routing.hpp"
#include "sim/judge_row.hpp"
#include "sim/judge_stream.hpp"
#include "sim/judged_call.hpp"

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

/// The gateway closed the connection because nothing had come for its idle time; that may cross the next request on
/// its way.
bool closed_as_idle(const JudgedCall& call) {
  const auto closed = call.client.link->closed[platform::SimulatedConnection::accepting];
  const auto busy = [&](const ClientCall& other) {
    return &other != &call.client && other.link == call.client.link && other.sent && *closed - *other.sent < 75s;
  };
  return closed && *closed <= *call.client.sent + 1s && std::ranges::none_of(call.history.client_calls, busy);
}

/// A call that was made has one row, which says what the head says.
void judge_one_row(JudgedCall& call) {
  const ClientCall& client = call.client;
  const auto rows = std::ranges::count_if(call.history.records, [&](const ledger::RecordPtr& record) {
    return record->client_request_id == client.plan.id;
  });
  if (rows > 1) {
    call.violate("{} request rows", rows);
  }
  const bool refused_at_the_door = client.headers.contains("x-weir-attempts") &&
                                   client.headers.at("x-weir-attempts") == "0" &&
                                   (client.status == 408 || client.status == 503);
  if (rows == 0 && (!call.upstreams.empty() || (client.status != 0 && !refused_at_the_door))) {
    call.violate("no request row, though the call was made");
  }
  if (call.row != nullptr && client.status != 0) {
    const auto id = client.headers.find("x-weir-request-id");
    if (id == client.headers.end() || id->second != call.row->id) {
      call.violate("the response's x-weir-request-id is not its row's");
    }
    if (call.row->status != client.status && !call.drained) {
      call.violate("the row says status {}, the client got {}", call.row->status, client.status);
    }
  }
}

/// When the gateway has noticed that the client left, row and upstreams are done within a second.
void judge_leaving(JudgedCall& call) {
  const auto noticed = call.client.link->end_arrived[platform::SimulatedConnection::accepting];
  if (!noticed || (call.client.ended_at && *noticed >= *call.client.ended_at)) {
    return;
  }
  const Instant limit = *noticed + 1s;
  // From the client's own start: not later than the gateway's, so a row that ends too late by this is too late by any
  // measure.
  if (call.row != nullptr && call.client.started + call.row->duration > limit) {
    call.violate(
        "the client left, and its row was settled only {} ms later",
        std::chrono::duration_cast<std::chrono::milliseconds>(call.client.started + call.row->duration - *noticed)
            .count());
  }
  for (const UpstreamCall* upstream : call.upstreams) {
    const auto closed_by_us = upstream->link->closed[platform::SimulatedConnection::dialling];
    if (upstream->received > limit && !(closed_by_us && *closed_by_us <= limit)) {
      call.violate("{} was asked after the client had left", upstream->upstream);
      continue;
    }
    const auto closed_by_it = upstream->link->closed[platform::SimulatedConnection::accepting];
    const bool over = (closed_by_us && *closed_by_us <= limit) || (closed_by_it && *closed_by_it <= limit) ||
                      (upstream->body_ended && upstream->ended && *upstream->ended <= limit) ||
                      upstream->link->disturbed;
    if (!over) {
      call.violate("the client left, and its call to {} was not cancelled within a second", upstream->upstream);
    }
  }
}

void judge_call(JudgedCall& call) {
  const ClientCall& client = call.client;
  if (!client.broken_framing.empty()) {
    call.violate("the response breaks HTTP: {}", client.broken_framing);
  }
  const auto date = client.headers.find("date");
  if (client.status != 0 &&
      (date == client.headers.end() || date->second.size() != 29 || !date->second.ends_with(" GMT"))) {
    call.violate("the Date header is no date");
  }
  if (client.out_of_patience && call.stayed) {
    call.violate("the call hangs");
  }
  judge_one_row(call);
  judge_leaving(call);
  if (client.status == 0) {
    if (call.stayed && client.sent &&
        (call.drained ? call.row != nullptr && call.could_take_it() : !closed_as_idle(call))) {
      call.violate("no answer came");
    }
    call.count(client.left ? "client left" : "cut");
  } else if (client.status == 200 && client.headers.contains("content-type") &&
             client.headers.at("content-type").starts_with("text/event-stream")) {
    judge_stream(call);
  } else if (client.status == 200) {
    judge_whole(call);
  } else {
    judge_error(call);
  }
  if (call.row != nullptr) {
    judge_row(call);
  }
}

}  // namespace

std::vector<std::string> judge(const Scenario& scenario, History& history) {
  std::vector<std::string> violations;
  for (const ClientCall& client : history.client_calls) {
    JudgedCall call(scenario, history, violations, client);
    judge_call(call);
  }
  judge_records(scenario, history, violations);
  judge_keys(scenario, history, violations);
  judge_routing(scenario, history, violations);
  for (const std::string& violation : history.end_violations) {
    violations.push_back(violation);
  }
  return violations;
}

}  // namespace weir::sim

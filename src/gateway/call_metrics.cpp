#include "gateway/call_metrics.hpp"

#include <fmt/format.h>

#include "observe/metric_names.hpp"

namespace weir::gateway {

namespace metric = observe::metric;

namespace {
double seconds(platform::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
}  // namespace

observe::Cell& CallMetrics::in_flight() {
  if (in_flight_ == nullptr) {
    in_flight_ = &shard_.cell(metric::in_flight, {});
  }
  return *in_flight_;
}

CallMetrics::EndpointCells& CallMetrics::endpoint(std::string_view name) {
  auto found = endpoints_.find(name);
  if (found == endpoints_.end()) {
    found =
        endpoints_
            .emplace(std::string(name), EndpointCells{.seconds = &shard_.cell(metric::request_seconds, {name}),
                                                      .first_token = &shard_.cell(metric::first_token_seconds, {name}),
                                                      .added = &shard_.cell(metric::added_seconds, {name}),
                                                      .ok_by_route = {}})
            .first;
  }
  return found->second;
}

CallMetrics::TargetCells& CallMetrics::target(std::string_view label) {
  auto found = targets_.find(label);
  if (found == targets_.end()) {
    found =
        targets_
            .emplace(std::string(label), TargetCells{.complete = &shard_.cell(metric::attempts, {label, "complete"}),
                                                     .events = &shard_.cell(metric::events, {label}),
                                                     .tokens_in = &shard_.cell(metric::tokens, {label, "input"}),
                                                     .tokens_out = &shard_.cell(metric::tokens, {label, "output"})})
            .first;
  }
  return found->second;
}

void CallMetrics::call_ended(const ledger::RequestRecord& record) {
  in_flight().add(-1);
  EndpointCells& cells = endpoint(record.endpoint);
  cells.seconds->observe(seconds(record.duration));
  cells.added->observe(seconds(record.added));
  if (record.first_token && record.stream) {
    cells.first_token->observe(seconds(*record.first_token));
  }
  if (record.end_state == ledger::EndState::client_abort) {
    shard_.cell(metric::client_aborts, {record.endpoint}).add();
  }
  if (record.status != 200) {
    shard_.cell(metric::requests, {record.endpoint, record.route, fmt::format_int(record.status).c_str()}).add();
    return;
  }
  auto found = cells.ok_by_route.find(record.route);
  if (found == cells.ok_by_route.end()) {
    found =
        cells.ok_by_route.emplace(record.route, &shard_.cell(metric::requests, {record.endpoint, record.route, "200"}))
            .first;
  }
  found->second->add();
}

void CallMetrics::attempt_ended(std::string_view label, const ledger::AttemptRecord& attempt) {
  TargetCells& cells = target(label);
  cells.events->add(static_cast<double>(attempt.events));
  if (attempt.usage.input_tokens) {
    cells.tokens_in->add(static_cast<double>(*attempt.usage.input_tokens));
  }
  if (attempt.usage.output_tokens) {
    cells.tokens_out->add(static_cast<double>(*attempt.usage.output_tokens));
  }
  if (attempt.end_state == ledger::EndState::complete) {
    cells.complete->add();
  } else {
    shard_
        .cell(metric::attempts,
              {label, attempt.failure ? weir::to_string(*attempt.failure) : to_string(attempt.end_state)})
        .add();
  }
}

void CallMetrics::fallback(std::string_view from, std::string_view to) {
  shard_.cell(metric::fallbacks, {from, to}).add();
}

}  // namespace weir::gateway

#include "gateway/call_metrics.hpp"

#include <fmt/format.h>

#include "dialects/openai/mend.hpp"
#include "gateway/retry_policy.hpp"
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
  return endpoints_.get(name, [&] {
    return EndpointCells{.seconds = &shard_.cell(metric::request_seconds, {name}),
                         .first_token = &shard_.cell(metric::first_token_seconds, {name}),
                         .added = &shard_.cell(metric::added_seconds, {name}),
                         .streams = &shard_.cell(metric::streams, {name}),
                         .ok_by_route = {}};
  });
}

CallMetrics::TargetCells& CallMetrics::target(std::string_view label) {
  return targets_.get(label, [&] {
    return TargetCells{.complete = &shard_.cell(metric::attempts, {label, "complete"}),
                       .events = &shard_.cell(metric::events, {label}),
                       .tokens_in = &shard_.cell(metric::tokens, {label, "input"}),
                       .tokens_out = &shard_.cell(metric::tokens, {label, "output"}),
                       .seconds = &shard_.cell(metric::attempt_seconds, {label}),
                       .cost = &shard_.cell(metric::cost, {label})};
  });
}

void CallMetrics::call_ended(const ledger::RequestRecord& record) {
  in_flight().add(-1);
  EndpointCells& cells = endpoint(record.endpoint);
  cells.seconds->observe(seconds(record.duration));
  cells.added->observe(seconds(record.added));
  if (record.stream) {
    cells.streams->add();
  }
  if (record.first_token && record.stream) {
    cells.first_token->observe(seconds(*record.first_token));
  }
  if (record.keep_alives != 0) {
    shard_.cell(metric::keep_alives, {record.endpoint}).add(static_cast<double>(record.keep_alives));
  }
  if (record.end_state == ledger::EndState::client_abort) {
    shard_.cell(metric::client_aborts, {record.endpoint}).add();
  }
  if (record.status != 200) {
    shard_.cell(metric::requests, {record.endpoint, record.route, fmt::format_int(record.status).c_str()}).add();
    return;
  }
  cells.ok_by_route
      .get(record.route, [&] { return &shard_.cell(metric::requests, {record.endpoint, record.route, "200"}); })
      ->add();
}

void CallMetrics::attempt_ended(std::string_view label, const ledger::AttemptRecord& attempt, platform::Instant now) {
  TargetCells& cells = target(label);
  if (attempt.started && attempt.ended) {
    cells.seconds->observe(seconds(*attempt.ended - *attempt.started));
  }
  // Who left or sent something impossible says nothing about the provider.
  const bool answered =
      attempt.end_state == ledger::EndState::complete || (attempt.cause && is_about_request(*attempt.cause));
  if (answered || attempt.end_state == ledger::EndState::upstream_error) {
    cells.recent.add(now, answered);
  }
  cells.events->add(static_cast<double>(attempt.events));
  for (std::size_t i = 0; i < attempt.mended.size(); ++i) {
    if (attempt.mended[i] != 0) {
      shard_.cell(metric::mended, {label, openai::to_string(static_cast<openai::Mend>(i))}).add(attempt.mended[i]);
    }
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

void CallMetrics::usage_known(std::string_view label, const ledger::AttemptRecord& attempt) {
  TargetCells& cells = target(label);
  if (attempt.usage.input_tokens) {
    cells.tokens_in->add(static_cast<double>(*attempt.usage.input_tokens));
  }
  if (attempt.usage.output_tokens) {
    cells.tokens_out->add(static_cast<double>(*attempt.usage.output_tokens));
  }
  if (attempt.usage_source > ledger::UsageSource::provider) {
    shard_.cell(metric::usage_not_told, {label, to_string(attempt.usage_source)}).add();
  }
  if (!attempt.cost) {
    observe::Cell*& cell = attempt.price ? cells.without_usage : cells.without_price;
    if (cell == nullptr) {
      cell = &shard_.cell(metric::unpriced, {label, attempt.price ? "usage" : "price"});
    }
    cell->add();
  } else if (*attempt.cost != ledger::Money{}) {
    cells.cost->add(static_cast<double>(attempt.cost->in_picodollars()) / 1e12);
  }
}

void CallMetrics::limited(std::string_view scope, std::string_view unit) {
  shard_.cell(metric::limited, {scope, unit}).add();
}

void CallMetrics::caller_refused(Code code) {
  shard_.cell(metric::callers_refused, {weir::to_string(code)}).add();
}

void CallMetrics::budget_refused(std::string_view owner, std::string_view why) {
  shard_.cell(metric::budget_refused, {owner, why}).add();
}

void CallMetrics::budget_warning(std::string_view owner, int percent) {
  shard_.cell(metric::budget_warnings, {owner, percent >= 100 ? "100" : "80"}).add();
}

void CallMetrics::fallback(std::string_view from, std::string_view to) {
  shard_.cell(metric::fallbacks, {from, to}).add();
}

void CallMetrics::recovery(std::string_view how, std::string_view outcome) {
  shard_.cell(metric::recoveries, {how, outcome}).add();
}

void CallMetrics::collect(observe::MetricShard& shard, platform::Instant now) const {
  for (const auto& [label, cells] : targets_) {
    const RecentOutcomes::Sum sum = cells.recent.sum(now);
    const std::string_view provider = std::string_view(label).substr(0, label.find('/'));
    shard.cell(metric::provider_recent, {provider, "succeeded"}).add(static_cast<double>(sum.succeeded));
    shard.cell(metric::provider_recent, {provider, "failed"}).add(static_cast<double>(sum.failed));
  }
}

namespace {
std::int64_t slot_of(platform::Instant now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() / 10;
}
}  // namespace

void RecentOutcomes::add(platform::Instant now, bool succeeded) {
  const std::int64_t number = slot_of(now);
  Slot& slot = slots_[static_cast<std::size_t>(number) % slots_.size()];
  if (slot.number != number) {
    slot = {.number = number, .sum = {}};
  }
  ++(succeeded ? slot.sum.succeeded : slot.sum.failed);
}

RecentOutcomes::Sum RecentOutcomes::sum(platform::Instant now) const {
  const std::int64_t newest = slot_of(now);
  Sum sum;
  for (const Slot& slot : slots_) {
    if (slot.number >= 0 && slot.number > newest - static_cast<std::int64_t>(slots_.size())) {
      sum.succeeded += slot.sum.succeeded;
      sum.failed += slot.sum.failed;
    }
  }
  return sum;
}

}  // namespace weir::gateway

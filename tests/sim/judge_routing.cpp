#include "sim/judge_routing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <span>

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

/// By the status alone: what the caller, the key or the model is to blame for is no failure of the provider.
bool is_own_failure(const AttemptRecord& attempt) {
  constexpr int others_faults[] = {400, 401, 402, 403, 404, 422, 429};
  // It waited for one of few connections until its time was over: nothing is known of the provider.
  const bool waited_in_vain = !attempt.connected && attempt.failure == Code::overloaded;
  return attempt.end_state == EndState::upstream_error && !waited_in_vain &&
         std::ranges::find(others_faults, attempt.status) == std::ranges::end(others_faults);
}

const UpstreamCall* upstream_call_of(const History& history, const AttemptRecord& attempt) {
  const auto found = std::ranges::find_if(history.upstream_calls, [&](const UpstreamCall& upstream) {
    return attempt.upstream_request_id == fmt::format("up-{}", upstream.serial);
  });
  return found == history.upstream_calls.end() ? nullptr : &*found;
}

/// An attempt among all calls, in absolute time.
struct Placed {
  const RequestRecord* row = nullptr;
  std::size_t number = 0;  // in its row
  Instant started;
  Instant ended;
  Instant admitted;  // when it, or the first of those whose place it keeps, was let through
  [[nodiscard]] const AttemptRecord& attempt() const { return row->attempts[number]; }
  /// It has the place of the attempt before it: another key, another connection, or another way to ask.
  [[nodiscard]] bool keeps_its_place() const {
    return number > 0 && row->attempts[number - 1].target == attempt().target && attempt().backoff == Duration{};
  }
  /// What it tells of its provider is left to the attempt that keeps its place.
  [[nodiscard]] bool is_followed() const {
    const std::size_t next = number + 1;
    return next < row->attempts.size() &&
           Placed{.row = row, .number = next, .started = {}, .ended = {}, .admitted = {}}.keeps_its_place();
  }
  [[nodiscard]] bool failed() const { return is_own_failure(attempt()) && !is_followed(); }
  /// It was let through early, because nobody else could be asked.
  [[nodiscard]] bool was_early() const {
    return std::ranges::any_of(row->skipped, [&](const std::string& line) {
      return line.starts_with(attempt().target + ":") && line.contains("circuit breaker");
    });
  }
};

class RoutingJudge {
 public:
  RoutingJudge(const Scenario& scenario, const History& history, std::vector<std::string>& violations)
      : scenario_(scenario), history_(history), violations_(violations) {}

  void run() {
    for (const UpstreamPlan& plan : scenario_.upstreams) {
      find_attempts(plan.name);
      std::vector<Instant> openings;
      for (const BreakerOpening& opening : history_.openings) {
        if (opening.provider == plan.name) {
          openings.push_back(opening.at);
        }
      }
      judge_blame(plan.name, openings);
      judge_open(plan.name, openings);
      judge_trials(plan.name, openings);
      judge_skipped(plan.name, openings);
    }
    judge_shares();
  }

 private:
  template <class... Arguments>
  void violate(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    violations_.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  void find_attempts(const std::string& provider) {
    attempts_.clear();
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      const RequestRecord& row = *history_.records[i];
      const Instant began = history_.settled_at[i] - row.duration;
      for (std::size_t number = 0; number < row.attempts.size(); ++number) {
        const AttemptRecord& attempt = row.attempts[number];
        if (provider_of(attempt) == provider && attempt.started && attempt.ended) {
          Placed& one = attempts_.emplace_back(Placed{.row = &row,
                                                      .number = number,
                                                      .started = began + *attempt.started,
                                                      .ended = began + *attempt.ended,
                                                      .admitted = began + *attempt.started});
          if (one.keeps_its_place() && attempts_.size() > 1) {
            one.admitted = attempts_[attempts_.size() - 2].admitted;
          }
        }
      }
    }
  }

  /// Only the provider's own failures open its breaker, and enough of them.
  void judge_blame(const std::string& provider, const std::vector<Instant>& openings) {
    for (std::size_t i = 0; i < openings.size(); ++i) {
      const auto failures =
          std::ranges::count_if(attempts_, [&](const Placed& one) { return one.ended <= openings[i] && one.failed(); });
      // Each opening after the first takes one failed trial at least.
      const auto needed = scenario_.breaker.failure_threshold + static_cast<std::ptrdiff_t>(i);
      if (failures < needed) {
        violate("the breaker of {} opened {} times, and {} failures are its own fault", provider, i + 1, failures);
        return;
      }
      const bool by_it =
          std::ranges::any_of(attempts_, [&](const Placed& one) { return one.ended == openings[i] && one.failed(); });
      if (!by_it) {
        violate("the breaker of {} opened, and nothing had failed there at that moment", provider);
      }
    }
  }

  /// While it is open only early trials pass.
  void judge_open(const std::string& provider, const std::vector<Instant>& openings) {
    for (const Instant opened : openings) {
      const Instant until = opened + scenario_.breaker.recovery_timeout;
      const bool closed_early = std::ranges::any_of(attempts_, [&](const Placed& one) {
        return one.attempt().trial && one.attempt().first_token && one.started >= opened && one.started < until;
      });
      for (const Placed& one : attempts_) {
        if (one.started > opened && one.started < until && !one.attempt().trial && !one.keeps_its_place() &&
            !closed_early) {
          violate("{} was asked {} ms after its breaker had opened", provider,
                  std::chrono::duration_cast<std::chrono::milliseconds>(one.started - opened).count());
        }
        if (one.started > opened && one.started < until && one.attempt().trial && !one.was_early() &&
            !one.keeps_its_place()) {
          violate("a trial of {} came while its breaker was open, and the record does not say so", provider);
        }
      }
    }
  }

  /// In each recovery period no more trials than may be are made: those that are due, and those that come early.
  void judge_trials(const std::string& provider, const std::vector<Instant>& openings) {
    for (std::size_t i = 0; i < openings.size(); ++i) {
      std::set<std::string> due;
      std::set<std::string> early;
      for (const Placed& one : attempts_) {
        const AttemptRecord& attempt = one.attempt();
        const bool in_period =
            one.admitted >= openings[i] && (i + 1 == openings.size() || one.admitted < openings[i + 1]);
        // A call that found it open may find it half-open when it asks again.
        const bool was_open =
            scenario_.breaker.adaptive || one.admitted < openings[i] + scenario_.breaker.recovery_timeout;
        const bool tells = one.failed() || attempt.first_token;  // else it gives its place back
        if (in_period && attempt.trial && tells) {
          (one.was_early() && was_open ? early : due).insert(one.row->id);
        }
      }
      const auto most = static_cast<std::size_t>(scenario_.breaker.half_open_max_calls);
      if (due.size() > most || early.size() > most) {
        violate("{} was tried out by {} calls when its breaker was half-open, and by {} before", provider, due.size(),
                early.size());
      }
    }
  }

  /// Who was passed over had given a reason.
  void judge_skipped(const std::string& provider, const std::vector<Instant>& openings) {
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      for (const std::string& line : history_.records[i]->skipped) {
        if (!line.starts_with(provider + "/")) {
          continue;
        }
        if (line.contains("circuit breaker") &&
            std::ranges::none_of(openings, [&](Instant at) { return at <= history_.settled_at[i]; })) {
          violate("{} was left alone for its breaker, which had never opened", provider);
        }
        if (line.contains("in flight") && scenario_.max_in_flight == 0) {
          violate("{} was left alone as full, and it has no limit", provider);
        }
      }
    }
  }

  /// The first choice of a step follows the weights, in every stretch of calls.
  void judge_shares() {
    if (!scenario_.reloads.empty()) {
      return;  // whose turn it is may begin anew
    }
    for (const auto& [model, steps] : scenario_.models) {
      if (steps.front().size() != 2) {
        continue;
      }
      const auto weight = [&](const std::string& provider) {
        const auto found = scenario_.weights.find(provider);
        return found == scenario_.weights.end() ? 1 : found->second;
      };
      const int first = weight(steps.front()[0]);
      const int second = weight(steps.front()[1]);
      if (first == second) {
        continue;
      }
      const std::string& light = steps.front()[first < second ? 0 : 1];
      std::size_t calls = 0;
      std::size_t at_light = 0;
      for (const auto& record : history_.records) {
        calls += record->model == model ? 1 : 0;
        at_light += record->model == model && record->skipped.empty() && !record->attempts.empty() &&
                            provider_of(record->attempts.front()) == light
                        ? 1
                        : 0;
      }
      if (at_light > 2 + 2 * calls / heavy) {
        violate("{} of {} calls began with {}, whose share is 1 of {}", at_light, calls, light, heavy + 1);
      }
    }
  }

  const Scenario& scenario_;
  const History& history_;
  std::vector<std::string>& violations_;
  std::vector<Placed> attempts_;  // at the provider that is being judged
};

}  // namespace

void judge_routing(const Scenario& scenario, const History& history, std::vector<std::string>& violations) {
  RoutingJudge(scenario, history, violations).run();
}

void judge_come_back(const History& history, const RequestRecord& row, const std::string& told,
                     std::vector<std::string>& violations) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(told.data(), told.data() + told.size(), seconds);
  if (error != std::errc() || end != told.data() + told.size() || seconds < 0) {
    violations.push_back(fmt::format("Retry-After is no number of seconds: {}", told));
    return;
  }
  std::optional<Duration> soonest;
  bool all_known = row.skipped.empty();  // who was not asked may be back sooner
  for (const AttemptRecord& attempt : row.attempts) {
    const UpstreamCall* upstream = upstream_call_of(history, attempt);
    const bool said = upstream != nullptr && upstream->intent.upset == Upset::error && attempt.ended &&
                      (attempt.status == 429 || attempt.status == 503);
    const bool opened = std::ranges::any_of(
        history.openings, [&](const BreakerOpening& one) { return one.provider == provider_of(attempt); });
    all_known = all_known && said && !opened;
    if (said) {
      const Duration back = *attempt.ended + std::chrono::seconds(upstream->intent.retry_after.value_or(1));
      soonest = std::min(soonest.value_or(back), back);
    }
  }
  if (!soonest || row.attempts.empty()) {
    return;
  }
  const Duration left = *soonest - *row.attempts.back().ended;
  const std::int64_t most = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(left).count());
  if (seconds > most) {
    violations.push_back(
        fmt::format("the client is to come back in {} s, and one who was asked is back in {} s", seconds, most));
  }
  if (all_known && seconds + 1 < std::chrono::floor<std::chrono::seconds>(*soonest - row.duration).count()) {
    violations.push_back(
        fmt::format("the client is to come back in {} s, and nobody is back before {} s", seconds, most));
  }
}

}  // namespace weir::sim

#include "app/probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/ids.hpp"
#include "gateway/exchange.hpp"

namespace weir::app {

using platform::Instant;

namespace {

/// Takes an answer for what it shows: that there was one.
class ProbeSink final : public gateway::ReplySink {
 public:
  void head(const gateway::ReplyHead& head) override { good_ = head.status == 200; }
  Task<Outcome> events(std::span<const std::string_view>) override { co_return Outcome(); }
  Task<Outcome> end(std::string_view) override {
    answered_ = good_;
    co_return Outcome();
  }
  Task<Outcome> error(const gateway::Failure&) override {
    answered_ = false;
    co_return Outcome();
  }
  [[nodiscard]] platform::Duration stalled() const override { return {}; }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return 0; }
  [[nodiscard]] bool answered() const { return answered_; }

 private:
  bool good_ = false;
  bool answered_ = false;
};

const gateway::Endpoint endpoint{.method = "POST",
                                 .path = "/v1/chat/completions",
                                 .upstream_path = "/chat/completions",
                                 .operation = &openai::chat_completion,
                                 .summary = {}};
constexpr std::string_view body = R"({"model":"probe","messages":[{"role":"user","content":"ping"}],"max_tokens":1})";

std::string new_id(platform::Loop& loop) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(loop.wall_now().time_since_epoch());
  const std::uint64_t high = loop.random().next();
  return make_request_id(static_cast<std::uint64_t>(now.count()), high, loop.random().next());
}

}  // namespace

Probes::Probes(gateway::Core& core, providers::Reachability& found)
    : core_(core),
      found_(found),
      changed_(core.loop),
      tasks_(core.loop, [&log = core.log](std::string_view task, const std::string& what) {
        log.message(observe::Level::error, "health",
                    fmt::format("the task {} ended with an exception: {}", task, what));
      }) {}

void Probes::use(Plan plan) {
  if (tasks_.cancellation().cancelled()) {
    return;  // the news overtook the end
  }
  plan_ = std::move(plan);
  if (running_) {
    changed_.notify();
  } else if (!plan_.providers.empty()) {
    running_ = true;
    tasks_.spawn("probe targets", run());
  }
}

Task<void> Probes::run() {
  while (true) {
    changed_.clear();
    const Instant next = plan_.providers.empty() ? platform::never : look();
    if (co_await changed_.wait({next, &tasks_.cancellation()}) == platform::Wake::cancelled) {
      co_return;
    }
  }
}

Instant Probes::look() {
  const auto snapshot = core_.snapshot;
  // No breaker tells when it opens: it is seen within a second, and its trials then begin on time.
  Instant next = core_.loop.now() + std::chrono::seconds(1);
  if (snapshot == nullptr) {
    return next;
  }
  for (const auto& [name, model] : snapshot->models.exact) {
    for (const routing::Step& step : model.steps) {
      for (const routing::Target& target : step.any_of) {
        next = std::min(next, look_at(snapshot, target));
      }
    }
  }
  return next;
}

Instant Probes::look_at(const std::shared_ptr<const gateway::Snapshot>& snapshot, const routing::Target& target) {
  if (!target.off.empty() || target.live.state == nullptr || !plan_.providers.contains(target.provider)) {
    return platform::never;
  }
  const Instant now = core_.loop.now();
  const routing::TargetState::Report report = target.live.state->report(now);
  if (report.breaker == routing::BreakerState::closed) {
    return platform::never;
  }
  if (report.breaker == routing::BreakerState::open) {
    return report.open_until;
  }
  Asked& asked = asked_[report.name];
  if (asked.running || (asked.in_vain && asked.period == report.open_until) ||
      !target.live.state->trial_due(target.breaker, now) || !spend(target.provider)) {
    return platform::never;
  }
  asked = {.period = report.open_until, .running = true};
  tasks_.spawn("probe a target", probe(snapshot, target));
  return platform::never;
}

bool Probes::spend(const std::string& provider) {
  Spent& spent = spent_[provider];
  const std::int64_t today = std::chrono::floor<std::chrono::days>(core_.loop.wall_now()).time_since_epoch().count();
  if (spent.day != today) {
    spent = {.day = today};
  }
  if (spent.probes > plan_.per_day) {
    return false;
  }
  if (spent.probes++ == plan_.per_day) {
    core_.log.message(observe::Level::warn, "health",
                      fmt::format("the provider {} has had the {} probes of today: calls are its trials until tomorrow",
                                  provider, plan_.per_day));
    return false;
  }
  return true;
}

Task<void> Probes::probe(std::shared_ptr<const gateway::Snapshot> snapshot, const routing::Target& target) {
  const std::string name = target.live.state->name();
  const Instant now = core_.loop.now();
  http::RequestEnd end;
  gateway::Call call{.endpoint = endpoint,
                     .id = new_id(core_.loop),
                     .body = body,
                     .request = {},
                     .unusable = std::nullopt,
                     .headers = {},
                     .query = {},
                     .client = {},
                     .client_request_id = {},
                     .trace = std::nullopt,
                     .mock = {},
                     .credential = {},
                     .principal = {},
                     .started = now,
                     .received = now,
                     .probe = &target};
  call.request = call.operation().read_request(body).value();
  ProbeSink sink;
  struct Note {  // also where the exchange throws
    Probes& probes;
    const std::string& name;
    const ProbeSink& sink;
    http::RequestEnd& end;
    explicit Note(Probes& all, const std::string& target, const ProbeSink& taker, http::RequestEnd& its_end)
        : probes(all), name(target), sink(taker), end(its_end) {
      probes.open_.insert(&end);
    }
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;
    ~Note() {
      probes.open_.erase(&end);
      Asked& asked = probes.asked_[name];
      asked.running = false;
      asked.in_vain = !sink.answered();
      probes.found_.note_probe(name, sink.answered(), probes.core_.loop.now());
      probes.changed_.notify();  // a breaker may want another
    }
  };
  const Note note(*this, name, sink, end);
  gateway::Exchange exchange(core_, call, sink, end);
  co_await exchange.run();
}

Task<void> Probes::close() {
  tasks_.cancel();
  for (http::RequestEnd* end : open_) {
    end->cancellation.cancel();
  }
  co_await tasks_.join(platform::never);
}

}  // namespace weir::app

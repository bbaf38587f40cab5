#include "app/reachability_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::app {

using platform::Instant;

ReachabilityChecks::ReachabilityChecks(platform::Loop& loop, providers::Reachability& found, observe::Log& log)
    : loop_(loop),
      found_(found),
      log_(log),
      plan_(std::make_shared<const Plan>()),
      changed_(loop),
      tasks_(loop, [&log](std::string_view task, const std::string& what) {
        log.message(observe::Level::error, "health",
                    fmt::format("the task {} ended with an exception: {}", task, what));
      }) {}

void ReachabilityChecks::use(Plan plan) {
  if (tasks_.cancellation().cancelled()) {
    return;  // the news overtook the end
  }
  plan_ = std::make_shared<const Plan>(std::move(plan));
  found_.keep([this](std::string_view name) {
    return std::ranges::find(plan_->providers, name, &Provider::name) != plan_->providers.end();
  });
  if (running_) {
    changed_.notify();
  } else if (!plan_->providers.empty()) {
    running_ = true;
    tasks_.spawn("check the providers", run());
  }
}

Task<void> ReachabilityChecks::run() {
  while (true) {
    changed_.clear();
    const std::shared_ptr<const Plan> plan = plan_;
    for (std::size_t i = 0; i < plan->providers.size(); ++i) {
      tasks_.spawn("check a provider", check(plan, i));
    }
    // A check has ended before the next one of its provider begins.
    const Instant next =
        plan->providers.empty() ? platform::never : loop_.now() + std::max(plan->interval, plan->timeout);
    const platform::Wake woke = co_await changed_.wait({next, &tasks_.cancellation()});
    if (woke == platform::Wake::cancelled) {
      co_return;
    }
  }
}

Task<void> ReachabilityChecks::check(std::shared_ptr<const Plan> plan, std::size_t index) {
  const Provider& provider = plan->providers[index];
  const Instant began = loop_.now();
  http::Connector connector(loop_, provider.connect);
  const auto stream = co_await connector.connect({began + plan->timeout, &tasks_.cancellation()});
  if (tasks_.cancellation().cancelled() || plan != plan_) {
    co_return;  // it is another question now
  }
  const Instant now = loop_.now();
  const std::optional<Code> failure = stream ? std::nullopt : std::optional(stream.error().code);
  if (found_.note(provider.name, failure, now, now - began)) {
    log_.message(failure ? observe::Level::warn : observe::Level::info, "health",
                 failure ? fmt::format("the provider {} cannot be reached: {}", provider.name, stream.error().message)
                         : fmt::format("the provider {} can be reached again", provider.name));
  }
}

Task<void> ReachabilityChecks::close() {
  tasks_.cancel();
  co_await tasks_.join(platform::never);
}

}  // namespace weir::app

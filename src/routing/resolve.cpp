#include "routing/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::routing {

namespace {

std::string substitute_star(std::string_view pattern, std::string_view starred) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return std::string(pattern);
  }
  return fmt::format("{}{}{}", pattern.substr(0, star), starred, pattern.substr(star + 1));
}

Plan plan_of(const ModelPolicy& policy, std::optional<std::string_view> starred) {
  Plan plan{.name = policy.name,
            .timeouts = policy.timeouts,
            .on_context_window = policy.on_context_window,
            .on_content_policy = policy.on_content_policy,
            .fallback = policy.fallback};
  plan.steps.reserve(policy.steps.size());
  for (const Step& step : policy.steps) {
    RecycledVector<Candidate>& members = plan.steps.emplace_back(&step).members;
    members.reserve(step.any_of.size());
    for (const Target& target : step.any_of) {
      const Target* meant = &target;
      if (starred) {
        plan.owned.push_front(target);
        plan.owned.front().model = substitute_star(target.model, *starred);
        meant = &plan.owned.front();
      }
      members.push_back({.target = meant, .upstream_model = meant->model});
    }
  }
  return plan;
}

Plan forwarded(const Forward& forward, std::string_view model) {
  Plan plan{.name = {}, .timeouts = forward.timeouts};
  plan.owned.push_front({.provider = forward.provider,
                         .model = std::string(model),
                         .timeouts = forward.timeouts,
                         .retry = forward.retry,
                         .recovery = forward.recovery,
                         .off = forward.off,
                         .breaker = forward.breaker,
                         .provider_max_in_flight = forward.provider_max_in_flight,
                         .live = forward.live});
  plan.name = plan.owned.front().provider;  // `forward` may be a temporary, and has no fallback then
  plan.fallback = forward.fallback;
  plan.steps.emplace_back().members.push_back(
      {.target = &plan.owned.front(), .upstream_model = plan.owned.front().model});
  return plan;
}

const Forward* find_forward(const ModelTable& table, std::string_view provider) {
  const auto found = std::ranges::find(table.forwards, provider, &Forward::provider);
  return found == table.forwards.end() ? nullptr : &*found;
}

}  // namespace

Plan plan_of(const Target& target) {
  Plan plan{.name = {}, .timeouts = target.timeouts};
  plan.owned.push_front(target);
  plan.name = plan.owned.front().provider;
  plan.steps.emplace_back().members.push_back(
      {.target = &plan.owned.front(), .upstream_model = plan.owned.front().model});
  return plan;
}

Result<Plan> resolve(const ModelTable& table, std::string_view model, bool mock) {
  constexpr std::string_view mock_prefix = "mock/";
  if (!table.mock_provider.empty() && (mock || model.starts_with(mock_prefix))) {
    const std::string_view rest = model.starts_with(mock_prefix) ? model.substr(mock_prefix.size()) : model;
    return forwarded({.provider = table.mock_provider}, rest);
  }
  if (model.empty()) {
    if (table.default_model.empty()) {
      return fail(Code::model_required, "The request names no model and no default_model is configured.");
    }
    model = table.default_model;
  }
  if (const auto found = table.exact.find(model); found != table.exact.end()) {
    return plan_of(found->second, std::nullopt);
  }
  for (const Pattern& pattern : table.patterns) {
    if (model.size() >= pattern.prefix.size() + pattern.suffix.size() && model.starts_with(pattern.prefix) &&
        model.ends_with(pattern.suffix)) {
      const std::string_view starred =
          model.substr(pattern.prefix.size(), model.size() - pattern.prefix.size() - pattern.suffix.size());
      return plan_of(pattern.policy, starred);
    }
  }
  if (const std::size_t slash = model.find('/'); slash != std::string_view::npos) {
    if (const Forward* forward = find_forward(table, model.substr(0, slash))) {
      return forwarded(*forward, model.substr(slash + 1));
    }
  }
  if (!table.bare_names_to.empty()) {
    if (const Forward* forward = find_forward(table, table.bare_names_to)) {
      return forwarded(*forward, model);
    }
  }
  return fail(Code::model_not_found,
              fmt::format("The model `{}` does not exist here: it is not under `models` in the configuration. "
                          "GET /v1/models lists what does.",
                          model));
}

bool add_fallback(Plan& plan, const ModelTable& table) {
  const std::string_view model = std::exchange(plan.fallback, {});
  if (model.empty()) {
    return false;
  }
  auto more = resolve(table, model, false);
  if (!more) {
    return false;  // the configuration was checked: it names a model
  }
  const auto is_there = [&plan](const Candidate& one) {
    return std::ranges::any_of(plan.steps, [&one](const PlanStep& step) {
      return std::ranges::any_of(step.members, [&one](const Candidate& other) {
        return other.target->provider == one.target->provider && other.upstream_model == one.upstream_model;
      });
    });
  };
  bool added = false;
  for (PlanStep& step : more->steps) {
    std::erase_if(step.members, is_there);
    if (!step.members.empty()) {
      plan.steps.push_back(std::move(step));
      added = true;
    }
  }
  plan.owned.splice_after(plan.owned.before_begin(), more->owned);
  return added;
}

}  // namespace weir::routing

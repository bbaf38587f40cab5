#pragma once

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "platform/recycled_memory.hpp"
#include "routing/policy.hpp"

namespace weir::routing {

/// One target that may be tried, with the name under which its provider knows the model.
struct Candidate {
  const Target* target;
  std::string_view upstream_model;
};

/// One step of a plan: all its members are tried before the next step. Never empty.
struct PlanStep {
  const Step* step = nullptr;  // null: one member, made for this call
  RecycledVector<Candidate> members;
};

/// What a model name means: its policy, and its steps in the order in which they are tried.
///
/// Views and pointers lead into the ModelTable (pin its snapshot) or into `owned`, which moves with the plan.
struct Plan {
  std::string_view name;               // the entry's name, for records and labels
  Timeouts timeouts;                   // `total` holds for the whole call
  std::string_view on_context_window;  // models, as in ModelPolicy
  std::string_view on_content_policy;
  std::string_view fallback;
  RecycledVector<PlanStep> steps;
  std::forward_list<Target> owned;  // targets made for this call: a pattern's or a forwarded name
};

/// Pure: the same table and name give the same plan.
/// `model` empty: the default model. `mock`: the caller asked for the mock provider by header.
/// Errors: model_required, model_not_found.
Result<Plan> resolve(const ModelTable& table, std::string_view model, bool mock);

/// That target and nobody else; it has a name for the model.
Plan plan_of(const Target& target);

/// Puts the steps of `plan`'s fallback behind its own, but for targets that it has already; from then on it has no
/// fallback. False: nobody was added.
bool add_fallback(Plan& plan, const ModelTable& table);

}  // namespace weir::routing

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "routing/circuit_breaker.hpp"

namespace weir::routing {

class TargetState;
class StepTurns;

/// What is shared with other cores and snapshots while weir runs (target_state.hpp); null: nothing. No part of what a
/// target or step is: two that differ only in it are equal.
template <class T>
struct Live {
  std::shared_ptr<T> state;
  friend bool operator==(const Live&, const Live&) { return true; }
};

/// Time limits of one call, as they apply to one target. Plain value; the defaults are the documented ones.
struct Timeouts {
  std::chrono::milliseconds connect = std::chrono::seconds(10);        // DNS + TCP + TLS
  std::chrono::milliseconds first_token = std::chrono::minutes(5);     // streamed only: to the first content
  std::chrono::milliseconds between_events = std::chrono::minutes(2);  // streamed only: silence after the first content
  std::chrono::milliseconds after_finish{40};                   // streamed only: silence after the last finish reason
  std::chrono::milliseconds attempt = std::chrono::minutes(5);  // not streamed only: one attempt, whole answer
  std::chrono::milliseconds total = std::chrono::minutes(10);   // everything: waiting, all attempts, the answer
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// When and how often the same target is tried again. Plain value.
struct Retry {
  int attempts = 3;                        // per target, the first one included; 1 to 20
  std::chrono::milliseconds backoff{500};  // doubles, full jitter; Retry-After is a floor
  std::chrono::milliseconds backoff_max{8'000};
  std::vector<int> status_codes{408, 429, 500, 502, 503, 504, 529};
  std::chrono::milliseconds stop_after{60'000};  // no repeat on the same target after this
  friend bool operator==(const Retry&, const Retry&) = default;
};

/// What happens to a stream that breaks off after content has left.
enum class RecoveryMode : std::uint8_t {
  proven,   // another answer goes on with it once it has repeated, byte for byte, what the caller has
  prefill,  // the target is given what the caller has, where its server can go on with that; else as `proven`
  none,     // the caller is told that it broke off
};
struct Recovery {
  RecoveryMode mode = RecoveryMode::proven;
  bool with_seed = true;  // also calls that bring a seed of their own
  friend bool operator==(const Recovery&, const Recovery&) = default;
};

/// A provider and its name for the model. Time limits, retry and breaker are effective values: general, provider, model
/// and target options are already merged, option by option.
struct Target {
  std::string provider;
  std::string model;  // in a pattern entry one `*` stands for what the pattern's own `*` matched
  int weight = 1;     // > 0; share among the members of its step
  Timeouts timeouts;
  Retry retry;
  Recovery recovery;
  std::string off;  // why the target cannot be used (its provider is switched off); empty: usable
  BreakerOptions breaker;
  int max_in_flight = 0;           // calls at the same time, over all cores and models; 0: no limit
  int provider_max_in_flight = 0;  // likewise, of the whole provider
  Live<TargetState> live;
  friend bool operator==(const Target&, const Target&) = default;
};

/// How a step shares its calls among its members.
enum class Balance : std::uint8_t { weighted, least_in_flight, fastest, cheapest, prefix_affinity };

/// One step: any of its targets will do. Never empty.
struct Step {
  std::vector<Target> any_of;
  Balance balance = Balance::weighted;
  std::string sticky;  // "user", or a header's name: callers with the same value get the same member; empty: no
  Live<StepTurns> turns;
  friend bool operator==(const Step&, const Step&) = default;
};

/// What happens to a call that names this model: its steps are tried in order until one answers. Never without steps.
struct ModelPolicy {
  std::string name;  // as in the config; for a pattern entry the pattern itself ("local/*")
  std::vector<Step> steps;
  std::string on_context_window;  // the model that is asked instead where a request is too long; empty: the next step
  std::string on_content_policy;  // likewise where a provider refuses the content; empty: the caller is told
  std::string fallback;           // the model whose steps come behind the last one of these; empty: none
  Timeouts timeouts;              // general and model options merged; `total` is the limit of the whole call
  Retry retry;
  friend bool operator==(const ModelPolicy&, const ModelPolicy&) = default;
};

/// `"local/*": "home/*"`: names that start with `prefix` and end with `suffix`; what lies between is the starred part.
struct Pattern {
  std::string prefix;
  std::string suffix;
  ModelPolicy policy;
  friend bool operator==(const Pattern&, const Pattern&) = default;
};

/// A provider with `unknown_models: forward`: `provider/<any name>` reaches it without a model entry.
struct Forward {
  std::string provider;
  Timeouts timeouts;  // general and provider options merged
  Retry retry;
  Recovery recovery;
  std::string off;  // as in Target
  BreakerOptions breaker;
  int provider_max_in_flight = 0;
  Live<TargetState> live;
  std::string fallback;  // as in ModelPolicy
  friend bool operator==(const Forward&, const Forward&) = default;
};

/// All that name resolution needs, built from one config and never changed afterwards.
struct ModelTable {
  std::map<std::string, ModelPolicy, std::less<>> exact;
  std::vector<Pattern> patterns;  // most specific first (longest prefix + suffix), then in file order
  std::vector<Forward> forwards;  // in file order
  std::string default_model;      // a name in `exact`, or one that a pattern or forward takes; empty: none
  std::string mock_provider;      // takes `mock/...` and calls with the header `x-mock`; empty: neither exists
  std::string bare_names_to;      // without a config: the provider (in `forwards`) that gets names without a slash
  friend bool operator==(const ModelTable&, const ModelTable&) = default;
};

}  // namespace weir::routing

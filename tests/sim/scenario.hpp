#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/sim/faults.hpp"
#include "routing/policy.hpp"
#include "sim/history.hpp"

namespace weir::sim {

/// What an upstream thinks of one of the gateway's keys.
enum class KeyStanding : std::uint8_t {
  good,
  refused,  // 401 or 403
  spent,    // 402, or 429 that no waiting helps
};

/// How one upstream behaves in a run.
struct UpstreamPlan {
  std::string name;                                     // "u0"; the provider has the same
  std::string address;                                  // "10.0.1.0"
  std::vector<KeyStanding> keys = {KeyStanding::good};  // the gateway's, in the order of its configuration
  Upset dialling = Upset::none;                         // refused, unreachable, silent_dial, reset or fin: always
  double upset_share = 0;                               // of its answers
  bool only_status = false;                             // its upsets are error statuses
  bool only_busy = false;                               // and of these 429 and 503, mostly with a time to come back
  bool only_slow = false;                               // its upsets are pauses before the first content
  routing::Timeouts patience;                           // of the gateway with it: what is slow is measured by this
  double close_after_answer = 0;  // share of the answers after which it closes the idle connection
  platform::DurationRange pace;   // between events
  std::size_t words_max = 8;
  std::size_t filler_bytes_max = 0;
  platform::LinkFaults link;
};

/// The value of that key of the gateway; all small letters.
std::string key_value(std::string_view upstream, std::size_t number);

struct ClientPlan {
  Duration starts_after{};
  Duration pause{};  // between two calls
  std::vector<CallPlan> calls;
  std::size_t read_bytes_max = 65536;
  std::optional<Duration> dials_again;  // after that, where nobody listens; nothing: it gives up
  bool comes_back_as_told = false;      // who is told to wait waits for exactly that, and then makes its next call
};

/// The gateway loads its configuration again, and these providers are replaced.
struct ReloadPlan {
  Duration after{};
  std::vector<std::string> replaced;
};

/// Everything that a seed decides before the run: who is there and what they mean to do. What remains is decided by the
/// world's own choices as it runs.
struct Scenario {
  std::uint64_t seed = 0;
  platform::WorldFaults world;
  platform::LinkFaults client_link;
  bool metered = false;        // every call has limits and budgets, which are never reached
  bool quiet_network = false;  // links deliver everything at once and in one piece: times can be judged exactly
  std::vector<UpstreamPlan> upstreams;
  std::map<std::string, std::vector<std::vector<std::string>>> models;  // steps of upstream names
  std::vector<ClientPlan> clients;
  routing::Timeouts timeouts;
  routing::Retry retry;
  routing::BreakerOptions breaker;
  std::map<std::string, int> weights;  // of upstreams within their steps; 1 where there is none
  int max_in_flight = 0;               // of each target; 0: no limit
  std::vector<ReloadPlan> reloads;
  int upstream_connections = 100;  // that may be open to one provider; with few, calls wait for each other
  std::chrono::milliseconds keep_alive_after{20'000};
  std::chrono::milliseconds keep_alive_every{20'000};
  std::optional<Duration> drain_after;  // the gateway is told to stop
  bool narrow_drain = false;            // and finds long streams whose readers pause, over connections that fill up
  Duration drain_time{};
};

/// Calls with this number or a greater one get the same text from every upstream.
inline constexpr std::uint64_t same_text_from = 1000;

/// The weight of an upstream that has one.
inline constexpr int heavy = 19;

Scenario make_scenario(std::uint64_t seed);

}  // namespace weir::sim

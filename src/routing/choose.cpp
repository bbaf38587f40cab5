#include "routing/choose.hpp"

#include <algorithm>
#include <cmath>

#include "routing/target_state.hpp"

namespace weir::routing {

using platform::Instant;

namespace {

std::size_t by_weight(std::span<const Candidate> members, double drawn) {
  std::uint64_t total = 0;
  for (const Candidate& member : members) {
    total += static_cast<std::uint64_t>(member.target->weight);
  }
  auto left = static_cast<std::uint64_t>(drawn * static_cast<double>(total));
  for (std::size_t i = 0; i + 1 < members.size(); ++i) {
    const auto weight = static_cast<std::uint64_t>(members[i].target->weight);
    if (left < weight) {
      return i;
    }
    left -= weight;
  }
  return members.size() - 1;
}

/// The member of the least cost; among several of them `drawn` decides.
template <class Cost>
std::size_t cheapest(std::span<const Candidate> members, double drawn, Cost cost) {
  double least = 0;
  std::size_t equal = 0;
  for (const Candidate& member : members) {
    const double its = cost(member);
    if (equal == 0 || its < least) {
      least = its;
      equal = 1;
    } else {
      equal += its == least ? 1 : 0;
    }
  }
  auto which = static_cast<std::size_t>(drawn * static_cast<double>(equal));
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (cost(members[i]) == least && which-- == 0) {
      return i;
    }
  }
  return 0;  // the states changed in between
}

double in_flight(const Candidate& member) {
  return member.target->live.state == nullptr ? 0 : member.target->live.state->in_flight();
}

/// What a caller would wait for: the time to the first token, behind all that are there already.
double expected_wait(const Candidate& member, Instant now) {
  constexpr double unknown = 1.0;  // seconds; an idle one of which nothing is known is asked at once
  const auto known = member.target->live.state == nullptr ? platform::Duration{}
                                                          : member.target->live.state->expected_first_token(now);
  const double before = in_flight(member);
  if (known == platform::Duration{}) {
    return before * unknown;
  }
  return std::chrono::duration<double>(known).count() * (before + 1);
}

std::uint64_t mixed(std::uint64_t hash) {  // the finalizer of MurmurHash3
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdU;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53U;
  return hash ^ (hash >> 33);
}

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325U) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

}  // namespace

std::size_t choose(std::span<const Candidate> members, Balance balance, double drawn, Instant now) {
  switch (balance) {
    case Balance::least_in_flight: return cheapest(members, drawn, in_flight);
    case Balance::fastest:
      return cheapest(members, drawn, [now](const Candidate& member) { return expected_wait(member, now); });
    case Balance::weighted:
    case Balance::cheapest:  // who knows prices asks choose_least()
    case Balance::prefix_affinity: break;
  }
  return by_weight(members, drawn);
}

std::size_t choose_least(std::span<const double> costs, double drawn) {
  const double least = *std::ranges::min_element(costs);
  auto which = static_cast<std::size_t>(drawn * static_cast<double>(std::ranges::count(costs, least)));
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (costs[i] == least && which-- == 0) {
      return i;
    }
  }
  return 0;
}

std::size_t choose_for(std::span<const Candidate> members, std::string_view key) {
  std::size_t best = 0;
  double best_score = -1;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Target& target = *members[i].target;
    const std::uint64_t hash = mixed(fnv1a(members[i].upstream_model, fnv1a("/", fnv1a(target.provider, fnv1a(key)))));
    const double drawn = (static_cast<double>(hash >> 11) + 0.5) * 0x1.0p-53;  // in (0, 1)
    const double score = static_cast<double>(target.weight) / -std::log(drawn);
    if (score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace weir::routing

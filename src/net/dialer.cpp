#include "net/dialer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/signal.hpp"

namespace weir::net {

using platform::Instant;
using platform::IpAddress;
using platform::Peer;
using platform::Stream;
using platform::Until;

namespace {
constexpr auto lookup_time = std::chrono::seconds(15);       // the resolver's own patience may be longer
constexpr auto patience_with_old = std::chrono::seconds(2);  // for news, where old addresses are known
constexpr auto address_time = std::chrono::seconds(10);      // for one of several, where the dial has no deadline
}  // namespace

/// A question that several dials may wait for. Kept by the task that asks it.
struct Dialer::Lookup {
  bool done = false;
  Result<NameCache::Addresses> result;
  std::list<platform::Signal*> waiting;  // each in the frame of its dial
};

Dialer::Dialer(platform::Loop& loop, Options options)
    : loop_(loop), lookups_(loop, [](std::string_view, const std::string&) { /* its dials tell what they miss */ }) {
  set_options(options);
}

Dialer::~Dialer() = default;

void Dialer::set_options(Options options) {
  options_ = options;
  names_.keep_for(options.name_ttl);
}

Task<void> Dialer::look_up(std::string host, std::shared_ptr<Lookup> lookup) {
  lookup->result = fail(Code::unreachable, fmt::format("looking up {} failed", host));
  lookup->result = co_await loop_.resolve(host, {loop_.now() + lookup_time, &lookups_.cancellation()});
  lookup->done = true;
  running_.erase(host);
  if (lookup->result) {
    names_.store(host, *lookup->result, loop_.now());
  } else {
    ++statistics_.failed_lookups;
  }
  for (platform::Signal* waiting : lookup->waiting) {
    waiting->notify();
  }
}

Task<Result<NameCache::Addresses>> Dialer::ask(const std::string& host, Until until) {
  std::shared_ptr<Lookup> lookup;
  if (const auto found = running_.find(host); found != running_.end()) {
    lookup = found->second;
  } else {
    lookup = std::make_shared<Lookup>();
    running_.emplace(host, lookup);
    ++statistics_.lookups;
    lookups_.spawn("look up a name", look_up(host, lookup));
  }
  if (!lookup->done) {
    platform::Signal answered(loop_);
    struct Place {
      Lookup& lookup;
      std::list<platform::Signal*>::iterator at;
      ~Place() { lookup.waiting.erase(at); }
    };
    const Place place{*lookup, lookup->waiting.insert(lookup->waiting.end(), &answered)};
    if (const auto wake = co_await answered.wait(until); wake != platform::Wake::notified) {
      co_return fail(platform::code_of(wake), fmt::format("looking up {} took too long", host));
    }
  }
  co_return lookup->result;
}

Task<Result<Dialer::Found>> Dialer::addresses_of(const std::string& host, Until until) {
  if (const auto* fresh = names_.fresh(host, loop_.now())) {
    ++statistics_.cache_hits;
    co_return Found{.addresses = *fresh, .remembered = true};
  }
  const bool has_old = names_.last_known(host, loop_.now()) != nullptr;
  const Until patience = has_old ? until.at_most(loop_.now() + patience_with_old) : until;
  auto asked = co_await ask(host, patience);
  if (asked) {
    co_return Found{.addresses = std::move(*asked), .remembered = false};
  }
  // Who cannot be asked does not make an address wrong that was right until a moment ago.
  const auto* old = asked.error().code == Code::cancelled ? nullptr : names_.last_known(host, loop_.now());
  if (old != nullptr) {
    ++statistics_.stale_hits;
    co_return Found{.addresses = *old, .remembered = true};
  }
  co_return std::unexpected(std::move(asked.error()));
}

Task<Result<std::unique_ptr<Stream>>> Dialer::dial(const Peer& peer, Until until) {
  const bool is_place = !peer.unix_path.empty() || platform::parse_bare_address(peer.host);
  return is_place ? dial_place(peer, until) : dial_name(peer, until);
}

/// Where no name has to be looked up.
Task<Result<std::unique_ptr<Stream>>> Dialer::dial_place(const Peer& peer, Until until) {
  auto stream = co_await loop_.dial(peer, until);
  if (stream && options_.keep_alive && peer.unix_path.empty()) {
    (*stream)->keep_alive(*options_.keep_alive);
  }
  co_return stream;
}

Task<Result<std::unique_ptr<Stream>>> Dialer::dial_name(const Peer& peer, Until until) {
  auto asked = co_await addresses_of(peer.host, until);
  if (!asked) {
    co_return std::unexpected(std::move(asked.error()));
  }
  const Found found = std::move(*asked);
  Result<std::unique_ptr<Stream>> last = fail(Code::unreachable, fmt::format("{} has no address", peer.host));
  for (std::size_t i = 0; i < found.addresses.size(); ++i) {
    const auto left = static_cast<platform::Duration::rep>(found.addresses.size() - i);
    const Instant now = loop_.now();
    Until share = until;
    if (left > 1) {
      share = until.at_most(now + (until.deadline == platform::never ? address_time : (until.deadline - now) / left));
    }
    const Peer to{.host = platform::to_string(found.addresses[i]), .port = peer.port};
    last = co_await loop_.dial(to, share);
    if (last) {
      if (i > 0) {
        names_.prefer(peer.host, found.addresses[i]);
      }
      if (options_.keep_alive) {
        (*last)->keep_alive(*options_.keep_alive);
      }
      co_return std::move(last);
    }
    if (last.error().code == Code::cancelled || loop_.now() >= until.deadline) {
      break;
    }
  }
  if (found.remembered && last.error().code != Code::cancelled) {
    names_.forget(peer.host);
  }
  co_return std::move(last);
}

Task<void> Dialer::close() {
  lookups_.cancel();
  co_await lookups_.join(platform::never);
}

}  // namespace weir::net

#include "admin/breakers.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>

#include "admin/document_members.hpp"
#include "admin/identity_replies.hpp"
#include "api/numbers.hpp"
#include "api/reply.hpp"
#include "http/target.hpp"
#include "observe/json_time.hpp"
#include "settings/json_members.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

using platform::Instant;
using providers::KeyPool;
using routing::BreakerState;
using routing::TargetState;

/// What a target's breaker and a key's have in common.
struct Shown {
  std::string name;
  std::string_view kind;
  BreakerState state = BreakerState::closed;
  bool by_hand = false;
  int failures_in_a_row = 0;
  std::uint64_t trips = 0;
  int in_flight = 0;
  Instant open_until{};
};

std::string to_json(const Shown& shown, const platform::Loop& loop) {
  api::JsonObject object;
  object.text("target", shown.name)
      .text("kind", shown.kind)
      .text("state", routing::to_string(shown.state))
      .flag("by_hand", shown.by_hand)
      .number("failures_in_a_row", shown.failures_in_a_row)
      .number("trips", static_cast<double>(shown.trips))
      .number("in_flight", shown.in_flight);
  if (shown.state == BreakerState::open && shown.open_until != platform::never) {
    const platform::Duration left = shown.open_until - loop.now();
    const auto until = loop.wall_now() + std::chrono::duration_cast<std::chrono::microseconds>(left);
    object.text("open_until", observe::rfc3339(until))
        .number("retry_after_seconds", std::ceil(std::chrono::duration<double>(left).count()));
  } else {
    object.raw("open_until", "null").raw("retry_after_seconds", "null");
  }
  return object.str();
}

std::string to_json(const TargetState& target, const platform::Loop& loop) {
  TargetState::Report report = target.report(loop.now());
  return to_json({.name = std::move(report.name),
                  .kind = "target",
                  .state = report.breaker,
                  .by_hand = report.by_hand,
                  .failures_in_a_row = report.failures_in_a_row,
                  .trips = report.trips,
                  .in_flight = report.in_flight,
                  .open_until = report.open_until},
                 loop);
}

/// A key's name here: `provider#label`, which no target has, for those have a slash first.
std::string name_of(const KeyPool& pool, std::string_view label) {
  return fmt::format("{}#{}", pool.provider(), label);
}

std::string to_json(const KeyPool& pool, const KeyPool::State& key, const platform::Loop& loop) {
  return to_json({.name = name_of(pool, key.label),
                  .kind = "key",
                  .state = key.breaker,
                  .by_hand = key.by_hand,
                  .failures_in_a_row = key.failures_in_a_row,
                  .trips = key.trips,
                  .in_flight = key.in_flight,
                  .open_until = key.out_until.value_or(Instant{})},
                 loop);
}

/// Those that calls which begin now take their keys from.
std::vector<KeyPool*> pools_of(const gateway::Core& core) {
  std::vector<KeyPool*> pools;
  if (core.snapshot != nullptr) {
    for (const auto& [name, provider] : core.snapshot->providers) {
      if (KeyPool* pool = provider->keys()) {
        pools.push_back(pool);
      }
    }
  }
  return pools;
}

Task<void> list(api::ApiRequest& request, const routing::TargetStates& targets) {
  const platform::Loop& loop = request.core.loop;
  std::string body = R"({"object":"list","data":[)";
  std::string_view separator;
  const auto add = [&](const std::string& one) {
    body += separator;
    body += one;
    separator = ",";
  };
  for (const auto& target : targets.all()) {
    add(to_json(*target, loop));
  }
  for (const KeyPool* pool : pools_of(request.core)) {
    for (const KeyPool::State& key : pool->states(loop.now())) {
      add(to_json(*pool, key, loop));
    }
  }
  body += "]}";
  co_await api::reply_json(request, 200, body);
}

/// What the caller wants.
struct Change {
  bool open = false;
  Instant until = platform::never;
};

Result<Change> read_change(std::string_view body, Instant now) {
  constexpr std::int64_t longest = std::int64_t{30} * 86400;
  constexpr std::string_view example =
      R"(say {"state":"open"}, {"state":"open","seconds":600} (whole, at most 30 days) or {"state":"closed"})";
  if (auto valid = check_document(body); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  Change change;
  bool said = false;
  std::optional<std::int64_t> seconds;
  const auto read = settings::read_members(
      body, "", {"state", "seconds"}, [&](std::string_view name, const text::JsonValue& value) -> Result<void> {
        if (name == "state") {
          change.open = value.raw == R"("open")";
          said = change.open || value.raw == R"("closed")";
          return said ? Result<void>() : fail(Code::invalid_request, fmt::format("state: {}", example));
        }
        seconds = text::to_int64(value);
        return value.kind == text::JsonKind::null || (seconds && *seconds >= 1 && *seconds <= longest)
                   ? Result<void>()
                   : fail(Code::invalid_request, fmt::format("seconds: {}", example));
      });
  if (!read) {
    return std::unexpected(read.error());
  }
  if (!said || (seconds && !change.open)) {
    return fail(Code::invalid_request, fmt::format("{}: {}", said ? "seconds" : "state", example));
  }
  if (seconds) {
    change.until = now + std::chrono::seconds(*seconds);
  }
  return change;
}

Task<void> change(api::ApiRequest& request, const routing::TargetStates& targets, Identities* identities) {
  const platform::Loop& loop = request.core.loop;
  std::string name;
  const bool readable = http::percent_decode(request.rest, name);
  const auto target = readable ? targets.find(name) : nullptr;
  KeyPool* pool = nullptr;
  std::optional<std::size_t> key;
  for (KeyPool* one : pools_of(request.core)) {
    if (readable && target == nullptr && name.starts_with(one->provider() + "#")) {
      key = one->find(std::string_view(name).substr(one->provider().size() + 1));
      pool = one;
    }
  }
  if (target == nullptr && !key) {
    co_await api::reply_error(
        request,
        {.code = Code::not_found,
         .message = fmt::format("There is no target and no key `{}`. GET /admin/v1/breakers lists them.", name)});
    co_return;
  }
  const auto wanted = read_change(request.http.body, loop.now());
  if (!wanted) {
    co_await reply_refusal(request, wanted.error());
    co_return;
  }
  const auto shown = [&] {
    return target != nullptr ? to_json(*target, loop) : to_json(*pool, pool->states(loop.now())[*key], loop);
  };
  std::string before = shown();
  if (target != nullptr) {
    wanted->open ? target->open_by_hand(wanted->until) : target->close_by_hand();
  } else {
    wanted->open ? pool->open_by_hand(*key, wanted->until) : pool->close_by_hand(*key);
  }
  request.core.log.message(
      observe::Level::info, "admin",
      fmt::format("the circuit breaker of {} was set to {} by hand", name, wanted->open ? "open" : "closed"));
  const std::string body = shown();
  co_await note_done(request, identities,
                     {.action = wanted->open ? "open" : "close",
                      .object = "breaker",
                      .object_id = name,
                      .before = std::move(before),
                      .after = body});
  co_await api::reply_json(request, 200, body);
}

}  // namespace

void add_breaker_endpoints(api::Registry& registry, const routing::TargetStates& targets,
                           Identities* const& identities) {
  registry.add({.method = "GET",
                .path = "/admin/v1/breakers",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "The circuit breaker of every target and key, and how many calls it has in flight."},
               [&targets](api::ApiRequest& request) { return list(request, targets); });
  registry.add({.method = "POST",
                .path = "/admin/v1/breakers/{target}",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = R"(Opens or closes one by hand: {"state":"open"} holds until {"state":"closed"}, or for )"
                           R"("seconds". A key is `provider#label`.)"},
               [&targets, &identities](api::ApiRequest& request) { return change(request, targets, identities); });
}

}  // namespace weir::admin

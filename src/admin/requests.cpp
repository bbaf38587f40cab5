#include "admin/requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "admin/call_query.hpp"
#include "admin/identity_replies.hpp"
#include "admin/query_parameters.hpp"
#include "admin/story.hpp"
#include "api/reply.hpp"
#include "platform/signal.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

// A caller may ask for a call's record the moment its last byte arrives, which is an instant before the call is
// settled. Only where a core has the call is there anything to wait for.
constexpr auto settling_time = std::chrono::milliseconds(50);
constexpr int settling_looks = 10;  // so often: where the provider told no usage, its tokens are counted first
constexpr auto cores_time = std::chrono::seconds(1);  // a core that takes longer has other cares
constexpr auto patience = std::chrono::seconds(10);   // with the store

struct Found {
  std::optional<std::string> json;  // nothing: there is no record
  bool running = false;
};

/// Whether a core has the call, as LiveFeed::has() tells.
Task<bool> is_known(api::ApiRequest& request, const ledger::LiveHub& calls) {
  struct Answer {
    explicit Answer(platform::Loop& loop) : come(loop) {}
    platform::Signal come;
    bool found = false;
  };
  platform::Loop& loop = request.core.loop;
  const auto answer = std::make_shared<Answer>(loop);
  calls.find(loop, std::string(request.rest), [answer](bool found) {
    answer->found = found;
    answer->come.notify();
  });
  static_cast<void>(co_await answer->come.wait({loop.now() + cores_time, &request.end.cancellation}));
  co_return answer->found;
}

using Stored = std::optional<std::string>;

Task<Result<Stored>> ask_store(api::ApiRequest& request, store::Worker& worker) {
  platform::Loop& loop = request.core.loop;
  return store::ask<Stored>(worker, loop,
                            [id = std::string(request.rest)](store::Store& store) { return store.requests().find(id); },
                            {loop.now() + patience, &request.end.cancellation});
}

/// A call that ended a moment ago, behind whom so many ended that it is not in memory any more: the journal may have
/// it, on its way to the store.
bool may_be_on_its_way(const api::ApiRequest& request, const ledger::RequestRing& ring) {
  constexpr auto long_ago = std::chrono::seconds(10);
  const std::string_view id = request.rest;
  const platform::WallTime now = request.core.loop.wall_now();
  return id >= store::first_id_at(now - long_ago) && id < store::first_id_at(now + std::chrono::milliseconds(1)) &&
         ring.all().size() == ring.capacity();
}

/// The JSON of one call: from memory, or else from the store.
Task<Result<Found>> find_record(api::ApiRequest& request, const ledger::RequestRing& ring, const ledger::LiveHub& calls,
                                store::Worker* worker) {
  platform::Loop& loop = request.core.loop;
  bool running = false;
  for (int looks = 0;; ++looks) {
    if (const ledger::RecordPtr record = ring.find(request.rest)) {
      co_return Found{.json = ledger::to_json(*record)};
    }
    if (worker != nullptr && request.rest != "last" && !running) {
      auto found = co_await ask_store(request, *worker);
      if (!found) {
        co_return std::unexpected(std::move(found.error()));
      }
      if (*found) {
        co_return Found{.json = std::move(*found)};
      }
    }
    running = co_await is_known(request, calls);
    // Behind the question: a call that no core has any more is in the ring.
    if (const ledger::RecordPtr record = ring.find(request.rest)) {
      co_return Found{.json = ledger::to_json(*record)};
    }
    const bool expected = running || (worker != nullptr && may_be_on_its_way(request, ring));
    if (!expected || looks == settling_looks ||
        co_await platform::sleep(loop, {loop.now() + settling_time, &request.end.cancellation}) ==
            platform::Wake::cancelled) {
      co_return Found{.running = running};
    }
  }
}

Task<void> one_request(api::ApiRequest& request, const ledger::RequestRing& ring, const ledger::LiveHub& calls,
                       store::Worker* worker) {
  const auto story = read_flag_parameter(request.http.head.target.query, "story");
  if (!story) {
    co_await reply_refusal(request, story.error());
    co_return;
  }
  auto found = co_await find_record(request, ring, calls, worker);
  if (!found) {
    co_await api::reply_error(request, found.error());
    co_return;
  }
  if (!found->json) {
    std::string message = fmt::format("The call `{}` has not ended yet: ask again when it has.", request.rest);
    if (!found->running) {
      message = fmt::format("No call `{}` is known: {}.", request.rest,
                            worker == nullptr ? fmt::format("the last {} calls that ended are kept", ring.capacity())
                                              : "there was none, or it was too old to be kept");
    }
    co_await api::reply_error(request, {.code = Code::not_found, .message = std::move(message)});
    co_return;
  }
  std::string body = *std::move(found->json);
  if (story->value_or(false)) {
    if (const auto told = story_of(body)) {
      body.back() = ',';  // the object goes on
      body += R"("story":)";
      text::append_json_string(body, *told);
      body += '}';
    }
  }
  co_await api::reply_json(request, 200, body);
}

bool matches(const store::RequestQuery& query, const ledger::RequestRecord& record) {
  const int most = query.status_to.value_or(query.status_from.value_or(0));
  return (query.after.empty() || record.id < query.after) && record.id >= query.from &&
         (query.key_id.empty() || record.key_id == query.key_id) &&
         (query.tenant.empty() || record.tenant == query.tenant) &&
         (query.model.empty() || record.model == query.model) &&
         (query.end_state.empty() || query.end_state == ledger::to_string(record.end_state)) &&
         (!query.status_from || (record.status >= *query.status_from && record.status <= most));
}

store::RequestPage page_of_ring(const ledger::RequestRing& ring, const store::RequestQuery& query) {
  std::vector<ledger::RecordPtr> found;
  for (ledger::RecordPtr& record : ring.all()) {
    if (matches(query, *record)) {
      found.push_back(std::move(record));
    }
  }
  std::ranges::sort(found, std::ranges::greater(), [](const ledger::RecordPtr& record) { return record->id; });
  store::RequestPage page;
  const auto limit = static_cast<std::size_t>(query.limit);
  for (std::size_t i = 0; i < std::min(found.size(), limit); ++i) {
    page.records.push_back(ledger::to_json(*found[i]));
  }
  if (found.size() > limit) {
    page.next = found[limit - 1]->id;
  }
  return page;
}

Task<void> list_requests(api::ApiRequest& request, const ledger::RequestRing& ring, store::Worker* worker) {
  const auto query = read_request_query(request.http.head.target.query);
  if (!query) {
    co_await reply_refusal(request, query.error());
    co_return;
  }
  platform::Loop& loop = request.core.loop;
  Result<store::RequestPage> page;
  if (worker == nullptr) {
    page = page_of_ring(ring, *query);
  } else {
    page = co_await store::ask<store::RequestPage>(
        *worker, loop, [query = *query](store::Store& store) { return store.requests().list(query); },
        {loop.now() + patience, &request.end.cancellation});
  }
  if (!page) {
    co_await api::reply_error(request, page.error());
    co_return;
  }
  std::string body = R"({"object":"list","data":[)";
  std::string_view separator;
  for (const std::string& record : page->records) {
    body += separator;
    body += record;
    separator = ",";
  }
  body += R"(],"next":)";
  if (page->next.empty()) {
    body += "null";
  } else {
    text::append_json_string(body, page->next);
  }
  body += '}';
  co_await api::reply_json(request, 200, body);
}

}  // namespace

void add_request_endpoints(api::Registry& registry, const ledger::RequestRing& ring, const ledger::LiveHub& calls,
                           store::Worker* const& store) {
  static constexpr std::array<std::string_view, 1> options = {"story"};
  static constexpr std::array<std::string_view, 7> filters = {"key",  "tenant", "model", "status",
                                                              "from", "limit",  "after"};
  registry.add({.method = "GET",
                .path = "/admin/v1/requests/{id}",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "What happened in a call: each attempt, why it was left, timings; "
                           "with `?story=true` also told in words.",
                .parameters = options},
               [&ring, &calls, &store](api::ApiRequest& request) { return one_request(request, ring, calls, store); });
  registry.add(
      {.method = "GET",
       .path = "/admin/v1/requests",
       .upstream_path = "",
       .auth = gateway::AuthClass::admin,
       .limits = gateway::LimitsClass::admin,
       .summary = "Calls that ended, the newest first, with their attempts: "
                  "`?key=&tenant=&model=&status=&from=&limit=&after=`; `next` is the `after` of the next page.",
       .parameters = filters},
      [&ring, &store](api::ApiRequest& request) { return list_requests(request, ring, store); });
}

}  // namespace weir::admin

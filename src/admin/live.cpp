#include "admin/live.hpp"

#include <fmt/format.h>

#include <ranges>

#include "api/reply.hpp"
#include "platform/signal.hpp"

namespace weir::admin {

namespace {

using ledger::LiveEvent;
using ledger::LiveWatcher;

constexpr std::size_t past_calls = 100;                         // shown to who begins to watch
constexpr auto heartbeat = std::chrono::seconds(15);            // so that a connection which died is noticed
constexpr auto between_writes = std::chrono::milliseconds(50);  // what comes meanwhile leaves together
constexpr auto attach_time = std::chrono::seconds(5);

/// Watches from its begin to its end, however that comes.
class Watch {
 public:
  Watch(ledger::LiveHub& hub, platform::Loop& loop) : hub_(hub), watcher_(hub.watch(loop)) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    if (watcher_ != nullptr) {
      hub_.leave(watcher_);
    }
  }
  [[nodiscard]] LiveWatcher* get() const { return watcher_.get(); }

 private:
  ledger::LiveHub& hub_;
  std::shared_ptr<LiveWatcher> watcher_;
};

/// The last calls that ended, the oldest first.
std::string past_of(const ledger::RequestRing& ring) {
  std::string text;
  const std::vector<ledger::RecordPtr> records = ring.last(past_calls);
  for (const ledger::RecordPtr& record : std::views::reverse(records)) {
    text += ledger::live_call_event("ended", record->duration, *record);
  }
  return text;
}

Task<http::ResponseWriter::Outcome> write(api::ApiRequest& request, std::string_view text) {
  co_return co_await request.response.pieces({&text, 1});
}

Task<void> live(api::ApiRequest& request, ledger::LiveHub& hub, const ledger::RequestRing& ring) {
  const Watch watch(hub, request.core.loop);
  if (watch.get() == nullptr) {
    co_await api::reply_error(
        request, {.code = Code::overloaded,
                  .message = fmt::format("{} watch already, which is the most. Close a live page that nobody needs.",
                                         ledger::LiveHub::watchers_max)});
    co_return;
  }
  api::start_reply(request, 200, "text/event-stream; charset=utf-8");
  request.response.field("cache-control", "no-store");
  request.response.field("x-accel-buffering", "no");
  request.response.stream(std::nullopt);
  if (request.http.head.method == http::Method::head) {
    static_cast<void>(co_await request.response.finish());
    co_return;
  }
  platform::Loop& loop = request.core.loop;
  LiveWatcher& watcher = *watch.get();
  const platform::Instant patience = loop.now() + attach_time;
  while (watcher.cores_attached() < hub.cores()) {
    const platform::Wake wake = co_await watcher.news().wait({patience, &request.end.cancellation});
    if (wake != platform::Wake::notified) {
      co_return;  // a core that does not answer: the page tries again
    }
  }
  // A call that is missing in what the cores told had ended before, so it is in the ring by now.
  std::string text = "retry: 1000\n" + ledger::live_event("hello", R"({"version":1})") + past_of(ring);
  std::vector<LiveEvent> events;
  bool whole = false;
  while (true) {
    const LiveWatcher::Taken taken = watcher.take(events);
    for (const LiveEvent& event : events) {
      text += *event;
    }
    events.clear();
    if (!std::exchange(whole, true)) {
      text += ledger::live_event("ready", "{}");
    }
    if (taken.lost > 0) {
      text += ledger::live_event("dropped", fmt::format(R"({{"events":{}}})", taken.lost));
    }
    if (taken.closed) {
      text += ledger::live_event("bye", "{}");
      static_cast<void>(co_await request.response.finish(text));
      co_return;
    }
    if (!text.empty() && !co_await write(request, text)) {
      co_return;
    }
    text.clear();
    const platform::Wake nap = co_await platform::sleep(loop, {loop.now() + between_writes, &request.end.cancellation});
    const platform::Wake wake = nap == platform::Wake::cancelled
                                    ? nap
                                    : co_await watcher.news().wait({loop.now() + heartbeat, &request.end.cancellation});
    if (wake == platform::Wake::cancelled) {
      co_return;
    }
    if (wake == platform::Wake::timeout) {
      text = ": still here\n\n";
    }
  }
}

}  // namespace

void add_live_endpoint(api::Registry& registry, ledger::LiveHub& hub, const ledger::RequestRing& ring) {
  registry.add({.method = "GET",
                .path = "/admin/v1/live",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "Calls as they run, as server-sent events."},
               [&hub, &ring](api::ApiRequest& request) { return live(request, hub, ring); });
}

}  // namespace weir::admin

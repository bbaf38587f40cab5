#include "ledger/live_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "observe/json_time.hpp"

namespace weir::ledger {

std::string_view to_string(LiveStep step) {
  switch (step) {
    case LiveStep::began: return "began";
    case LiveStep::attempt_began: return "attempt_began";
    case LiveStep::connected: return "connected";
    case LiveStep::answered: return "answered";
    case LiveStep::first_content: return "first_content";
    case LiveStep::progress: return "progress";
    case LiveStep::attempt_ended: return "attempt_ended";
    case LiveStep::ended: return "ended";
  }
  return "progress";
}

std::string live_event(std::string_view name, std::string_view data) {
  std::string text;
  text.reserve(name.size() + data.size() + 20);
  text.append("event: ").append(name).append("\ndata: ").append(data).append("\n\n");
  return text;
}

std::string live_call_event(std::string_view step, platform::Duration at, const RequestRecord& record) {
  std::string text = "event: call\ndata: {\"step\":\"";
  text.append(step).append("\",\"at_ms\":").append(observe::milliseconds(at)).append(",\"call\":");
  record.append_to(text);
  text.append("}\n\n");
  return text;
}

// --- LiveWatcher ---

LiveWatcher::LiveWatcher(platform::Loop& loop, std::atomic<std::uint64_t>& lost)
    : loop_(loop), lost_in_all_(lost), news_(loop) {
  events_.reserve(events_max);
}

void LiveWatcher::put(LiveEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (events_.size() == events_max) {
      ++lost_;
      lost_in_all_.fetch_add(1, std::memory_order_relaxed);
    } else {
      events_.push_back(std::move(event));
      full_.store(events_.size() == events_max, std::memory_order_relaxed);
    }
  }
  wake();
}

void LiveWatcher::lose() {
  const std::lock_guard lock(mutex_);
  ++lost_;
  lost_in_all_.fetch_add(1, std::memory_order_relaxed);
}

void LiveWatcher::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake();
}

void LiveWatcher::attached() {
  attached_.fetch_add(1, std::memory_order_release);
  wake();
}

/// A burst wakes the watcher's loop once.
void LiveWatcher::wake() {
  if (!waking_.exchange(true, std::memory_order_acq_rel)) {
    loop_.post([self = shared_from_this()] {
      self->waking_.store(false, std::memory_order_release);
      self->news_.notify();
    });
  }
}

LiveWatcher::Taken LiveWatcher::take(std::vector<LiveEvent>& out) {
  std::vector<LiveEvent> taken;
  taken.reserve(events_max);
  Taken facts;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(events_);
    full_.store(false, std::memory_order_relaxed);
    facts = {.lost = std::exchange(lost_, 0), .closed = closed_};
  }
  out.insert(out.end(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
  return facts;
}

// --- LiveFeed ---

void LiveFeed::attach(const std::shared_ptr<LiveWatcher>& watcher, platform::Instant now) {
  if (closed_) {
    watcher->close();
  } else {
    watchers_.push_back(watcher);
  }
  std::vector<const LiveCall*> listed;
  std::size_t running = 0;
  for (auto call = running_.rbegin(); call != running_.rend(); ++call) {
    if (++running <= listed_max) {
      listed.push_back(&*call);
    }
  }
  for (const LiveCall* call : std::views::reverse(listed)) {
    watcher->put(std::make_shared<const std::string>(live_call_event("running", now - call->started_, call->record_)));
  }
  if (running > listed.size()) {
    watcher->put(std::make_shared<const std::string>(
        live_event("unlisted", fmt::format(R"({{"running":{}}})", running - listed.size()))));
  }
  watcher->attached();
}

void LiveFeed::detach(const LiveWatcher& watcher) {
  std::erase_if(watchers_, [&](const auto& one) { return one.get() == &watcher; });
}

void LiveFeed::close() {
  closed_ = true;
  for (const auto& watcher : watchers_) {
    watcher->close();
  }
}

bool LiveFeed::has(std::string_view id) const {
  const auto is_it = [&](const auto& call) { return id == "last" || call.record_.id == id; };
  return std::ranges::any_of(running_, is_it) || std::ranges::any_of(awaited_, is_it);
}

void LiveFeed::publish(const LiveCall& call, LiveStep step, platform::Instant now) {
  LiveEvent event;  // made for the first who has room: under load a slow watcher costs next to nothing
  for (const auto& watcher : watchers_) {
    if (watcher->full()) {
      watcher->lose();
      continue;
    }
    if (event == nullptr) {
      event = std::make_shared<const std::string>(live_call_event(to_string(step), now - call.started_, call.record_));
    }
    watcher->put(event);
  }
}

// --- LiveHub ---

std::shared_ptr<LiveWatcher> LiveHub::watch(platform::Loop& loop) {
  if (watchers_.fetch_add(1, std::memory_order_relaxed) >= watchers_max) {
    watchers_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  auto watcher = std::make_shared<LiveWatcher>(loop, lost_);
  for (const OneCore& core : feeds_) {
    core.loop->post([watcher, core] { core.feed->attach(watcher, core.loop->now()); });
  }
  return watcher;
}

void LiveHub::leave(const std::shared_ptr<LiveWatcher>& watcher) {
  watchers_.fetch_sub(1, std::memory_order_relaxed);
  for (const OneCore& core : feeds_) {
    core.loop->post([watcher, core] { core.feed->detach(*watcher); });
  }
}

void LiveHub::find(platform::Loop& loop, std::string id, std::function<void(bool)> answer) const {
  struct Question {
    std::string id;
    std::function<void(bool)> answer;
    std::atomic<std::size_t> open;
    std::atomic<bool> found = false;
  };
  auto question = std::make_shared<Question>(std::move(id), std::move(answer), feeds_.size());
  if (feeds_.empty()) {
    loop.post([question] { question->answer(false); });
  }
  for (const OneCore& core : feeds_) {
    core.loop->post([question, feed = core.feed, &loop] {
      if (feed->has(question->id)) {
        question->found = true;
      }
      if (--question->open == 0) {
        loop.post([question] { question->answer(question->found); });
      }
    });
  }
}

}  // namespace weir::ledger

#pragma once

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/request_record.hpp"
#include "platform/signal.hpp"

/// Calls as they run, for those who watch. While nobody does, each step of a call costs one branch.
namespace weir::ledger {

/// What has just happened in a call.
enum class LiveStep : std::uint8_t {
  began,
  attempt_began,
  connected,
  answered,       // the head of the provider's answer
  first_content,  // the commit point
  progress,       // more of the answer; at most five times a second for each call
  attempt_ended,
  ended,
};
std::string_view to_string(LiveStep step);

/// One event of `GET /admin/v1/live`, as it is sent; shared by all who watch.
using LiveEvent = std::shared_ptr<const std::string>;

/// One who watches: a bounded queue into which every core puts its events and which one loop empties.
///
/// Nobody waits for it: what finds the queue full is counted and lost. The lock is held to move one pointer, or to swap
/// the queue. Members under "any thread" may be called there; the others belong to the watcher's loop.
class LiveWatcher final : public std::enable_shared_from_this<LiveWatcher> {
 public:
  static constexpr std::size_t events_max = 1024;  // about 1 MiB of events

  LiveWatcher(platform::Loop& loop, std::atomic<std::uint64_t>& lost);
  LiveWatcher(const LiveWatcher&) = delete;
  LiveWatcher& operator=(const LiveWatcher&) = delete;
  ~LiveWatcher() = default;

  // Any thread.
  void put(LiveEvent event);
  /// True where an event would be lost: it need not be made. May be out of date by a moment.
  [[nodiscard]] bool full() const { return full_.load(std::memory_order_relaxed); }
  void lose();
  /// The gateway stops: what is queued is the last.
  void close();
  /// One core has told what runs on it.
  void attached();

  /// Moves what is queued to the end of `out`.
  struct Taken {
    std::uint64_t lost = 0;  // since the last time
    bool closed = false;
  };
  Taken take(std::vector<LiveEvent>& out);
  /// Notified when there is something to take.
  [[nodiscard]] platform::Signal& news() { return news_; }
  [[nodiscard]] std::size_t cores_attached() const { return attached_.load(std::memory_order_acquire); }

 private:
  void wake();

  platform::Loop& loop_;
  std::atomic<std::uint64_t>& lost_in_all_;  // of the hub, which outlives the loops' work
  platform::Signal news_;
  std::atomic<bool> waking_ = false;
  std::atomic<bool> full_ = false;
  std::atomic<std::size_t> attached_ = 0;
  std::mutex mutex_;
  std::vector<LiveEvent> events_;  // room for events_max from the start
  std::uint64_t lost_ = 0;
  bool closed_ = false;
};

class LiveFeed;

/// One call's place among those that run, from its begin to its end. Belongs to the call.
class LiveCall : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// `record` is the call's own and lives until ended().
  LiveCall(LiveFeed& feed, const RequestRecord& record, const platform::Clock& clock, platform::Instant started);
  LiveCall(const LiveCall&) = delete;
  LiveCall& operator=(const LiveCall&) = delete;
  ~LiveCall() = default;

  void note(LiveStep step);
  void progress(platform::Instant now);
  void ended();

 private:
  friend class LiveFeed;
  LiveFeed& feed_;
  const RequestRecord& record_;
  const platform::Clock& clock_;
  platform::Instant started_;
  platform::Instant told_{};  // of its progress
};

/// A call that has ended and whose record is not handed over yet, as its tokens are being counted.
class AwaitedRecord
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// `record` outlives this.
  AwaitedRecord(LiveFeed& feed, const RequestRecord& record);
  AwaitedRecord(const AwaitedRecord&) = delete;
  AwaitedRecord& operator=(const AwaitedRecord&) = delete;
  ~AwaitedRecord() = default;

 private:
  friend class LiveFeed;
  const RequestRecord& record_;
};

/// The calls that run on one core, and who watches them. Belongs to that core's loop; outlives its calls.
class LiveFeed {
 public:
  static constexpr std::size_t listed_max = 100;  // of the calls that run when somebody begins to watch: the newest

  LiveFeed() = default;
  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;
  ~LiveFeed() = default;

  [[nodiscard]] bool watched() const { return !watchers_.empty(); }
  /// From here on `watcher` gets every event, first one for each call that runs.
  void attach(const std::shared_ptr<LiveWatcher>& watcher, platform::Instant now);
  void detach(const LiveWatcher& watcher);
  /// Whoever watches is told that it is over; so is who comes later.
  void close();
  /// True while the call runs, or its record is awaited. `last`: any call. Looks at each of them.
  [[nodiscard]] bool has(std::string_view id) const;

 private:
  friend class LiveCall;
  friend class AwaitedRecord;
  void publish(const LiveCall& call, LiveStep step, platform::Instant now);

  boost::intrusive::list<LiveCall, boost::intrusive::constant_time_size<false>> running_;
  boost::intrusive::list<AwaitedRecord, boost::intrusive::constant_time_size<false>> awaited_;
  std::vector<std::shared_ptr<LiveWatcher>> watchers_;
  bool closed_ = false;
};

inline LiveCall::LiveCall(LiveFeed& feed, const RequestRecord& record, const platform::Clock& clock,
                          platform::Instant started)
    : feed_(feed), record_(record), clock_(clock), started_(started) {
  feed_.running_.push_back(*this);
}

inline void LiveCall::note(LiveStep step) {
  if (feed_.watched()) {
    feed_.publish(*this, step, clock_.now());
  }
}

inline void LiveCall::progress(platform::Instant now) {
  if (feed_.watched() && now - told_ >= std::chrono::milliseconds(200)) {
    told_ = now;
    feed_.publish(*this, LiveStep::progress, now);
  }
}

inline void LiveCall::ended() {
  note(LiveStep::ended);
  unlink();
}

inline AwaitedRecord::AwaitedRecord(LiveFeed& feed, const RequestRecord& record) : record_(record) {
  feed.awaited_.push_back(*this);
}

/// The feeds of all cores. Filled before the loops run; outlives their work. Its members may be called on any loop.
class LiveHub {
 public:
  static constexpr int watchers_max = 32;

  void add(platform::Loop& loop, LiveFeed& feed) { feeds_.push_back({&loop, &feed}); }
  /// Begins to watch every core; null where enough do already. The watcher is whole when `cores()` have attached.
  [[nodiscard]] std::shared_ptr<LiveWatcher> watch(platform::Loop& loop);
  void leave(const std::shared_ptr<LiveWatcher>& watcher);
  /// Asks every core for the call, as LiveFeed::has() tells, and calls `answer` on `loop` when all have said so.
  void find(platform::Loop& loop, std::string id, std::function<void(bool found)> answer) const;

  [[nodiscard]] std::size_t cores() const { return feeds_.size(); }
  [[nodiscard]] int watchers() const { return watchers_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  struct OneCore {
    platform::Loop* loop;
    LiveFeed* feed;
  };
  std::vector<OneCore> feeds_;
  std::atomic<int> watchers_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;
};

/// `event: NAME` with `data`, which has no line end.
[[nodiscard]] std::string live_event(std::string_view name, std::string_view data);
/// The event of a call's step: `{"step":..., "at_ms":..., "call":{...}}`. `at` is counted from the call's first byte.
[[nodiscard]] std::string live_call_event(std::string_view step, platform::Duration at, const RequestRecord& record);

}  // namespace weir::ledger

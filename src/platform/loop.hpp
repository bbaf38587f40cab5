#pragma once

#include <boost/intrusive/list.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "platform/address.hpp"
#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/random.hpp"
#include "platform/task.hpp"
#include "platform/timer_queue.hpp"

namespace weir::platform {

class AcceptHandler;
class Listener;
class Stream;

/// How long a wait may last and who may end it early. Made once at the door, passed down by value, shortened, never
/// lengthened.
struct Until {
  Instant deadline = never;
  Cancellation* cancellation = nullptr;  // outlives the wait; may be null

  [[nodiscard]] Until at_most(Instant other) const { return {other < deadline ? other : deadline, cancellation}; }
};

/// A suspended wait whose end has come and which the loop resumes when the event in hand has been dealt with.
class ReadyHook : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void resume() = 0;

 protected:
  ~ReadyHook() = default;
};

/// A write that leaves together with others; see Loop::hold().
class HeldWrite : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// Writes, and makes ready whoever waits for it.
  virtual void leave() = 0;

 protected:
  ~HeldWrite() = default;
};

/// Where to connect to.
struct Peer {
  std::string host;  // a name, an IPv4 or an IPv6 address without brackets
  std::uint16_t port = 0;
  std::string unix_path{};  // not empty: a Unix socket; host and port mean nothing
  friend bool operator==(const Peer&, const Peer&) = default;
};
/// "127.0.0.1:80", "[::1]:80", "example.com:80", "unix:/run/x.sock".
std::string to_string(const Peer& peer);

struct ListenOptions {
  unsigned unix_mode = 0660;  // who may connect to a Unix socket: its file's mode
};

/// One thread's machine: time, timers, work to do next, connections. Everything that waits, waits here.
///
/// Life: outlives all streams and waits made on it. Threads: all members belong to the loop's own thread, except
/// post(). Real: one `io_context` per core (real_loop.hpp). Simulated: one of the loops of a SimulatedWorld.
class Loop : public Clock {
 public:
  /// Runs `work` on the loop's thread, soon. From any thread.
  virtual void post(std::move_only_function<void()> work) = 0;
  [[nodiscard]] virtual Random& random() = 0;

  /// now() may be as old as the event in hand: whoever measures what was done in it asks here.
  virtual Instant look_at_clock() { return now(); }

  /// The addresses of a name, in the order in which they should be tried, at least one; an address is its own. Errors:
  /// unreachable, timeout, cancelled.
  virtual Task<Result<std::vector<IpAddress>>> resolve(const std::string& host, Until until) = 0;
  /// Resolves and connects. Errors: unreachable (name or route), refused, timeout, cancelled, reset.
  virtual Task<Result<std::unique_ptr<Stream>>> dial(const Peer& peer, Until until) = 0;

  /// Accepts on `host:port` (port 0: any free one) or a Unix socket and calls `handler` on this loop; it outlives the
  /// listener by a turn. A socket file that nobody answers at any more is replaced.
  virtual Result<std::unique_ptr<Listener>> listen(const Peer& at, AcceptHandler& handler,
                                                   const ListenOptions& options) = 0;
  Result<std::unique_ptr<Listener>> listen(const Peer& at, AcceptHandler& handler);

  void add_timer(Timer& timer, Instant due) {
    timers_.add(timer, due);
    timer_added(due);
  }
  /// Asked before each write. True: the loop calls `write.leave()` once it has dealt with all events that have come by
  /// now; false: the write may leave at once. Why: docs/decisions/0020-writes-of-a-busy-core-leave-together.md.
  virtual bool hold(HeldWrite& write) = 0;

  /// Never resumes inside this call: completions run after the event in hand, so a waker stays valid while it wakes.
  void make_ready(ReadyHook& hook) { ready_.push_back(hook); }

 protected:
  /// Resumes what is ready until nothing is. Each entry from the outside (socket, timer, post) ends with it.
  void run_ready() {
    while (!ready_.empty()) {
      ReadyHook& hook = ready_.front();
      ready_.pop_front();
      hook.resume();
    }
  }
  virtual void timer_added(Instant due) = 0;
  TimerQueue timers_;

  /// Whether it is the first since the held ones left.
  bool keep(HeldWrite& write) {
    held_.push_back(write);
    return &held_.front() == &write;
  }
  /// One write right behind the other; those who wait for them are resumed after the last. Returns how many.
  std::size_t let_held_leave();

 private:
  boost::intrusive::list<HeldWrite, boost::intrusive::constant_time_size<false>> held_;
  boost::intrusive::list<ReadyHook, boost::intrusive::constant_time_size<false>> ready_;
};

}  // namespace weir::platform

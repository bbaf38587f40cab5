#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "platform/signal.hpp"

namespace weir::http {

/// How many connections may be open to one server, over the pools of all cores, and who waits for one.
///
/// A connection holds a Lease from before it is dialed until it is closed. Who finds no free place waits in its pool's
/// queue; a place that becomes free goes to whoever waits longest on any core. Idle connections of other cores are
/// asked back. Thread-safe; the lock is held for a few steps over the cores and never across anything else.
class ConnectionSlots : public std::enable_shared_from_this<ConnectionSlots> {
 public:
  /// A place; given back by the destructor, on any thread.
  class Lease {
   public:
    Lease() = default;
    explicit Lease(std::shared_ptr<ConnectionSlots> slots) : slots_(std::move(slots)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (slots_ != nullptr) {
        slots_->give_back();
      }
    }

   private:
    std::shared_ptr<ConnectionSlots> slots_;
  };

  class Pool;
  /// Somebody who waits, on his pool's loop. Shared with the news that is on its way to him.
  struct Waiter {
    explicit Waiter(platform::Loop& loop) : granted(loop) {}
    platform::Signal granted;  // with a lease, or with what the pool hands over itself
    Lease lease;
    bool gone = false;  // waits no more: what reaches it goes on to the next

   private:
    friend class ConnectionSlots;
    std::uint64_t ticket_ = 0;
    int passed_over_ = 0;
    bool queued_ = false;
    std::list<std::shared_ptr<Waiter>>::iterator place_;
  };
  /// One core's connections, as the other cores see them. Made on its loop, and closed there.
  class Pool {
   public:
    /// `drop_idle`: somebody waits, so an idle connection should close; called on `loop`.
    Pool(platform::Loop& loop, std::function<void()> drop_idle) : loop_(loop), drop_idle_(std::move(drop_idle)) {}
    /// How many connections it has that nobody uses. After one was added, look at wanted(): one of the two sides sees
    /// the other.
    void set_idle(std::size_t count) { idle_.store(count); }
    void set_less_idle(std::size_t count) { idle_.store(count, std::memory_order_relaxed); }

   private:
    friend class ConnectionSlots;
    platform::Loop& loop_;
    std::function<void()> drop_idle_;  // empty once it is closed
    std::atomic<std::size_t> idle_ = 0;
    std::list<std::shared_ptr<Waiter>> waiting_;  // guarded by the lock of the slots
  };

  /// `open_max`: > 0.
  explicit ConnectionSlots(std::size_t open_max, std::size_t waiting_max = 1000)
      : open_max_(open_max), waiting_max_(waiting_max) {}
  ConnectionSlots(const ConnectionSlots&) = delete;
  ConnectionSlots& operator=(const ConnectionSlots&) = delete;

  /// A reload's word: more places go to those who wait at once; fewer are reached as connections close.
  void limit(std::size_t open_max);
  [[nodiscard]] std::size_t limit() const { return open_max_.load(std::memory_order_relaxed); }

  /// Places that are taken.
  [[nodiscard]] std::size_t open() {
    const std::scoped_lock lock(mutex_);
    return open_;
  }

  void join(const std::shared_ptr<Pool>& pool);
  void leave(const std::shared_ptr<Pool>& pool);

  enum class Outcome : std::uint8_t { granted, queued, too_many };
  /// A place now, in `waiter->lease`, or a place in the queue: then wait for `waiter->granted`, and in any case call
  /// stop_waiting() behind.
  Outcome acquire(Pool& pool, const std::shared_ptr<Waiter>& waiter);
  void stop_waiting(Pool& pool, const std::shared_ptr<Waiter>& waiter);

  /// Somebody waits, on whatever core.
  [[nodiscard]] bool wanted() const { return waiting_.load() > 0; }
  /// Who should get a connection that becomes free in `pool`: one that waits there, so that it need not be made again,
  /// unless somebody on another core has been waiting for longer and was passed over often enough. Null: nobody here;
  /// the place should be given back if it is wanted. He waits no more.
  std::shared_ptr<Waiter> next_in(Pool& pool);
  /// Asks one core that has idle connections to close one: its `drop_idle` is called, soon.
  void ask_back();

 private:
  void give_back();
  Pool* longest_waiting();
  std::shared_ptr<Waiter> take_first(Pool& pool);
  void deliver(platform::Loop& loop, std::shared_ptr<Waiter> waiter);

  std::atomic<std::size_t> open_max_;
  const std::size_t waiting_max_;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex mutex_;
  std::size_t open_ = 0;  // leases
  std::uint64_t tickets_ = 0;
  std::vector<std::shared_ptr<Pool>> pools_;
};

}  // namespace weir::http

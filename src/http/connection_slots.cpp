#include "http/connection_slots.hpp"

#include <algorithm>

namespace weir::http {

namespace {
/// How often who waits longest is passed over by others whose core has the free connection at hand. It saves them a
/// handshake; but he is not to starve.
constexpr int passed_over_max = 8;
}  // namespace

void ConnectionSlots::join(const std::shared_ptr<Pool>& pool) {
  const std::scoped_lock lock(mutex_);
  pools_.push_back(pool);
}

void ConnectionSlots::leave(const std::shared_ptr<Pool>& pool) {
  pool->drop_idle_ = nullptr;
  const std::scoped_lock lock(mutex_);
  std::erase(pools_, pool);
}

ConnectionSlots::Outcome ConnectionSlots::acquire(Pool& pool, const std::shared_ptr<Waiter>& waiter) {
  std::list<std::shared_ptr<Waiter>> node{waiter};  // made before the lock
  {
    const std::scoped_lock lock(mutex_);
    const std::size_t waiting = waiting_.load(std::memory_order_relaxed);
    if (waiting == 0 && open_ < open_max_) {
      ++open_;
      waiter->lease = Lease(shared_from_this());
      return Outcome::granted;
    }
    if (waiting >= waiting_max_) {
      return Outcome::too_many;
    }
    waiter->ticket_ = ++tickets_;
    waiter->queued_ = true;
    waiter->place_ = node.begin();
    pool.waiting_.splice(pool.waiting_.end(), node);
    waiting_.store(waiting + 1);
  }
  ask_back();
  return Outcome::queued;
}

void ConnectionSlots::stop_waiting(Pool& pool, const std::shared_ptr<Waiter>& waiter) {
  waiter->gone = true;
  std::list<std::shared_ptr<Waiter>> node;  // destroyed behind the lock
  const std::scoped_lock lock(mutex_);
  if (waiter->queued_) {
    waiter->queued_ = false;
    node.splice(node.end(), pool.waiting_, waiter->place_);
    waiting_.fetch_sub(1);
  }
}

/// The pool whose first waiter came first; null: nobody waits. Under the lock.
ConnectionSlots::Pool* ConnectionSlots::longest_waiting() {
  Pool* longest = nullptr;
  for (const auto& pool : pools_) {
    if (!pool->waiting_.empty() &&
        (longest == nullptr || pool->waiting_.front()->ticket_ < longest->waiting_.front()->ticket_)) {
      longest = pool.get();
    }
  }
  return longest;
}

/// Under the lock.
std::shared_ptr<ConnectionSlots::Waiter> ConnectionSlots::take_first(Pool& pool) {
  std::shared_ptr<Waiter> waiter = pool.waiting_.front();
  pool.waiting_.pop_front();
  waiter->queued_ = false;
  waiting_.fetch_sub(1);
  return waiter;
}

/// The news, with the place, to the waiter's loop. Where he has left meanwhile, or the loop runs no more, the place
/// comes back with the lease.
void ConnectionSlots::deliver(platform::Loop& loop, std::shared_ptr<Waiter> waiter) {
  loop.post([waiter = std::move(waiter), lease = Lease(shared_from_this())]() mutable {
    if (!waiter->gone) {
      waiter->lease = std::move(lease);
      waiter->granted.notify();
    }
  });
}

void ConnectionSlots::give_back() {
  platform::Loop* loop = nullptr;
  std::shared_ptr<Waiter> waiter;
  {
    const std::scoped_lock lock(mutex_);
    Pool* const longest = open_ <= open_max_ ? longest_waiting() : nullptr;
    if (longest == nullptr) {
      --open_;
      return;
    }
    loop = &longest->loop_;
    waiter = take_first(*longest);
  }
  deliver(*loop, std::move(waiter));
}

void ConnectionSlots::limit(std::size_t open_max) {
  open_max_.store(open_max);
  while (true) {
    platform::Loop* loop = nullptr;
    std::shared_ptr<Waiter> waiter;
    {
      const std::scoped_lock lock(mutex_);
      Pool* const longest = open_ < open_max_ ? longest_waiting() : nullptr;
      if (longest == nullptr) {
        return;
      }
      ++open_;
      loop = &longest->loop_;
      waiter = take_first(*longest);
    }
    deliver(*loop, std::move(waiter));
  }
}

std::shared_ptr<ConnectionSlots::Waiter> ConnectionSlots::next_in(Pool& pool) {
  const std::scoped_lock lock(mutex_);
  if (pool.waiting_.empty() || open_ > open_max_) {
    return nullptr;
  }
  Pool* const longest = longest_waiting();
  if (longest != &pool && ++longest->waiting_.front()->passed_over_ > passed_over_max) {
    return nullptr;
  }
  return take_first(pool);
}

void ConnectionSlots::ask_back() {
  std::shared_ptr<Pool> rich;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(pools_, [](const auto& pool) { return pool->idle_.load() > 0; });
    if (found == pools_.end()) {
      return;
    }
    rich = *found;
  }
  rich->loop_.post([rich] {
    if (rich->drop_idle_) {
      rich->drop_idle_();
    }
  });
}

}  // namespace weir::http

#include "platform/real_loop.hpp"

namespace weir::platform {

namespace {

constexpr std::size_t crowd = 4;  // writes between two looks for events; fewer would wait and gain nothing

}  // namespace

RealLoop::RealLoop() : random_(entropy()) {}

RealLoop::~RealLoop() = default;

Instant RealLoop::now() const {
  if (!in_turn_) {
    return clock_.now();
  }
  if (now_ == never) {
    now_ = clock_.now();
  }
  return now_;
}

WallTime RealLoop::wall_now() const {
  if (!in_turn_) {
    return clock_.wall_now();
  }
  if (wall_now_ == WallTime::max()) {
    wall_now_ = clock_.wall_now();
  }
  return wall_now_;
}

void RealLoop::run() {
  {
    const Turn turn(*this);
  }
  context_.run();
}

void RealLoop::stop() {
  boost::asio::post(context_, [this] { context_.stop(); });
}

void RealLoop::post(std::move_only_function<void()> work) {
  boost::asio::post(context_, [this, work = std::move(work)]() mutable {
    const Turn turn(*this);
    work();
  });
}

void RealLoop::expect_unseen_end(UnverifiedHook& read) {
  recent_.push_back(read);
  if (!verify_timer_.is_linked()) {
    add_timer(verify_timer_, now() + verify_interval);
  }
}

void RealLoop::verify_reads() {
  while (!older_.empty()) {
    UnverifiedHook& read = older_.front();
    older_.pop_front();
    read.verify();
  }
  older_.swap(recent_);
  if (!older_.empty()) {
    add_timer(verify_timer_, now() + verify_interval);
  }
}

bool RealLoop::hold(HeldWrite& write) {
  constexpr std::uint32_t look_each = 16;
  ++writes_;
  if (!crowded_) {
    if (writes_ % look_each == 0) {
      look_for_a_crowd();
    }
    return false;
  }
  if (keep(write)) {
    boost::asio::post(context_, [this] {
      const Turn turn(*this);
      let_writes_leave();
    });
  }
  return true;
}

// What is posted runs behind all events that the last look brought: what was written by then was written between two
// looks.
void RealLoop::look_for_a_crowd() {
  boost::asio::post(context_, [this, before = writes_] { crowded_ = crowded_ || writes_ - before >= crowd; });
}

void RealLoop::let_writes_leave() {
  constexpr std::uint32_t small_max = 8;
  small_ = let_held_leave() < crowd ? small_ + 1 : 0;
  crowded_ = small_ < small_max;
}

void RealLoop::timer_added(Instant due) {
  if (due < armed_for_) {
    armed_for_ = due;
    arm();
  }
}

void RealLoop::arm() {
  wake_.expires_at(std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(armed_for_.time_since_epoch())));
  wake_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;  // moved to an earlier time: that wait follows
    }
    const Turn turn(*this);
    armed_for_ = never;
    timers_.fire(now());
    const Instant next = timers_.next();
    if (next < armed_for_) {
      armed_for_ = next;
      arm();
    }
  });
}

}  // namespace weir::platform

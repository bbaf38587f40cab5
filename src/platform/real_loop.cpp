#include "platform/real_loop.hpp"

namespace weir::platform {

RealLoop::RealLoop() : random_(entropy()) {}

RealLoop::~RealLoop() = default;

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

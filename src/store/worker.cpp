#include "store/worker.hpp"

#include <pthread.h>

#include <utility>

#include "platform/real_clock.hpp"

namespace weir::store {

namespace {

constexpr int rounds_before_questions = 20;
constexpr int failures_before_reopening = 10;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(platform::RealClock().now().time_since_epoch()).count();
}

}  // namespace

Worker::Worker(Open open, Round round, OnChange on_change, Options options)
    : open_(std::move(open)), round_(std::move(round)), on_change_(std::move(on_change)), options_(options) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  for (Job& job : jobs_) {
    job(fail(Code::store_unavailable, "The gateway stops."));
  }
}

void Worker::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "weir-store");
    run();
  });
}

void Worker::nudge() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(nudged_, true) || !idle_) {
      return;  // it will look after its pause: to be woken for that costs more than many a round
    }
  }
  wake_.notify_all();
}

bool Worker::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= options_.queued_max) {
      return false;
    }
    jobs_.push_back(std::move(job));
  }
  wake_.notify_all();
  return true;
}

bool Worker::answers() const {
  const std::int64_t since = progress_us_.load(std::memory_order_relaxed);
  return available() && (since == 0 || std::chrono::microseconds(now_us() - since) < options_.stuck_after);
}

void Worker::note_progress() {
  progress_us_.store(now_us(), std::memory_order_relaxed);
}

void Worker::use(std::unique_ptr<Store> opened) {
  store_ = std::move(opened);
  store_->on_progress([this] { note_progress(); });
}

void Worker::note(const Error* error) {
  const bool available = error == nullptr;
  if (available_.exchange(available) != available) {
    on_change_(error);
  }
}

/// True: there is more to do at once.
bool Worker::do_round() {
  if (store_ == nullptr) {
    auto opened = open_();
    if (!opened) {
      note(&opened.error());
      return false;
    }
    use(std::move(*opened));
  }
  const auto more = round_(*store_);
  note(more ? nullptr : &more.error());
  failures_ = more ? 0 : failures_ + 1;
  if (failures_ == failures_before_reopening) {
    // It may be another file by now, put there by the operator.
    failures_ = 0;
    if (auto fresh = open_()) {
      use(std::move(*fresh));
    }
  }
  return more && *more;
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto patience = available_ ? options_.idle_round : options_.retry;
    idle_ = true;
    wake_.wait_for(lock, patience, [&] { return stopping_ || nudged_ || !jobs_.empty(); });
    idle_ = false;
    std::deque<Job> jobs;
    jobs.swap(jobs_);
    nudged_ = false;
    const bool ending = stopping_;
    lock.unlock();
    // Before the questions: their answers then hold what had happened when they were asked.
    bool more = !ending;
    for (int rounds = 0; more && rounds < rounds_before_questions; ++rounds) {
      note_progress();
      more = do_round();
    }
    for (Job& job : jobs) {
      note_progress();
      if (store_ != nullptr) {
        job(store_.get());
      } else {
        job(fail(Code::store_unavailable, "The store cannot be opened. Calls of models go on; try again."));
      }
    }
    jobs.clear();
    progress_us_.store(0, std::memory_order_relaxed);
    lock.lock();
    nudged_ = nudged_ || more;
    wake_.wait_for(lock, available_ ? options_.pause : options_.retry, [&] { return stopping_ || !jobs_.empty(); });
  }
}

bool Worker::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  while (do_round()) {
  }
  return available_;
}

}  // namespace weir::store

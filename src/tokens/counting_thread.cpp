#include "tokens/counting_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <utility>

namespace weir::tokens {

namespace {
constexpr int less_urgent = 10;  // than request threads, where they share a processor
}

CountingThread::CountingThread(Options options) : options_(options) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "weir-tokens");
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, less_urgent));  // 0: of Linux' threads, this one
    run();
  });
}

CountingThread::~CountingThread() {
  stop();
}

bool CountingThread::submit(CountJob job, Abandoned abandoned, Done done) {
  const std::size_t bytes = job.bytes();
  Waiting waiting{.job = std::move(job), .abandoned = std::move(abandoned), .done = std::move(done)};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= options_.queued_max || queued_bytes_ + bytes > options_.queued_bytes_max) {
      return false;
    }
    queued_bytes_ += bytes;
    queue_.push_back(std::move(waiting));
  }
  wake_.notify_one();
  return true;
}

void CountingThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (current_ != nullptr) {
      current_->store(true, std::memory_order_relaxed);
    }
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void CountingThread::run() {
  std::optional<Vocabularies> vocabularies;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto has_news = [this] { return stopping_ || !queue_.empty(); };
    if (vocabularies) {
      if (!wake_.wait_for(lock, options_.vocabularies_kept, has_news)) {
        vocabularies.reset();
        continue;
      }
    } else {
      wake_.wait(lock, has_news);
    }
    if (stopping_) {
      return;
    }
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    current_ = next.abandoned;
    lock.unlock();
    if (!next.abandoned->load(std::memory_order_relaxed)) {
      if (!vocabularies) {
        vocabularies.emplace();
      }
      auto counted = count(*vocabularies, next.job, *next.abandoned);
      const bool good = counted && !next.abandoned->load(std::memory_order_relaxed);
      next.done(good ? std::optional(*counted) : std::nullopt);
    }
    const std::size_t bytes = next.job.bytes();
    next = {};  // outside of the lock
    lock.lock();
    current_ = nullptr;
    queued_bytes_ -= bytes;
  }
}

}  // namespace weir::tokens

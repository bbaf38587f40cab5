#include "ledger/journal.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::ledger {

Result<std::unique_ptr<Journal>> Journal::open(platform::Files& files, Options options) {
  std::unique_ptr<Journal> journal(new Journal(files, std::move(options)));
  const Options& own = journal->options_;
  journal->own_directory_ = own.directory + "/" + own.name;
  for (const std::string& directory : {own.directory, journal->own_directory_}) {
    if (auto made = files.make_directory(directory); !made) {
      return std::unexpected(std::move(made.error()));
    }
  }
  auto lock = files.lock(journal->own_directory_ + "/lock");
  if (!lock) {
    return std::unexpected(std::move(lock.error()));
  }
  if (*lock == nullptr) {
    return fail(Code::io_error, fmt::format("{} belongs to another process", journal->own_directory_));
  }
  journal->lock_ = std::move(*lock);
  for (std::size_t core = 0; core < own.cores; ++core) {
    journal->cores_.push_back(std::make_unique<CoreJournal>(
        files,
        CoreJournal::Options{.directory = journal->own_directory_,
                             .core = core,
                             .segment_bytes = own.segment_bytes,
                             .overflow_bytes_max = own.overflow_bytes_max},
        [made = journal.get()] {
          if (!made->news_.load(std::memory_order_relaxed) && !made->news_.exchange(true)) {
            made->news_.notify_one();
          }
        }));
  }
  journal->first_round_ = journal->maintain();
  return journal;
}

Result<void> Journal::maintain() {
  news_.store(false);
  Result<void> outcome;
  for (const auto& core : cores_) {
    if (auto done = core->maintain(); !done && outcome) {
      outcome = std::move(done);
    }
  }
  for (const auto& core : cores_) {
    if (stopped() || core->fill_next()) {
      break;
    }
  }
  return outcome;
}

void Journal::wait() {
  news_.wait(false);
}

void Journal::stop() {
  stopped_.store(true);
  news_.store(true);
  news_.notify_all();
}

void Journal::seal() {
  for (const auto& core : cores_) {
    core->seal();
  }
}

void Journal::give_up_memory() {
  for (const auto& core : cores_) {
    core->give_up_memory();
  }
}

Result<void> Journal::remove() {
  for (const auto& core : cores_) {
    core->remove_retired();  // behind seal() some more were shipped
  }
  auto removed = files_.remove(own_directory_ + "/lock");
  lock_.reset();
  return removed ? files_.remove(own_directory_) : removed;
}

std::uint64_t Journal::appended() const {
  std::uint64_t sum = 0;
  for (const auto& core : cores_) {
    sum += core->appended();
  }
  return sum;
}

std::uint64_t Journal::lost() const {
  std::uint64_t sum = 0;
  for (const auto& core : cores_) {
    sum += core->lost();
  }
  return sum;
}

std::size_t Journal::kept_in_memory() const {
  std::size_t sum = 0;
  for (const auto& core : cores_) {
    sum += core->kept_in_memory();
  }
  return sum;
}

}  // namespace weir::ledger

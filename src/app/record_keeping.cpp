#include "app/record_keeping.hpp"

#include <pthread.h>

#include <fmt/format.h>

#include <limits>

#include "observe/metric_names.hpp"
#include "store/retention.hpp"
#include "store/sqlite_store.hpp"

namespace weir::app {

namespace {

using namespace std::chrono_literals;

constexpr auto sync_every = 10ms;  // what a power loss may cost
constexpr auto retry_disk = 200ms;
constexpr auto recovery_every = 5s;
constexpr auto retention_every = 60s;
constexpr auto probe_every = 1s;

}  // namespace

std::string store_file(const std::string& data_dir, const StoreConfig& store) {
  return store.file.starts_with('/') ? store.file : data_dir + "/" + store.file;
}

Result<std::unique_ptr<store::Store>> open_store_file(platform::Files& files, const store::SqliteOptions& options) {
  // Not where it is there: closing it would release the locks that another connection of this process has on it.
  if (!files.stamp(options.file).exists) {
    if (const auto made = files.open_append(options.file); !made) {  // SQLite itself would let others read it
      return fail(Code::store_unavailable, made.error().message);
    }
  }
  return store::open_sqlite_store(options);
}

RecordKeeping::RecordKeeping(platform::Files& files, const platform::Clock& clock, observe::Log& log,
                             const Options& options)
    : clock_(clock), log_(log), options_(options) {
  store::Worker::Open open = options.open_store;
  if (!open) {
    open = [&files, file = store_file(options.data_dir, options.store)] {
      return open_store_file(files, {.file = file});
    };
  }
  worker_ = std::make_unique<store::Worker>(
      std::move(open), [this](store::Store& store) { return round(store); },
      [this](const Error* error) {
        if (error != nullptr) {
          log_.message(observe::Level::error, "store",
                       fmt::format("the store is not available: {}. Calls go on; their records wait in the journal and "
                                   "follow once it is back",
                                   error->message));
          if (budgets_ != nullptr) {
            note_counted();
            budgets_->go_on_uncounted();  // inference goes on: they begin with nothing spent until the store is back
          }
        } else {
          log_.message(observe::Level::info, "store", "the store is available again");
        }
      },
      // A batch costs less than the calls in it one by one.
      store::Worker::Options{.pause = 250ms, .idle_round = probe_every});
}

Result<std::unique_ptr<RecordKeeping>> RecordKeeping::open(platform::Files& files, const platform::Clock& clock,
                                                           observe::Log& log, const Options& options) {
  std::unique_ptr<RecordKeeping> made(new RecordKeeping(files, clock, log, options));
  const auto cure = [&](const Error& error) {
    return fail(Code::io_error,
                fmt::format("records cannot be kept in data_dir ({}): {}. Name a folder that can be written, or keep "
                            "records in memory alone with `store: {{url: none}}`",
                            options.data_dir, error.message));
  };
  if (auto directory = files.make_directory(options.data_dir); !directory) {
    return cure(directory.error());
  }
  const std::string journals = options.data_dir + "/journal";
  auto journal = ledger::Journal::open(files, {.directory = journals,
                                               .name = options.name,
                                               .cores = options.cores,
                                               .segment_bytes = options.store.journal_segment});
  if (!journal) {
    return cure(journal.error());
  }
  made->journal_ = std::move(*journal);
  made->shipper_ =
      std::make_unique<ledger::Shipper>(files, made->journal_.get(), ledger::Shipper::Options{.directory = journals});
  made->note_journal(made->journal_->first_round());
  return made;
}

RecordKeeping::~RecordKeeping() {
  stop();
}

void RecordKeeping::count_for(ledger::Budgets& budgets, ledger::Recount::TenantsAbove above) {
  budgets_ = &budgets;
  recount_ = std::make_unique<ledger::Recount>(budgets, std::move(above));
}

void RecordKeeping::note_counted() {
  const std::lock_guard lock(mutex_);
  counted_ = true;
  stopping_.notify_all();
}

void RecordKeeping::wait_until_counted(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  stopping_.wait_for(lock, at_most, [&] { return counted_ || recount_ == nullptr; });
}

void RecordKeeping::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "weir-journal");
    keep_journal();
  });
  worker_->start();
}

void RecordKeeping::turn_journal() {
  note_journal(journal_->maintain());
}

void RecordKeeping::turn_store() {
  while (worker_->turn()) {
  }
}

/// On the journal's thread: syncs while there is something to sync, and sleeps while there is not.
void RecordKeeping::keep_journal() {
  while (!journal_->stopped()) {
    if (journal_good_) {
      journal_->wait();
    }
    const auto outcome = journal_->maintain();
    note_journal(outcome);
    worker_->nudge();
    std::unique_lock lock(mutex_);
    stopping_.wait_for(lock, outcome ? sync_every : retry_disk, [&] { return stopped_; });
  }
}

void RecordKeeping::note_journal(const Result<void>& outcome) {
  if (journal_good_.exchange(outcome.has_value()) != outcome.has_value()) {
    if (!outcome) {
      log_.message(observe::Level::error, "journal",
                   fmt::format("the journal cannot be written: {}. Calls go on; their records wait in memory, up to a "
                               "bound, until it can",
                               outcome.error().message));
    } else {
      log_.message(observe::Level::info, "journal", "the journal is written again");
    }
  }
  tell_lost();
}

void RecordKeeping::tell_lost() {
  if (const std::uint64_t lost = journal_->lost(); lost != lost_told_) {
    log_.message(observe::Level::error, "journal",
                 fmt::format("{} records of calls found no room and are lost", lost - lost_told_));
    lost_told_ = lost;
  }
}

/// At the start before anything else, so that callers wait as little as can be. Later, for budgets that are new, once
/// the calls that have ended are in the store.
Result<void> RecordKeeping::count(store::Store& store, platform::Instant now) {
  if (recount_ == nullptr || next_recovery_ <= now) {
    return {};
  }
  if (const auto counted = recount_->run(store.requests(), clock_.wall_now()); !counted) {
    return std::unexpected(counted.error());
  }
  counted_once_ = true;
  note_counted();
  return {};
}

/// On the store's thread.
Result<bool> RecordKeeping::round(store::Store& store) {
  const platform::Instant now = clock_.now();
  if (first_) {
    if (auto done = first_(store); !done) {
      return std::unexpected(std::move(done.error()));
    }
    first_ = nullptr;
  }
  if (now >= next_probe_) {
    // Whether a key could be looked up: a store that is locked or gone is noticed without a call to write down.
    if (auto answers = store.atomically([]() -> Result<void> { return {}; }); !answers) {
      return std::unexpected(std::move(answers.error()));
    }
    next_probe_ = now + probe_every;
  }
  if (now >= next_recovery_) {
    const auto recovered = shipper_->recover(store);
    tell_damaged();
    next_recovery_ = !recovered || shipper_->others_live() ? now + recovery_every : platform::never;
    if (!recovered) {
      log_.message(observe::Level::warn, "store",
                   fmt::format("what an earlier process left in its journal is not in the store yet: {}",
                               recovered.error().message));
    } else if (recovered->calls > 0) {
      shipped_ += recovered->calls;
      recovered_unknown_ += recovered->unknown;
      log_.message(observe::Level::info, "store",
                   fmt::format("a process that ended before left {} calls in its journal, {} of them without an end: "
                               "they are in the store now",
                               recovered->calls, recovered->unknown));
    }
    if (recovered && recovered->unusable > 0) {
      tell_unusable(recovered->unusable);
    }
  }
  const bool counts_later = counted_once_;
  if (!counts_later) {
    if (auto counted = count(store, now); !counted) {
      return std::unexpected(std::move(counted.error()));
    }
  }
  const auto shipped = shipper_->ship(store);
  if (!shipped) {
    return std::unexpected(shipped.error());
  }
  shipped_ += shipped->calls;
  if (counts_later) {
    if (auto counted = count(store, now); !counted) {
      return std::unexpected(std::move(counted.error()));
    }
  }
  if (auto noted = shipper_->note_key_uses(store); !noted) {
    return std::unexpected(std::move(noted.error()));
  }
  if (shipped->unusable > 0) {
    tell_unusable(shipped->unusable);
  }
  bool more = shipped->more;
  if (!more && now >= next_retention_) {
    const auto removed = store::retain(store, options_.store.retention, clock_.wall_now());
    if (!removed) {
      return std::unexpected(removed.error());
    }
    more = *removed > 0;
    if (!more) {
      next_retention_ = now + retention_every;
      store_bytes_ = static_cast<std::uint64_t>(store.bytes().value_or(0));
    }
  }
  return more;
}

void RecordKeeping::tell_damaged() {
  for (const auto& damaged : shipper_->take_damaged()) {
    unreadable_ += damaged.records;
    log_.message(observe::Level::error, "journal",
                 fmt::format("a file of the journal that an earlier process left is damaged: from byte {} on, {} bytes "
                             "with {} records or more could not be read. What could be is in the store; the file is "
                             "kept as {}",
                             damaged.at, damaged.bytes, damaged.records, damaged.file));
  }
}

void RecordKeeping::tell_unusable(std::uint64_t records) {
  unreadable_ += records;
  log_.message(observe::Level::error, "store", fmt::format("{} records of the journal could not be read", records));
}

/// What is in files, and then what waits in memory: it may have the place of the files that went. False: the store
/// refused some of it.
bool RecordKeeping::ship_the_rest() {
  std::size_t waited = std::numeric_limits<std::size_t>::max();
  while (true) {
    note_journal(journal_->maintain());
    journal_->seal();
    const bool stored = worker_->finish();
    const std::size_t waits = journal_->kept_in_memory();
    if (!stored || waits == 0 || waits == waited) {
      return stored;
    }
    waited = waits;
  }
}

void RecordKeeping::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) {
      return;
    }
  }
  stopping_.notify_all();
  if (journal_ == nullptr) {
    return;
  }
  journal_->stop();
  if (thread_.joinable()) {
    thread_.join();
  }
  const bool stored = ship_the_rest();
  journal_->give_up_memory();
  tell_lost();
  if (stored && shipper_->all_shipped()) {
    if (const auto removed = journal_->remove(); !removed) {
      log_.message(observe::Level::warn, "journal", removed.error().message);
    }
  } else {
    log_.message(observe::Level::warn, "store",
                 "not all records are in the store: they stay in the journal, and the next start carries them there");
  }
}

void RecordKeeping::collect(observe::MetricShard& shard) const {
  namespace metric = observe::metric;
  shard.cell(metric::journal_records, {}).add(static_cast<double>(journal_->appended()));
  shard.cell(metric::journal_lost, {}).add(static_cast<double>(journal_->lost() + unreadable_));
  shard.cell(metric::journal_memory, {}).add(static_cast<double>(journal_->kept_in_memory()));
  shard.cell(metric::journal_good, {}).add(journal_good_ ? 1 : 0);
  shard.cell(metric::store_up, {}).add(worker_->available() ? 1 : 0);
  shard.cell(metric::store_shipped, {}).add(static_cast<double>(shipped_));
  shard.cell(metric::store_unknown, {}).add(static_cast<double>(recovered_unknown_));
  shard.cell(metric::store_bytes, {}).add(static_cast<double>(store_bytes_));
}

}  // namespace weir::app

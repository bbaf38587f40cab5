#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/config.hpp"
#include "ledger/budgets.hpp"
#include "ledger/journal.hpp"
#include "ledger/recount.hpp"
#include "ledger/shipper.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "store/sqlite_store.hpp"
#include "store/worker.hpp"

namespace weir::app {

/// What a process keeps of its calls over its end: its journal, the store, and the two threads that carry one into the
/// other. Calls go on whatever becomes of them.
///
/// Life: opened before the loops run; stop() when no call runs any more, while the loops still turn. `files`, `clock`
/// and `log` outlive it.
class RecordKeeping {
 public:
  struct Options {
    std::string data_dir;
    StoreConfig store;
    std::size_t cores = 1;
    std::string name;                  // of this process, unlike any other's
    store::Worker::Open open_store{};  // empty: the SQLite file that `store` says
  };
  /// Makes data_dir, with mode 0700, and the journal in it. Fails where that cannot be: the message says what to do.
  static Result<std::unique_ptr<RecordKeeping>> open(platform::Files& files, const platform::Clock& clock,
                                                     observe::Log& log, const Options& options);
  RecordKeeping(const RecordKeeping&) = delete;
  RecordKeeping& operator=(const RecordKeeping&) = delete;
  ~RecordKeeping();

  /// Work that is done before all other, on the store's thread, and tried until it succeeds. Before start().
  void begin_with(std::function<Result<void>(store::Store&)> first) { first_ = std::move(first); }
  /// Tells these budgets what earlier processes spent, at the start and where new periods come; before start(). They
  /// outlive the threads.
  void count_for(ledger::Budgets& budgets, ledger::Recount::TenantsAbove above);
  /// Behind start(): until the budgets know what was spent, or the store cannot tell. Not longer than that.
  void wait_until_counted(std::chrono::milliseconds at_most);
  /// Starts the threads; the store is opened on its own.
  void start();
  /// In place of start(), where time is simulated: one round of the journal, or of the store, on this thread.
  void turn_journal();
  void turn_store();
  /// Ships what is left, as far as the store takes it; the rest is for the next process.
  void stop();

  [[nodiscard]] ledger::Journal& journal() { return *journal_; }
  [[nodiscard]] store::Worker& worker() { return *worker_; }
  /// From any thread.
  void collect(observe::MetricShard& shard) const;

 private:
  RecordKeeping(platform::Files& files, const platform::Clock& clock, observe::Log& log, const Options& options);
  void keep_journal();
  Result<void> count(store::Store& store, platform::Instant now);
  void note_counted();
  void note_journal(const Result<void>& outcome);
  void tell_lost();
  void tell_damaged();
  void tell_unusable(std::uint64_t records);
  bool ship_the_rest();
  Result<bool> round(store::Store& store);

  const platform::Clock& clock_;
  observe::Log& log_;
  const Options options_;
  std::unique_ptr<ledger::Journal> journal_;
  std::unique_ptr<ledger::Shipper> shipper_;  // of the store's thread
  std::unique_ptr<ledger::Recount> recount_;  // of the store's thread; null: nobody wants to know
  bool counted_once_ = false;                 // likewise
  ledger::Budgets* budgets_ = nullptr;
  std::unique_ptr<store::Worker> worker_;
  std::function<Result<void>(store::Store&)> first_;  // of the store's thread; empty once it was done
  platform::Instant next_probe_{};                    // of the store's thread
  platform::Instant next_recovery_{};                 // of the store's thread
  platform::Instant next_retention_{};                // of the store's thread
  std::uint64_t lost_told_ = 0;                       // of the journal's thread, and then of stop()
  std::atomic<bool> journal_good_ = true;
  std::atomic<std::uint64_t> shipped_ = 0;
  std::atomic<std::uint64_t> recovered_unknown_ = 0;
  std::atomic<std::uint64_t> unreadable_ = 0;  // records of the journal
  std::atomic<std::uint64_t> store_bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;
  bool counted_ = false;
  std::thread thread_;
};

/// Opens the store's file; made with mode 0600 where it is not there.
[[nodiscard]] Result<std::unique_ptr<store::Store>> open_store_file(platform::Files& files,
                                                                    const store::SqliteOptions& options);

/// The file of the SQLite store: inside data_dir unless it is an absolute path.
[[nodiscard]] std::string store_file(const std::string& data_dir, const StoreConfig& store);

}  // namespace weir::app

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/files.hpp"
#include "store/store.hpp"

namespace weir::sim {

/// Whether a process lives; and when it is killed, counted in what it does to its files and its store.
class Life {
 public:
  /// Called once, in the midst of what is being done: from then on nothing that the process does has an effect.
  explicit Life(std::function<void()> on_death) : on_death_(std::move(on_death)) {}
  [[nodiscard]] bool over() const { return over_; }
  /// In the `nth` operation from now on, before it has an effect; 0: in none.
  void end_at(std::uint64_t nth) { left_ = nth; }
  void end();
  /// One operation. False: it comes too late.
  bool operate();

 private:
  std::function<void()> on_death_;
  std::uint64_t left_ = 0;
  bool over_ = false;
};

/// The files of a disk, as one process has them: they answer io_error once it is dead.
class MortalFiles final : public platform::Files {
 public:
  /// Both outlive it, and what is opened on it.
  MortalFiles(platform::Files& disk, Life& life, std::function<void()> on_append)
      : disk_(disk), life_(life), on_append_(std::move(on_append)) {}

  Result<std::unique_ptr<platform::AppendFile>> open_append(const std::string& path) override;
  Result<std::string> read(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::unique_ptr<platform::AppendFile>> create_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::unique_ptr<platform::AppendFile>> open_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::string> read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<platform::FileLock>> lock(const std::string& path) override;
  platform::FileStamp stamp(const std::string& path) override { return disk_.stamp(path); }
  [[nodiscard]] std::uint64_t segments_made() const { return segments_made_; }
  [[nodiscard]] std::uint64_t segments_reused() const { return segments_reused_; }

 private:
  Result<std::unique_ptr<platform::AppendFile>> as_mortal(Result<std::unique_ptr<platform::AppendFile>> file);
  platform::Files& disk_;
  Life& life_;
  const std::function<void()> on_append_;
  std::uint64_t segments_made_ = 0;
  std::uint64_t segments_reused_ = 0;
};

/// What was put into the store of a run, by the id of the call.
struct PutRecords {
  bool store_is_away = false;  // it refuses everything
  std::uint64_t refused = 0;
  std::map<std::string, std::string, std::less<>> by_id;
  std::uint64_t again = 0;  // that were there
  std::vector<std::string> violations;
};

/// A store that outlives the processes that use it, as one of them has it.
class MortalStore final : public store::Store {
 public:
  /// All of them outlive it.
  MortalStore(store::Store& kept, Life& life, PutRecords& put) : kept_(kept), requests_(kept.requests(), life, put) {}

  store::RequestLog& requests() override { return requests_; }
  store::ApiKeys& keys() override { return kept_.keys(); }
  store::Tenants& tenants() override { return kept_.tenants(); }
  store::AuditLog& audit() override { return kept_.audit(); }
  Result<void> atomically(const std::function<Result<void>()>& work) override { return kept_.atomically(work); }
  Result<void> make_durable() override { return kept_.make_durable(); }
  Result<std::int64_t> bytes() override { return kept_.bytes(); }
  Result<void> shrink() override { return kept_.shrink(); }
  Result<void> backup(const std::string& file) override { return kept_.backup(file); }
  int schema_version() override { return kept_.schema_version(); }
  void on_progress(std::function<void()>) override {}  // would outlive who is told

 private:
  class Requests final : public store::RequestLog {
   public:
    Requests(store::RequestLog& kept, Life& life, PutRecords& put) : kept_(kept), life_(life), put_(put) {}
    Result<void> put(std::span<const std::string_view> records, store::Repeats repeats) override;
    Result<std::optional<std::string>> find(std::string_view id) override { return kept_.find(id); }
    Result<store::RequestPage> list(const store::RequestQuery& query) override;
    Result<void> visit(std::string_view from, const std::function<void(std::string_view record)>& show) override;
    Result<std::vector<store::UsageRow>> usage(const store::UsageQuery& query) override { return kept_.usage(query); }
    Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) override {
      return kept_.remove_oldest(before, calls_max);
    }

   private:
    void note(std::string_view record, store::Repeats repeats);
    store::RequestLog& kept_;
    Life& life_;
    PutRecords& put_;
  };
  store::Store& kept_;
  Requests requests_;
};

}  // namespace weir::sim

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ledger/journal.hpp"
#include "ledger/key_uses.hpp"
#include "platform/files.hpp"
#include "store/store.hpp"

namespace weir::ledger {

/// Carries records from the journals to the store: of this process as its calls end, and of processes that died, whose
/// calls that were open become `unknown`.
///
/// A segment's file goes when all of it is in the store and no open call has its last record in it. Where the store
/// refuses, nothing moves on: the next round begins with the same records. What is carried twice, because the process
/// died in between, is there once: the store knows calls by their id. Blocking; belongs to the store's thread.
class Shipper {
 public:
  struct Options {
    std::string directory;                           // of all journals
    std::size_t batch_bytes = std::size_t{1} << 20;  // of records, for one transaction
    std::size_t read_bytes = std::size_t{128} << 10;
  };
  /// `own` is null where this process writes none, as in a command. Both outlive the shipper.
  Shipper(platform::Files& files, Journal* own, Options options)
      : files_(files), own_(own), options_(std::move(options)) {}

  struct Outcome {
    std::uint64_t calls = 0;     // that are in the store now
    std::uint64_t unknown = 0;   // of them: whose end nobody saw
    std::uint64_t unusable = 0;  // records that could not be read
    bool more = false;           // there is more to do at once
  };
  /// Carries what this process has written, up to one batch.
  Result<Outcome> ship(store::Store& store);
  /// Carries everything that processes which died have left. Those that live are left alone. A record that was being
  /// written when its process ended is none; what else cannot be read is told by take_damaged().
  Result<Outcome> recover(store::Store& store);
  /// A file of a dead process of which a part could not be read: something else than that process wrote there.
  struct Damaged {
    std::string file;       // what was in it is in the store, as far as it could be read; it is kept under this name
    std::size_t at = 0;     // the first part
    std::size_t bytes = 0;  // of all parts
    std::uint64_t records = 0;  // in them, at least
  };
  /// What recover() found since it was last asked, whether it succeeded or not.
  [[nodiscard]] std::vector<Damaged> take_damaged() { return std::exchange(damaged_, {}); }
  /// Tells the store when its keys were last used, by what was carried there. Where it refuses, it is told next time.
  Result<void> note_key_uses(store::Store& store) { return key_uses_.note(store); }
  /// True where recover() has found one that lived: it may be worth asking again.
  [[nodiscard]] bool others_live() const { return others_live_; }
  /// Everything of the own journal is in the store, and it may go.
  [[nodiscard]] bool all_shipped() const;

 private:
  /// Where reading has come to in the journal of one core.
  struct Place {
    std::uint64_t segment = 0;  // the last that was begun
    std::size_t offset = 0;
  };
  using CoreSegments = std::vector<std::shared_ptr<JournalSegment>>;
  /// Bytes of a segment that were read.
  struct Chunk {
    std::uint64_t segment = 0;
    std::size_t offset = 0;
    std::string_view bytes;
  };
  /// A record in `pending_`, up to where the next one begins.
  struct Pending {
    std::size_t end = 0;
    std::size_t asked_at = 0;  // where what was asked begins
  };
  using Segments = std::vector<std::pair<std::size_t, std::shared_ptr<JournalSegment>>>;  // with their core

  [[nodiscard]] Segments without_open_calls() const;
  [[nodiscard]] bool read_to_the_end(std::size_t core, const JournalSegment& segment) const;
  Result<void> read_core(std::size_t core, Outcome& outcome);
  Result<void> add_joined(std::string_view payload, const CoreSegments& segments, const Chunk& chunk, Outcome& outcome);
  Result<void> put_pending(store::Store& store, Outcome& outcome);
  Result<void> forget(store::Store& store, const Segments& segments);
  Result<void> recover_one(store::Store& store, const std::string& directory, Outcome& outcome);

  platform::Files& files_;
  Journal* own_;
  const Options options_;
  std::vector<Place> places_;
  std::string pending_;  // records that were read and are not in the store yet, one behind the other
  std::vector<Pending> pending_places_;
  KeyUses key_uses_;
  bool others_live_ = false;
  std::vector<Damaged> damaged_;
};

}  // namespace weir::ledger

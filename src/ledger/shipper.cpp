#include "ledger/shipper.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "ledger/journal_frame.hpp"
#include "store/call_form.hpp"

namespace weir::ledger {

/// From where reading had come to, until there is a batch or no more.
Result<void> Shipper::read_core(std::size_t core, Outcome& outcome) {
  Place& place = places_[core];
  for (const auto& segment : own_->cores()[core]->segments()) {
    if (segment->number < place.segment) {
      continue;
    }
    if (segment->number > place.segment) {
      place = {.segment = segment->number, .offset = 0};
    }
    while (true) {
      const std::size_t written = segment->written.load(std::memory_order_acquire);
      if (place.offset >= written) {
        break;
      }
      if (pending_.size() >= options_.batch_bytes) {
        outcome.more = true;
        return {};
      }
      const auto bytes =
          files_.read_at(segment->path, place.offset, std::min(written - place.offset, options_.read_bytes));
      if (!bytes) {
        return std::unexpected(bytes.error());
      }
      JournalReader reader(*bytes, JournalReader::Trusted{});
      while (const auto frame = reader.next()) {
        if (frame->kind == FrameKind::closed) {
          pending_ += frame->payload;
          pending_ends_.push_back(pending_.size());
        }
      }
      place.offset += reader.consumed();
      if (reader.consumed() == 0) {  // cannot be: what is written is whole. The rest of the segment is given up.
        ++outcome.unusable;
        place.offset = written;
      }
    }
    if (!segment->sealed.load(std::memory_order_acquire)) {
      return {};
    }
  }
  return {};
}

Result<Shipper::Outcome> Shipper::ship(store::Store& store) {
  Outcome outcome;
  if (own_ == nullptr) {
    return outcome;
  }
  places_.resize(own_->cores().size());
  // Before reading: what their calls ended with is read now, or was before.
  const Segments done = without_open_calls();
  for (std::size_t core = 0; core < places_.size() && !outcome.more; ++core) {
    if (auto read = read_core(core, outcome); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  if (auto put = put_pending(store, outcome); !put) {
    return std::unexpected(std::move(put.error()));
  }
  if (!outcome.more) {
    if (auto forgot = forget(store, done); !forgot) {
      return std::unexpected(std::move(forgot.error()));
    }
  }
  return outcome;
}

Result<void> Shipper::put_pending(store::Store& store, Outcome& outcome) {
  if (pending_ends_.empty()) {
    return {};
  }
  std::vector<std::string_view> records;
  records.reserve(pending_ends_.size());
  std::size_t begin = 0;
  for (const std::size_t end : pending_ends_) {
    records.push_back(std::string_view(pending_).substr(begin, end - begin));
    begin = end;
  }
  // Nobody else ships what this process writes, and what it has put it does not read again.
  if (auto put = store.requests().put(records, store::Repeats::none); !put) {
    return put;
  }
  std::ranges::for_each(records, [&](std::string_view record) { key_uses_.saw(record); });
  outcome.calls = records.size();
  pending_.clear();
  pending_ends_.clear();
  return {};
}

Shipper::Segments Shipper::without_open_calls() const {
  Segments found;
  for (std::size_t core = 0; core < places_.size(); ++core) {
    for (auto& segment : own_->cores()[core]->segments()) {
      if (segment->sealed.load(std::memory_order_acquire) && !segment->has_open_calls()) {
        found.emplace_back(core, std::move(segment));
      }
    }
  }
  return found;
}

bool Shipper::read_to_the_end(std::size_t core, const JournalSegment& segment) const {
  const Place& place = places_[core];
  return segment.number < place.segment ||
         (segment.number == place.segment && place.offset >= segment.written.load(std::memory_order_acquire));
}

/// Removes segments of which nothing is needed any more.
Result<void> Shipper::forget(store::Store& store, const Segments& segments) {
  bool durable = false;
  for (const auto& [core, segment] : segments) {
    if (!read_to_the_end(core, *segment)) {
      continue;
    }
    if (!durable) {  // also against a power loss, before the journal's own copy goes
      if (auto done = store.make_durable(); !done) {
        return done;
      }
      durable = true;
    }
    if (auto forgot = own_->cores()[core]->forget(segment); !forgot) {
      return forgot;
    }
  }
  return {};
}

bool Shipper::all_shipped() const {
  if (own_ == nullptr || !pending_ends_.empty()) {
    return own_ == nullptr;
  }
  return own_->kept_in_memory() == 0 &&
         std::ranges::all_of(own_->cores(), [](const auto& core) { return core->segments().empty(); });
}

Result<Shipper::Outcome> Shipper::recover(store::Store& store) {
  Outcome outcome;
  others_live_ = false;
  const auto names = files_.list(options_.directory);
  if (!names) {
    return std::unexpected(names.error());
  }
  for (const std::string& name : *names) {
    const std::string directory = options_.directory + "/" + name;
    if (own_ != nullptr && directory == own_->directory()) {
      continue;
    }
    const auto inside = files_.list(directory);
    if (!inside) {
      continue;  // no directory, or one that its owner removes just now
    }
    auto lock = files_.lock(directory + "/lock");
    if (!lock) {
      continue;
    }
    if (*lock == nullptr) {
      others_live_ = true;
      continue;
    }
    if (auto recovered = recover_one(store, directory, outcome); !recovered) {
      return std::unexpected(std::move(recovered.error()));
    }
  }
  return outcome;
}

/// The journal of a process that died. Its lock is ours.
Result<void> Shipper::recover_one(store::Store& store, const std::string& directory, Outcome& outcome) {
  auto names = files_.list(directory);  // sorted: the segments of each core in order
  if (!names) {
    return std::unexpected(std::move(names.error()));
  }
  std::map<std::string, std::string> open;  // by id: the last record of a call that was not closed
  std::vector<std::string> batch;
  std::size_t batch_bytes = 0;
  const auto put = [&]() -> Result<void> {
    const std::vector<std::string_view> records(batch.begin(), batch.end());
    // Some are there already: the process had put them when it died.
    if (auto done = store.requests().put(records, store::Repeats::possible); !done) {
      return done;
    }
    std::ranges::for_each(records, [&](std::string_view record) { key_uses_.saw(record); });
    outcome.calls += batch.size();
    batch.clear();
    batch_bytes = 0;
    return {};
  };
  const auto add = [&](std::string record) {
    if (store::row_of(record)) {
      batch_bytes += record.size();
      batch.push_back(std::move(record));
    } else {
      ++outcome.unusable;
    }
  };
  for (const std::string& name : *names) {
    if (!name.starts_with("core-")) {
      continue;
    }
    const auto bytes = files_.read(directory + "/" + name);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    JournalReader reader(*bytes);
    while (const auto frame = reader.next()) {
      std::string id(store::id_of(frame->payload));
      if (frame->kind == FrameKind::open) {
        open.insert_or_assign(std::move(id), std::string(frame->payload));
        continue;
      }
      open.erase(id);
      add(std::string(frame->payload));
      if (batch_bytes >= options_.batch_bytes) {
        if (auto done = put(); !done) {
          return done;
        }
      }
    }
  }
  for (const auto& [id, record] : open) {
    // The file in which its end was told may have gone, because the store has it.
    const auto known = store.requests().find(id);
    if (!known) {
      return std::unexpected(known.error());
    }
    if (*known) {
      continue;
    }
    ++outcome.unknown;
    if (auto unknown = store::as_unknown(record)) {
      add(std::move(*unknown));
    } else {
      ++outcome.unusable;
    }
  }
  if (!batch.empty()) {
    if (auto done = put(); !done) {
      return done;
    }
  }
  if (auto durable = store.make_durable(); !durable) {
    return durable;
  }
  for (const std::string& name : *names) {
    if (auto removed = files_.remove(directory + "/" + name); !removed) {
      return removed;
    }
  }
  static_cast<void>(files_.remove(directory));  // somebody may have put something there: it is only left behind
  return {};
}

}  // namespace weir::ledger

#include "ledger/shipper.hpp"

#include <algorithm>
#include <optional>

#include "ledger/call_row.hpp"
#include "ledger/journal_frame.hpp"

namespace weir::ledger {

void Shipper::take(std::size_t core, std::uint64_t segment, std::string_view payload, Outcome& outcome) {
  std::string id(id_of(payload));
  if (is_open(payload)) {
    open_.insert_or_assign(std::move(id), OpenCall{.core = core, .segment = segment});
    return;
  }
  open_.erase(id);
  if (auto row = row_of(std::string(payload))) {
    pending_.push_back(std::move(*row));
  } else {
    ++outcome.unusable;
  }
}

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
      if (pending_.size() >= options_.batch_calls) {
        outcome.more = true;
        return {};
      }
      const auto bytes =
          files_.read_at(segment->path, place.offset, std::min(written - place.offset, options_.read_bytes));
      if (!bytes) {
        return std::unexpected(bytes.error());
      }
      JournalReader reader(*bytes);
      while (const auto frame = reader.next()) {
        take(core, segment->number, frame->payload, outcome);
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
  for (std::size_t core = 0; core < places_.size() && pending_.size() < options_.batch_calls; ++core) {
    if (auto read = read_core(core, outcome); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  outcome.more = outcome.more || pending_.size() >= options_.batch_calls;
  if (!pending_.empty()) {
    if (auto put = store.requests().put(pending_); !put) {
      return std::unexpected(std::move(put.error()));
    }
    outcome.calls = pending_.size();
    pending_.clear();
  }
  if (auto forgot = forget_shipped(store); !forgot) {
    return std::unexpected(std::move(forgot.error()));
  }
  return outcome;
}

/// Removes the segments of which nothing is needed any more.
Result<void> Shipper::forget_shipped(store::Store& store) {
  bool durable = false;
  for (std::size_t core = 0; core < places_.size(); ++core) {
    for (const auto& segment : own_->cores()[core]->segments()) {
      const bool read = segment->sealed.load(std::memory_order_acquire) &&
                        (segment->number < places_[core].segment ||
                         (segment->number == places_[core].segment &&
                          places_[core].offset >= segment->written.load(std::memory_order_acquire)));
      const auto needed_here = [&](const auto& call) {
        return call.second.core == core && call.second.segment == segment->number;
      };
      if (!read || std::ranges::any_of(open_, needed_here)) {
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
  }
  return {};
}

bool Shipper::all_shipped() const {
  if (own_ == nullptr || !pending_.empty()) {
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
  std::vector<store::InferenceLog> batch;
  const auto put = [&]() -> Result<void> {
    if (auto done = store.requests().put(batch); !done) {
      return done;
    }
    outcome.calls += batch.size();
    batch.clear();
    return {};
  };
  const auto add = [&](std::string record) {
    if (auto row = row_of(std::move(record))) {
      batch.push_back(std::move(*row));
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
      std::string id(id_of(frame->payload));
      if (is_open(frame->payload)) {
        open.insert_or_assign(std::move(id), std::string(frame->payload));
        continue;
      }
      open.erase(id);
      add(std::string(frame->payload));
      if (batch.size() >= options_.batch_calls) {
        if (auto done = put(); !done) {
          return done;
        }
      }
    }
  }
  outcome.unknown += open.size();
  for (const auto& [id, record] : open) {
    add(as_unknown(record));
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

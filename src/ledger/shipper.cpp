#include "ledger/shipper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "ledger/journal_frame.hpp"
#include "store/call_form.hpp"
#include "text/json_scan.hpp"

namespace weir::ledger {

namespace {

/// Where in a whole record what was asked begins; at its end where that cannot be found.
std::size_t asked_place(std::string_view record) {
  const std::string_view asked = store::asked_of(record);
  return asked.empty() ? record.size() : static_cast<std::size_t>(asked.data() - record.data());
}

/// Past what is damaged, of which it takes note.
std::optional<JournalFrame> next_readable(JournalReader& reader, Shipper::Damaged& damaged) {
  auto frame = reader.next();
  while (!frame) {
    const auto gap = reader.skip_damage();
    if (!gap) {
      break;
    }
    damaged.at = damaged.bytes == 0 ? gap->at : damaged.at;
    damaged.bytes += gap->bytes;
    damaged.records += gap->frames;
    frame = reader.next();
  }
  return frame;
}

}  // namespace

/// From where reading had come to, until there is a batch or no more.
Result<void> Shipper::read_core(std::size_t core, Outcome& outcome) {
  Place& place = places_[core];
  const CoreSegments segments = own_->cores()[core]->segments();
  for (const auto& segment : segments) {
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
      // With some of what was read before: there stands what was asked in most of the calls whose end is read now.
      const std::size_t begin = place.offset - std::min(place.offset, options_.read_bytes / 8);
      const auto bytes =
          files_.read_at(segment->path, begin, std::min(written, place.offset + options_.read_bytes) - begin);
      if (!bytes) {
        return std::unexpected(bytes.error());
      }
      const Chunk chunk{.segment = segment->number, .offset = begin, .bytes = *bytes};
      JournalReader reader(chunk.bytes.substr(place.offset - begin), JournalReader::Trusted{});
      std::size_t consumed = 0;
      while (const auto frame = reader.next()) {
        if (frame->kind == FrameKind::closed) {
          pending_places_.push_back({.end = pending_.size() + frame->payload.size(),
                                     .asked_at = pending_.size() + asked_place(frame->payload)});
          pending_ += frame->payload;
        } else if (frame->kind == FrameKind::ended) {
          if (auto added = add_joined(frame->payload, segments, chunk, outcome); !added) {
            place.offset += consumed;  // this frame is read again
            return added;
          }
        }
        consumed = reader.consumed();
      }
      place.offset += consumed;
      if (consumed == 0) {  // cannot be: what is written is whole. The rest of the segment is given up.
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

/// The record of a call that has ended, with what was asked, which stands in a file that is there as long as this was
/// not read: see CoreJournal::opened().
Result<void> Shipper::add_joined(std::string_view payload, const CoreSegments& segments, const Chunk& chunk,
                                 Outcome& outcome) {
  const auto end = read_journal_end(payload);
  const auto file = !end ? segments.end() : std::ranges::find(segments, end->asked.segment, &JournalSegment::number);
  if (file == segments.end()) {  // cannot be
    ++outcome.unusable;
    return {};
  }
  std::string read;
  std::string_view asked;
  const std::size_t in_chunk = end->asked.at - chunk.offset;  // huge where it stands before it
  if (end->asked.segment == chunk.segment && in_chunk < chunk.bytes.size()) {
    asked = chunk.bytes.substr(in_chunk, end->asked.bytes);
  } else {
    auto bytes = files_.read_at((*file)->path, end->asked.at, end->asked.bytes);
    if (!bytes) {
      return std::unexpected(std::move(bytes.error()));
    }
    read = std::move(*bytes);
    asked = read;
  }
  const std::size_t asked_at = pending_.size() + end->place;
  append_joined(pending_, *end, asked);
  pending_places_.push_back({.end = pending_.size(), .asked_at = asked_at});
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
  if (pending_places_.empty()) {
    return {};
  }
  std::vector<std::string_view> records;
  records.reserve(pending_places_.size());
  std::size_t begin = 0;
  for (const Pending& place : pending_places_) {
    records.push_back(std::string_view(pending_).substr(begin, place.end - begin));
    begin = place.end;
  }
  // Nobody else ships what this process writes, and what it has put it does not read again.
  if (auto put = store.requests().put(records, store::Repeats::none); !put) {
    return put;
  }
  for (const Pending& place : pending_places_) {
    key_uses_.saw(std::string_view(pending_).substr(place.asked_at, place.end - place.asked_at));
  }
  outcome.calls = records.size();
  pending_.clear();
  pending_places_.clear();
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
  if (own_ == nullptr || !pending_places_.empty()) {
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
  std::map<std::string, std::string, std::less<>> open;  // by id: the last record of a call that was not closed
  std::map<std::string, Damaged, std::less<>> damaged;   // by name
  std::vector<std::string> batch;
  std::size_t batch_bytes = 0;
  const auto put = [&]() -> Result<void> {
    const std::vector<std::string_view> records(batch.begin(), batch.end());
    // Some are there already: the process had put them when it died.
    if (auto done = store.requests().put(records, store::Repeats::possible); !done) {
      return done;
    }
    std::ranges::for_each(records, [&](std::string_view record) { key_uses_.saw(store::asked_of(record)); });
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
    const auto number = segment_number(name);
    if (!number) {
      continue;
    }
    const auto bytes = files_.read(directory + "/" + name);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    JournalReader reader(*bytes, *number);
    Damaged given_up;
    while (const auto frame = next_readable(reader, given_up)) {
      std::string record(frame->payload);
      if (frame->kind == FrameKind::ended) {
        const auto end = read_journal_end(frame->payload);
        const std::string_view ended = end ? store::id_of(end->record) : std::string_view();
        const auto begun = open.find(ended);
        if (begun == open.end() || !text::scan_document(begun->second)) {
          // The file in which it began may have gone, because the store has it.
          const auto known = store.requests().find(ended);
          if (!known) {
            return std::unexpected(known.error());
          }
          outcome.unusable += *known ? 0 : 1;
          continue;
        }
        record.clear();
        append_joined(record, *end, store::asked_of(begun->second));
      }
      std::string id(store::id_of(record));
      if (frame->kind == FrameKind::open) {
        open.insert_or_assign(std::move(id), std::move(record));
        continue;
      }
      open.erase(id);
      add(std::move(record));
      if (batch_bytes >= options_.batch_bytes) {
        if (auto done = put(); !done) {
          return done;
        }
      }
    }
    if (given_up.bytes > 0) {
      given_up.file = fmt::format("{}-{}.damaged", directory, name);  // beside the directory, which goes
      damaged.emplace(name, std::move(given_up));
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
    const std::string path = directory + "/" + name;
    const auto kept = damaged.find(name);
    if (auto gone = kept == damaged.end() ? files_.remove(path) : files_.rename(path, kept->second.file); !gone) {
      return gone;
    }
    if (kept != damaged.end()) {
      damaged_.push_back(std::move(kept->second));
    }
  }
  static_cast<void>(files_.remove(directory));  // somebody may have put something there: it is only left behind
  return {};
}

}  // namespace weir::ledger

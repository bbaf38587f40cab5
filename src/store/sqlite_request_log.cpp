#include "store/sqlite_request_log.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "store/call_form.hpp"
#include "text/json_value.hpp"

namespace weir::store {

namespace {

constexpr std::string_view above_all_ids = "~";  // sorts behind every id
// Small enough to be read for the sake of one call, large enough for the cost of a row not to matter.
constexpr std::size_t block_bytes = std::size_t{64} << 10;

/// Calls `visitor` with each record of a block; it may return false to stop.
template <class Visitor>
void for_each_record(std::string_view block, Visitor&& visitor) {
  text::for_each_element(block, [&](const text::JsonValue& record) { return visitor(record.raw); });
}

/// Where the record of the call with this id stands in a block, if there. No other array in it begins with an id.
std::size_t find_record(std::string_view block, std::string_view id) {
  std::string mark = "[\"";
  mark.append(id).append("\"");
  return block.find(mark);
}

/// The records with the highest ids, which come in any order.
class Newest {
 public:
  explicit Newest(std::size_t count) : count_(count) {}
  void add(std::string_view id, std::string_view record) {
    if (found_.size() < count_) {
      found_.push_back({std::string(id), std::string(record)});
      std::ranges::push_heap(found_, std::greater<>(), &Found::id);
    } else if (count_ > 0 && found_.front().id < id) {
      std::ranges::pop_heap(found_, std::greater<>(), &Found::id);
      found_.back() = {std::string(id), std::string(record)};
      std::ranges::push_heap(found_, std::greater<>(), &Found::id);
    }
  }
  /// True where nothing with an id up to this one has a place any more.
  [[nodiscard]] bool complete_above(std::string_view id) const {
    return found_.size() == count_ && (count_ == 0 || found_.front().id > id);
  }
  struct Found {
    std::string id;
    std::string record;
  };
  /// The newest first.
  [[nodiscard]] std::vector<Found> take() {
    std::ranges::sort(found_, std::greater<>(), &Found::id);
    return std::move(found_);
  }

 private:
  std::size_t count_;
  std::vector<Found> found_;  // a heap, the oldest at its front
};

}  // namespace

Result<void> SqliteRequestLog::put(std::span<const std::string_view> records, Repeats repeats) {
  for (const std::string_view record : records) {
    if (id_of(record).empty()) {
      return fail(Code::internal, "a record has no id");
    }
  }
  SqliteDatabase::Transaction transaction(database_);
  if (auto begun = transaction.begin(); !begun) {
    return begun;
  }
  std::vector<std::string_view> fresh;
  if (repeats == Repeats::possible) {
    auto found = those_that_are_new(records);
    if (!found) {
      return std::unexpected(std::move(found.error()));
    }
    fresh = std::move(*found);
    records = fresh;
  }
  while (!records.empty()) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < records.size() && (count == 0 || bytes + records[count].size() <= block_bytes);
         ++count) {
      bytes += records[count].size() + 2;
    }
    if (auto put = put_block(records.first(count)); !put) {
      return put;
    }
    records = records.subspan(count);
  }
  return transaction.commit();
}

Result<void> SqliteRequestLog::put_block(std::span<const std::string_view> records) {
  std::string_view first = above_all_ids;
  std::string_view last;
  block_.clear();
  for (const std::string_view record : records) {
    const std::string_view id = id_of(record);
    first = std::min(first, id);
    last = std::max(last, id);
    block_ += block_.empty() ? "[" : ",\n";
    block_ += record;
  }
  block_ += ']';
  auto prepared = database_.statement("put_block");
  if (!prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  SqliteStatement& statement = **prepared;
  statement.bind(1, first);
  statement.bind(2, last);
  statement.bind(3, static_cast<std::int64_t>(records.size()));
  statement.bind(4, block_);
  return statement.run();
}

template <class Visit>
Result<void> SqliteRequestLog::walk(SqliteStatement& blocks, Visit visit) {
  while (true) {
    const auto row = blocks.step();
    if (!row) {
      return std::unexpected(row.error());
    }
    told_();
    if (!*row || !visit(blocks)) {
      return {};
    }
  }
}

template <class Visit>
Result<void> SqliteRequestLog::walk_around(std::string_view id, Visit visit) {
  auto blocks = database_.statement("blocks_around");
  if (!blocks) {
    return std::unexpected(std::move(blocks.error()));
  }
  (*blocks)->bind(1, id);
  return walk(**blocks, [&](const SqliteStatement& row) {
    const std::string_view block = row.view(0);
    return find_record(block, id) == std::string_view::npos || visit(block);
  });
}

Result<bool> SqliteRequestLog::has(std::string_view id) {
  bool found = false;
  const auto walked = walk_around(id, [&](std::string_view) {
    found = true;
    return false;
  });
  return walked ? Result<bool>(found) : std::unexpected(walked.error());
}

Result<std::vector<std::string_view>> SqliteRequestLog::those_that_are_new(std::span<const std::string_view> records) {
  std::vector<std::string_view> fresh;
  std::set<std::string_view> ids;
  for (const std::string_view record : records) {
    const std::string_view id = id_of(record);
    if (!ids.insert(id).second) {
      continue;
    }
    const auto known = has(id);
    if (!known) {
      return std::unexpected(known.error());
    }
    if (!*known) {
      fresh.push_back(record);
    }
  }
  return fresh;
}

Result<std::optional<std::string>> SqliteRequestLog::find(std::string_view id) {
  std::optional<Result<std::string>> found;
  const auto walked = walk_around(id, [&](std::string_view block) {
    for_each_record(block, [&](std::string_view record) {
      if (id_of(record) == id) {
        found = as_object(record);
      }
      return !found;
    });
    return !found;
  });
  if (!walked) {
    return std::unexpected(walked.error());
  }
  if (found && !*found) {
    return std::unexpected(std::move(found->error()));
  }
  return found ? std::optional(std::move(**found)) : std::nullopt;
}

Result<RequestPage> SqliteRequestLog::list(const RequestQuery& query) {
  const std::string_view below = query.after.empty() ? above_all_ids : std::string_view(query.after);
  auto blocks = database_.statement("blocks_before");
  if (!blocks) {
    return std::unexpected(std::move(blocks.error()));
  }
  (*blocks)->bind(1, below);
  (*blocks)->bind(2, query.from);
  const bool all = query.key_id.empty() && query.model.empty() && query.tenant.empty() && query.end_state.empty() &&
                   !query.status_from;
  const auto limit = static_cast<std::size_t>(std::max(query.limit, 0));
  Newest newest(limit + 1);
  const auto walked = walk(**blocks, [&](const SqliteStatement& row) {
    // Blocks come by their last id, which no later block has a call behind.
    if (newest.complete_above(row.view(1))) {
      return false;
    }
    for_each_record(row.view(0), [&](std::string_view record) {
      const std::string_view id = id_of(record);
      if (id >= query.from && id < below) {
        const auto call = all ? Result<InferenceLog>() : row_of(record);
        if (all || (call && matches(query, *call))) {
          newest.add(id, record);
        }
      }
      return true;
    });
    return true;
  });
  if (!walked) {
    return std::unexpected(walked.error());
  }
  RequestPage page;
  std::string last;
  for (const Newest::Found& found : newest.take()) {
    if (page.records.size() == limit) {
      page.next = last;
      break;
    }
    auto object = as_object(found.record);
    if (!object) {
      return std::unexpected(std::move(object.error()));
    }
    last = found.id;
    page.records.push_back(std::move(*object));
  }
  return page;
}

template <class Show>
Result<void> SqliteRequestLog::walk_between(std::string_view from, std::string_view to, Show show) {
  auto blocks = database_.statement("blocks_before");
  if (!blocks) {
    return std::unexpected(std::move(blocks.error()));
  }
  (*blocks)->bind(1, to);
  (*blocks)->bind(2, from);
  return walk(**blocks, [&](const SqliteStatement& row) {
    for_each_record(row.view(0), [&](std::string_view record) {
      const std::string_view id = id_of(record);
      if (id >= from && id < to) {
        show(record);
      }
      return true;
    });
    return true;
  });
}

Result<void> SqliteRequestLog::visit(std::string_view from, const std::function<void(std::string_view record)>& show) {
  return walk_between(from, above_all_ids, show);
}

Result<std::vector<UsageRow>> SqliteRequestLog::usage(const UsageQuery& query) {
  const std::string_view to = query.to.empty() ? above_all_ids : std::string_view(query.to);
  UsageSums sums(query);
  const auto walked = walk_between(query.from, to, [&](std::string_view record) {
    if (const auto call = row_of(record)) {
      sums.add(*call);
    }
  });
  if (!walked) {
    return std::unexpected(walked.error());
  }
  return sums.rows();
}

Result<std::int64_t> SqliteRequestLog::remove_oldest(std::string_view before, std::int64_t calls_max) {
  SqliteDatabase::Transaction transaction(database_);
  if (auto begun = transaction.begin(); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  std::int64_t removed = 0;
  std::string last;
  {
    auto oldest = database_.statement("oldest_blocks");
    if (!oldest) {
      return std::unexpected(std::move(oldest.error()));
    }
    (*oldest)->bind(1, before);
    while (removed < calls_max) {
      const auto row = (*oldest)->step();
      if (!row) {
        return std::unexpected(row.error());
      }
      if (!*row) {
        break;
      }
      last = (*oldest)->view(0);
      removed += (*oldest)->integer(1);
    }
  }
  if (removed == 0) {
    return 0;
  }
  {
    auto remove = database_.statement("remove_blocks");
    if (!remove) {
      return std::unexpected(std::move(remove.error()));
    }
    (*remove)->bind(1, last);
    if (auto done = (*remove)->run(); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  if (auto committed = transaction.commit(); !committed) {
    return std::unexpected(std::move(committed.error()));
  }
  return removed;
}

}  // namespace weir::store

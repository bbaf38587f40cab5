#include "ledger/shipper.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/ids.hpp"
#include "platform/random.hpp"
#include "platform/sim/simulated_files.hpp"
#include "store/call_form.hpp"
#include "store/test_store.hpp"

namespace weir::ledger {
namespace {

using platform::Random;
using platform::SimulatedFiles;

RequestRecord call(int number) {
  RequestRecord record;
  record.id = make_request_id(static_cast<std::uint64_t>(number), 1, 2);
  record.time = platform::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21));
  record.endpoint = "/v1/chat/completions";
  record.model = R"(a "quoted" name, "end_state":"open")";
  record.attempts.emplace_back().target = "a/x/y";
  return record;
}

RequestRecord ended(RequestRecord record);

/// A call that was open and ends.
void close(CoreJournal& journal, RequestRecord& open) {
  RequestRecord record = ended(open);
  record.open_in = std::move(open.open_in);
  journal.closed(record);
}
void close(CoreJournal& journal, RequestRecord&& open) {
  close(journal, open);
}

RequestRecord ended(RequestRecord record) {
  record.end_state = EndState::complete;
  record.status = 200;
  record.target = record.attempts.empty() ? "" : record.attempts.back().target;
  record.duration = std::chrono::milliseconds(12);
  record.usage.input_tokens = 3;
  record.usage_source = UsageSource::provider;
  for (AttemptRecord& attempt : record.attempts) {
    attempt.end_state = EndState::complete;
    attempt.status = 200;
  }
  return record;
}

/// A store in memory that can refuse.
class MoodyStore final : public store::TestStore, store::RequestLog {
 public:
  bool refuses = false;
  std::map<std::string, store::InferenceLog> calls;
  std::map<std::string, std::string> as_kept;

  store::RequestLog& requests() override { return *this; }
  Result<void> make_durable() override { return mood(); }

 private:
  Result<void> mood() const { return refuses ? Result<void>(fail(Code::store_unavailable, "locked")) : Result<void>(); }
  Result<void> put(std::span<const std::string_view> records, store::Repeats repeats) override {
    if (auto good = mood(); !good) {
      return good;
    }
    for (const std::string_view record : records) {
      const auto row = store::row_of(record);
      EXPECT_TRUE(row.has_value()) << record;
      const bool fresh = calls.emplace(row->id, *row).second;
      as_kept.emplace(row->id, record);
      EXPECT_TRUE(fresh || repeats == store::Repeats::possible) << row->id << " is put twice";
    }
    return {};
  }
  Result<std::optional<std::string>> find(std::string_view id) override {
    return calls.contains(std::string(id)) ? std::optional<std::string>("{}") : std::nullopt;
  }
  Result<store::RequestPage> list(const store::RequestQuery&) override { return store::RequestPage{}; }
  Result<void> visit(std::string_view, const std::function<void(std::string_view)>&) override { return {}; }
  Result<std::vector<store::UsageRow>> usage(const store::UsageQuery&) override {
    return std::vector<store::UsageRow>{};
  }
  Result<std::int64_t> remove_oldest(std::string_view, std::int64_t) override { return 0; }
};

std::string kept(const RequestRecord& record) {
  std::string whole;
  append_kept(whole, record);
  return whole;
}

/// A process with its journal; gone with kill().
struct Process {
  Process(SimulatedFiles& disk, const std::string& name, std::size_t segment_bytes = 4000) : files(disk) {
    auto opened =
        Journal::open(files, {.directory = "data/journal", .name = name, .cores = 2, .segment_bytes = segment_bytes});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    journal = std::move(*opened);
    shipper = std::make_unique<Shipper>(
        files, journal.get(), Shipper::Options{.directory = "data/journal", .batch_bytes = 700, .read_bytes = 2000});
  }
  void maintain() const { EXPECT_TRUE(journal->maintain().has_value()); }
  std::uint64_t ship(store::Store& store) const {
    std::uint64_t calls = 0;
    while (true) {
      const auto outcome = shipper->ship(store);
      if (!outcome) {
        return calls;
      }
      EXPECT_EQ(outcome->unusable, 0U);
      calls += outcome->calls;
      if (!outcome->more) {
        return calls;
      }
    }
  }
  SimulatedFiles& files;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<Shipper> shipper;
};

struct ShipperTest : testing::Test {
  ShipperTest() { EXPECT_TRUE(files.make_directory("data").has_value()); }
  SimulatedFiles files{1};
  MoodyStore store;
};

TEST_F(ShipperTest, carries_calls_that_ended_and_leaves_nothing_behind) {
  Process process(files, "one");
  for (int number = 1; number <= 40; ++number) {
    CoreJournal& core = process.journal->core(static_cast<std::size_t>(number % 2));
    RequestRecord record = call(number);
    core.opened(record);
    close(core, record);
    process.maintain();
  }
  EXPECT_EQ(process.ship(store), 40U);
  EXPECT_EQ(store.calls.size(), 40U);
  process.journal->seal();
  EXPECT_EQ(process.ship(store), 0U);
  EXPECT_TRUE(process.shipper->all_shipped());
  EXPECT_TRUE(process.journal->remove().has_value());
  EXPECT_EQ(files.list("data/journal"), std::vector<std::string>());
}

TEST_F(ShipperTest, keeps_a_segment_in_which_a_call_began_that_still_runs) {
  Process process(files, "one", 2000);
  CoreJournal& core = process.journal->core(0);
  RequestRecord first = call(1);
  core.opened(first);
  for (int number = 2; number <= 20; ++number) {
    RequestRecord record = call(number);
    core.opened(record);
    close(core, record);
    process.maintain();
    process.ship(store);
  }
  EXPECT_EQ(store.calls.size(), 19U);
  const auto kept = core.segments();
  ASSERT_GE(kept.size(), 2U);
  EXPECT_LE(kept.size(), 3U) << "those between are gone";
  EXPECT_EQ(kept.front()->number, 1U);
  close(core, first);
  process.maintain();
  process.ship(store);
  EXPECT_GT(core.segments().front()->number, 1U);
  EXPECT_EQ(store.calls.size(), 20U);
}

TEST_F(ShipperTest, goes_on_where_it_was_once_the_store_is_back) {
  Process process(files, "one");
  store.refuses = true;
  for (int number = 1; number <= 30; ++number) {
    close(process.journal->core(0), call(number));
    process.maintain();
    EXPECT_FALSE(process.shipper->ship(store).has_value());
  }
  store.refuses = false;
  EXPECT_EQ(process.ship(store), 30U);
  EXPECT_EQ(store.calls.size(), 30U);
}

TEST_F(ShipperTest, closes_what_a_dead_process_left_open_as_unknown) {
  {
    Process process(files, "dead");
    RequestRecord first = call(1);
    process.journal->core(0).opened(first);
    close(process.journal->core(0), first);
    RequestRecord second = call(2);
    process.journal->core(1).opened(second);
    RequestRecord begun = call(3);
    process.journal->core(0).opened(begun);
    RequestRecord third = ended(call(3));
    third.end_state = EndState::open;
    third.attempts.emplace_back().target = "b/y";
    process.journal->core(0).opened(third);
    files.kill();
  }
  Process next(files, "next");
  const auto recovered = next.shipper->recover(store);
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
  EXPECT_EQ(recovered->calls, 3U);
  EXPECT_EQ(recovered->unknown, 2U);
  EXPECT_EQ(store.calls.at(call(1).id).end_state, "complete");
  EXPECT_EQ(store.calls.at(call(2).id).end_state, "unknown");
  const store::InferenceLog& third = store.calls.at(call(3).id);
  EXPECT_EQ(third.end_state, "unknown");
  ASSERT_EQ(third.attempts.size(), 2U) << "each upstream call has its row";
  EXPECT_EQ(third.attempts.at(0).end_state, "complete");
  EXPECT_EQ(third.attempts.at(1).end_state, "unknown");
  EXPECT_EQ(files.list("data/journal"), std::vector<std::string>{"next"});
}

// What the end of a call leaves out is joined to it again, also where it stands far before it or in another file.
TEST_F(ShipperTest, carries_each_record_as_if_its_end_told_all) {
  Process process(files, "one");
  CoreJournal& core = process.journal->core(0);
  std::map<std::string, std::string> expected;
  std::vector<RequestRecord> running;
  for (int number = 1; number <= 90; ++number) {
    RequestRecord& record = running.emplace_back(call(number));
    core.opened(record);
    EXPECT_GT(record.asked_at.bytes, 0U);
    if (number % 3 == 0) {
      record.attempts.emplace_back().target = "b/y";
      core.opened(record);
    }
    if (running.size() > 25) {
      RequestRecord& oldest = running.front();
      expected.emplace(oldest.id, kept(ended(oldest)));
      close(core, oldest);
      running.erase(running.begin());
    }
    process.maintain();
    process.ship(store);
  }
  EXPECT_EQ(store.as_kept, expected);
}

TEST_F(ShipperTest, reads_again_what_the_disk_refused_in_between) {
  for (std::uint64_t nth = 1; nth <= 20; ++nth) {
    SimulatedFiles disk(nth);
    ASSERT_TRUE(disk.make_directory("data").has_value());
    Process process(disk, "one", 20'000);
    MoodyStore books;
    std::map<std::string, std::string> expected;
    std::vector<RequestRecord> running;
    for (int number = 1; number <= 20; ++number) {
      process.journal->core(0).opened(running.emplace_back(call(number)));
    }
    for (RequestRecord& record : running) {
      expected.emplace(record.id, kept(ended(record)));
      close(process.journal->core(0), record);
    }
    disk.fail_operation(nth);
    process.ship(books);
    disk.fail_operation(0);
    process.ship(books);
    ASSERT_EQ(books.as_kept, expected) << "operation " << nth;
  }
}

// The file in which a call began may go before the one in which its end was told.
TEST_F(ShipperTest, takes_no_end_for_unusable_whose_call_the_store_has) {
  for (const bool store_has_it : {true, false}) {
    SimulatedFiles disk(1);
    ASSERT_TRUE(disk.make_directory("data").has_value());
    MoodyStore books;
    {
      Process process(disk, "dead", 2000);
      CoreJournal& core = process.journal->core(0);
      RequestRecord record = call(1);
      core.opened(record);
      for (int number = 2; core.segments().back()->number == 1; ++number) {
        process.maintain();
        close(core, call(number));
      }
      close(core, record);
      process.maintain();
      process.ship(books);
      ASSERT_EQ(core.segments().front()->number, 2U);
      disk.kill();
    }
    Process next(disk, "next");
    MoodyStore other;
    const auto recovered = next.shipper->recover(store_has_it ? books : other);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
    EXPECT_EQ(recovered->unusable, store_has_it ? 0U : 1U);
    EXPECT_EQ(other.calls.contains(call(1).id), false);
  }
}

// Files that were shipped are kept, to be written again: what is in them may have left the store by then.
TEST_F(ShipperTest, brings_back_no_call_that_the_store_had) {
  for (int more = 0; more < 15; ++more) {  // where the process is killed: the file waits, is the next, is written
    SimulatedFiles disk(1);
    ASSERT_TRUE(disk.make_directory("data").has_value());
    MoodyStore books;
    int number = 0;
    {
      Process process(disk, "dead", 2000);
      CoreJournal& core = process.journal->core(0);
      const auto run_one = [&] {
        RequestRecord record = call(++number);
        core.opened(record);
        close(core, record);
        process.maintain();
      };
      while (core.segments().size() < 3) {
        run_one();
      }
      process.ship(books);
      ASSERT_EQ(disk.list("data/journal/dead")->front(), "core-0-00000001-retired");
      books.calls.clear();
      for (int i = 0; i < more; ++i) {
        run_one();
      }
      disk.kill();
    }
    Process next(disk, "next");
    const auto recovered = next.shipper->recover(books);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
    EXPECT_EQ(recovered->unknown, 0U);
    for (const auto& [id, row] : books.calls) {
      EXPECT_GT(id, call(number - more - 5).id) << "of the file that was not full yet";
    }
    for (int last = number; last > number - more; --last) {
      EXPECT_TRUE(books.calls.contains(call(last).id)) << last << " of " << number;
    }
    EXPECT_EQ(disk.list("data/journal"), std::vector<std::string>{"next"});
  }
}

// The version before wrote ends that told all, and knew no others.
TEST_F(ShipperTest, recovers_a_journal_whose_ends_tell_all) {
  {
    const Process process(files, "dead");
    CoreJournal& core = process.journal->core(0);
    core.append(FrameKind::open, kept(call(1)));
    core.append(FrameKind::open, kept(call(2)));
    core.append(FrameKind::closed, kept(ended(call(1))));
    files.kill();
  }
  Process next(files, "next");
  const auto recovered = next.shipper->recover(store);
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
  EXPECT_EQ(recovered->unusable, 0U);
  EXPECT_EQ(store.as_kept.at(call(1).id), kept(ended(call(1))));
  EXPECT_EQ(store.calls.at(call(2).id).end_state, "unknown");
}

// The file in which a call's end was told may go before the one in which it began, where another call still runs.
TEST_F(ShipperTest, takes_no_call_for_open_whose_end_the_store_has) {
  {
    Process process(files, "dead", 2000);
    CoreJournal& core = process.journal->core(0);
    RequestRecord runs = call(1);
    core.opened(runs);
    RequestRecord ends = call(2);
    core.opened(ends);
    for (int number = 3; number <= 40; ++number) {
      if (number == 20) {
        close(core, ends);
      } else {
        close(core, call(number));
      }
      process.maintain();
      process.ship(store);
    }
    ASSERT_EQ(core.segments().front()->number, 1U);
    ASSERT_EQ(store.calls.size(), 38U);
    files.kill();
  }
  Process next(files, "next");
  const auto recovered = next.shipper->recover(store);
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
  EXPECT_EQ(recovered->unknown, 1U);
  EXPECT_EQ(store.calls.at(call(1).id).end_state, "unknown");
  EXPECT_EQ(store.calls.at(call(2).id).end_state, "complete");
}

TEST_F(ShipperTest, leaves_the_journal_of_a_living_process_alone) {
  const Process other(files, "other");
  RequestRecord record = call(1);
  other.journal->core(0).opened(record);
  Process process(files, "one");
  const auto recovered = process.shipper->recover(store);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(recovered->calls, 0U);
  EXPECT_TRUE(process.shipper->others_live());
  EXPECT_EQ(files.list("data/journal"), (std::vector<std::string>{"one", "other"}));
}

// Calls open, end, fail over; segments turn; the store refuses at times; the process is killed at a moment that the
// seed chooses, in the middle of a recovery too. In the end each call is in the store once, with as many attempts as
// were begun, and only those that were open are unknown.
TEST_F(ShipperTest, accounts_for_every_call_once_whenever_the_process_is_killed) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SimulatedFiles disk(seed);
    MoodyStore books;
    ASSERT_TRUE(disk.make_directory("data").has_value());
    Random random(seed);
    std::map<std::string, RequestRecord> running;
    std::map<std::string, std::size_t> attempts;
    std::map<std::string, std::string> expected;  // of those that ended
    std::set<std::string> killed;
    int number = 0;
    for (int life = 0; life < 4; ++life) {
      Process process(disk, fmt::format("life-{}", life), 1500 + random.below(4000));
      const std::uint64_t steps = random.below(60);
      for (std::uint64_t step = 0; step < steps; ++step) {
        books.refuses = random.below(5) == 0;
        const auto core_of = [&](const std::string& id) -> CoreJournal& {
          return process.journal->core(static_cast<std::size_t>(id[12]) % 2);
        };
        switch (random.below(7)) {
          case 0:
          case 1: {
            RequestRecord begun = call(++number);
            core_of(begun.id).opened(begun);
            attempts[begun.id] = 1;
            running.emplace(begun.id, std::move(begun));
            process.maintain();  // before the next record: there is always a file that takes it
            break;
          }
          case 2:
            if (!running.empty()) {
              RequestRecord& record =
                  std::next(running.begin(), static_cast<std::ptrdiff_t>(random.below(running.size())))->second;
              record.attempts.back().end_state = EndState::upstream_error;
              record.attempts.emplace_back().target = "b/y";
              ++attempts[record.id];
              core_of(record.id).opened(record);
              process.maintain();
            }
            break;
          case 3:
            if (!running.empty()) {
              const auto at = std::next(running.begin(), static_cast<std::ptrdiff_t>(random.below(running.size())));
              close(core_of(at->first), at->second);
              expected.emplace(at->first, kept(ended(at->second)));
              running.erase(at);
              process.maintain();
            }
            break;
          case 4: process.maintain(); break;
          case 5: static_cast<void>(process.shipper->ship(books)); break;
          default:
            if (random.below(3) == 0) {
              disk.fail_operation(1 + random.below(20));  // somewhere in the recovery
            }
            if (const auto recovered = process.shipper->recover(books)) {
              ASSERT_EQ(recovered->unusable, 0U);
            }
            ASSERT_TRUE(process.shipper->take_damaged().empty()) << "seed " << seed;
            disk.fail_operation(0);
            break;
        }
      }
      disk.kill();
      for (const auto& [id, record] : running) {
        killed.insert(id);
      }
      running.clear();
    }
    books.refuses = false;
    Shipper last(disk, nullptr, {.directory = "data/journal"});
    ASSERT_TRUE(last.recover(books).has_value());
    ASSERT_TRUE(last.take_damaged().empty()) << "seed " << seed;
    ASSERT_EQ(books.calls.size(), attempts.size()) << "seed " << seed;
    for (const auto& [id, row] : books.calls) {
      ASSERT_EQ(row.attempts.size(), attempts.at(id)) << "seed " << seed << " " << id;
      ASSERT_EQ(row.end_state, killed.contains(id) ? "unknown" : "complete") << "seed " << seed << " " << id;
      ASSERT_TRUE(killed.contains(id) || books.as_kept.at(id) == expected.at(id)) << books.as_kept.at(id);
    }
    ASSERT_EQ(disk.list("data/journal"), std::vector<std::string>()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weir::ledger

#include "ledger/request_ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir::ledger {
namespace {

RecordPtr record_of(std::string id) {
  auto record = std::make_shared<RequestRecord>();
  record->id = std::move(id);
  return record;
}

TEST(RequestRing, finds_by_id_and_the_newest_as_last) {
  RequestRing ring(3);
  EXPECT_EQ(ring.find("last"), nullptr);
  EXPECT_EQ(ring.find("a"), nullptr);
  ring.record(record_of("a"));
  ring.record(record_of("b"));
  ASSERT_NE(ring.find("a"), nullptr);
  EXPECT_EQ(ring.find("a")->id, "a");
  EXPECT_EQ(ring.find("last")->id, "b");
  EXPECT_EQ(ring.find("c"), nullptr);
}

TEST(RequestRing, lists_the_last_with_the_newest_first) {
  RequestRing ring(3);
  EXPECT_TRUE(ring.last(2).empty());
  const auto ids = [&](std::size_t most) {
    std::string ids;
    for (const RecordPtr& record : ring.last(most)) {
      ids += record->id;
    }
    return ids;
  };
  ring.record(record_of("a"));
  EXPECT_EQ(ids(9), "a");
  for (const char* id : {"b", "c", "d"}) {
    ring.record(record_of(id));
  }
  EXPECT_EQ(ids(9), "dcb");
  EXPECT_EQ(ids(2), "dc");
}

TEST(RequestRing, may_be_told_to_keep_fewer_before_there_are_any) {
  RequestRing ring(1000);
  ring.set_capacity(2);
  EXPECT_EQ(ring.capacity(), 2U);
  for (const char* id : {"a", "b", "c"}) {
    ring.record(record_of(id));
  }
  EXPECT_EQ(ring.find("a"), nullptr);
  EXPECT_EQ(ring.all().size(), 2U);
}

TEST(RequestRing, forgets_the_oldest_and_frees_it) {
  RequestRing ring(2);
  RecordPtr first = record_of("first");
  const std::weak_ptr<const RequestRecord> watched = first;
  ring.record(std::move(first));
  ring.record(record_of("b"));
  EXPECT_FALSE(watched.expired());
  ring.record(record_of("c"));
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(ring.find("first"), nullptr);
  EXPECT_EQ(ring.find("b")->id, "b");
  EXPECT_EQ(ring.find("last")->id, "c");
}

TEST(RequestRing, a_record_that_was_found_lives_on_while_others_push_it_out) {
  RequestRing ring(8);
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&ring, &stop, writer] {
      int i = 0;
      do {  // at least once, however late this thread begins
        ring.record(record_of(std::to_string(writer) + "-" + std::to_string(i++ % 50)));
      } while (!stop);
    });
  }
  std::size_t found = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (const RecordPtr record = ring.find(i % 2 == 0 ? "last" : "1-7")) {
      EXPECT_FALSE(record->id.empty());
      ++found;
    }
  }
  stop = true;
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_GT(found + (ring.find("last") != nullptr ? 1U : 0U), 0U);
}

}  // namespace
}  // namespace weir::ledger

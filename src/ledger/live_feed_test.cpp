#include "ledger/live_feed.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "platform/sim/simulated_world.hpp"

namespace weir::ledger {
namespace {

using namespace std::chrono_literals;

class LiveFeedTest : public testing::Test {
 protected:
  LiveFeedTest() {
    a_.id = "a";
    b_.id = "b";
    hub_.add(first_, first_feed_);
    hub_.add(second_, second_feed_);
  }
  void let_run() {
    world_.run_until([] { return false; }, world_.now() + 10ms);
  }
  std::shared_ptr<LiveWatcher> watch() {
    auto watcher = hub_.watch(first_);
    let_run();
    return watcher;
  }
  /// "began req_1", one for each event that is queued.
  static std::vector<std::string> steps(LiveWatcher& watcher) {
    std::vector<LiveEvent> events;
    watcher.take(events);
    std::vector<std::string> steps;
    for (const LiveEvent& event : events) {
      const std::size_t data = event->find("data: ");
      const boost::json::object object = boost::json::parse(event->substr(data + 6)).as_object();
      EXPECT_TRUE(event->ends_with("}\n\n"));
      steps.push_back(event->starts_with("event: call\n")
                          ? std::string(object.at("step").as_string()) + " " +
                                std::string(object.at("call").at("id").as_string())
                          : event->substr(7, event->find('\n') - 7) + " " + boost::json::serialize(object));
    }
    return steps;
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& first_ = world_.add_loop("10.0.0.1");
  platform::SimulatedLoop& second_ = world_.add_loop("10.0.0.1");
  LiveFeed first_feed_;
  LiveFeed second_feed_;
  LiveHub hub_;
  RequestRecord a_;
  RequestRecord b_;
};

TEST_F(LiveFeedTest, who_begins_to_watch_hears_first_what_runs_on_every_core) {
  LiveCall a(first_feed_, a_, first_, first_.now());
  a.note(LiveStep::began);  // nobody hears it
  LiveCall b(second_feed_, b_, second_, second_.now());
  const auto watcher = watch();
  EXPECT_EQ(watcher->cores_attached(), hub_.cores());
  auto heard = steps(*watcher);
  std::ranges::sort(heard);
  EXPECT_EQ(heard, (std::vector<std::string>{"running a", "running b"}));
  b.note(LiveStep::connected);
  b.ended();
  a.note(LiveStep::first_content);
  EXPECT_EQ(steps(*watcher), (std::vector<std::string>{"connected b", "ended b", "first_content a"}));
  const auto later = watch();
  EXPECT_EQ(steps(*later), std::vector<std::string>{"running a"}) << "b has ended";
}

TEST_F(LiveFeedTest, who_left_hears_nothing_and_the_next_may_come) {
  std::vector<std::shared_ptr<LiveWatcher>> watchers;
  for (int one = 0; one < LiveHub::watchers_max; ++one) {
    watchers.push_back(watch());
    ASSERT_NE(watchers.back(), nullptr);
  }
  EXPECT_EQ(watch(), nullptr);
  EXPECT_EQ(hub_.watchers(), LiveHub::watchers_max);
  for (const auto& watcher : watchers) {
    hub_.leave(watcher);
  }
  let_run();
  EXPECT_FALSE(first_feed_.watched());
  EXPECT_EQ(hub_.watchers(), 0);
  LiveCall a(first_feed_, a_, first_, first_.now());
  a.note(LiveStep::began);
  EXPECT_TRUE(steps(*watchers.front()).empty());
  EXPECT_NE(watch(), nullptr);
}

TEST_F(LiveFeedTest, a_slow_watcher_loses_events_and_is_told_how_many) {
  const auto slow = watch();
  const auto quick = watch();
  LiveCall a(first_feed_, a_, first_, first_.now());
  std::vector<LiveEvent> events;
  for (std::size_t event = 0; event < LiveWatcher::events_max + 3; ++event) {
    a.note(LiveStep::attempt_began);
    quick->take(events);
  }
  EXPECT_EQ(events.size(), LiveWatcher::events_max + 3) << "one slow watcher costs the others nothing";
  events.clear();
  EXPECT_EQ(slow->take(events).lost, 3U);
  EXPECT_EQ(events.size(), LiveWatcher::events_max);
  EXPECT_EQ(slow->take(events).lost, 0U) << "told once";
  EXPECT_EQ(hub_.lost(), 3U);
  a.note(LiveStep::answered);
  EXPECT_EQ(steps(*slow), std::vector<std::string>{"answered a"});
}

TEST_F(LiveFeedTest, progress_is_told_five_times_a_second_at_most) {
  const auto watcher = watch();
  LiveCall a(first_feed_, a_, first_, first_.now());
  for (int millisecond = 0; millisecond < 1000; ++millisecond) {
    a.progress(first_.now() + std::chrono::milliseconds(millisecond));
  }
  EXPECT_EQ(steps(*watcher).size(), 5U);
}

TEST_F(LiveFeedTest, of_very_many_that_run_the_newest_are_listed_and_the_others_counted) {
  std::vector<std::unique_ptr<RequestRecord>> records;
  std::vector<std::unique_ptr<LiveCall>> calls;
  for (std::size_t call = 0; call < LiveFeed::listed_max + 7; ++call) {
    records.push_back(std::make_unique<RequestRecord>());
    records.back()->id = std::to_string(call);
    calls.push_back(std::make_unique<LiveCall>(first_feed_, *records.back(), first_, first_.now()));
  }
  const auto heard = steps(*watch());
  ASSERT_EQ(heard.size(), LiveFeed::listed_max + 1);
  EXPECT_EQ(heard.front(), "running 7") << "in the order in which they began";
  EXPECT_EQ(heard[LiveFeed::listed_max - 1], "running " + std::to_string(LiveFeed::listed_max + 6));
  EXPECT_EQ(heard.back(), R"(unlisted {"running":7})");
}

TEST_F(LiveFeedTest, a_gateway_that_stops_tells_those_who_watch_and_those_who_come) {
  const auto watcher = watch();
  first_feed_.close();
  std::vector<LiveEvent> events;
  EXPECT_TRUE(watcher->take(events).closed);
  EXPECT_TRUE(watch()->take(events).closed);
}

TEST_F(LiveFeedTest, a_call_is_found_on_whatever_core_it_runs_and_until_its_record_is_handed_over) {
  const auto found = [&](const std::string& id) {
    std::optional<bool> answer;
    hub_.find(first_, id, [&](bool is_there) { answer = is_there; });
    let_run();
    EXPECT_TRUE(answer.has_value()) << id;
    return answer.value_or(false);
  };
  EXPECT_FALSE(found("last"));
  LiveCall a(first_feed_, a_, first_, first_.now());
  LiveCall b(second_feed_, b_, second_, second_.now());
  EXPECT_TRUE(found("a"));
  EXPECT_TRUE(found("b"));
  EXPECT_TRUE(found("last"));
  EXPECT_FALSE(found("c"));
  a.ended();
  EXPECT_FALSE(found("a"));
  {
    const AwaitedRecord counted(second_feed_, b_);
    b.ended();
    EXPECT_TRUE(found("b"));
  }
  EXPECT_FALSE(found("b"));
  EXPECT_FALSE(found("last"));
}

}  // namespace
}  // namespace weir::ledger

// Lists of models in simulated time: remembered, fetched beside the request, never waited for twice.
#include "gateway/model_directory.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "ledger/test_sink.hpp"
#include "observe/metric_names.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

/// Answers with what it is told, after a while.
class Lister final : public providers::Provider {
 public:
  class Reply final : public providers::UpstreamReply {
   public:
    Reply(int status, std::string body) : status_(status), body_(std::move(body)) {}
    [[nodiscard]] int status() const override { return status_; }
    [[nodiscard]] const http::Headers& headers() const override { return headers_; }
    [[nodiscard]] bool ended() const override { return read_; }
    [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override { return std::nullopt; }
    void finish() override {}
    Task<Result<std::string_view>> read(platform::Until) override {
      co_return std::exchange(read_, true) ? std::string_view() : std::string_view(body_);
    }

   private:
    int status_;
    std::string body_;
    http::Headers headers_;
    bool read_ = false;
  };

  explicit Lister(platform::Loop& loop) : loop_(loop) {}
  Task<Result<std::unique_ptr<providers::UpstreamReply>>> send(const providers::UpstreamRequest& request,
                                                               providers::UpstreamFacts&,
                                                               platform::Until until) override {
    ++asked;
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path, "/models");
    if (throws) {
      throw std::runtime_error("a library gave up");
    }
    if (co_await platform::sleep(loop_, until.at_most(loop_.now() + takes)) == platform::Wake::cancelled) {
      co_return fail(Code::cancelled, "cancelled");
    }
    if (until.deadline <= loop_.now()) {
      co_return fail(Code::timeout, "too late");
    }
    co_return std::make_unique<Reply>(status, body);
  }
  void conceal(std::string&) const override {}
  void collect(observe::MetricShard&) const override {}
  Task<void> close() override { co_return; }

  int asked = 0;
  int status = 200;
  std::string body = R"({"data":[{"id":"a"}]})";
  platform::Duration takes = 100ms;
  bool throws = false;

 private:
  platform::Loop& loop_;
};

class Directory : public testing::Test {
 protected:
  Directory() {
    auto snapshot = std::make_shared<gateway::Snapshot>();
    snapshot->providers = {{"quick", quick_}, {"slow", slow_}};
    core_.snapshot = std::move(snapshot);
  }
  ~Directory() override {
    loop_.post([this] { core_.background.cancel(); });
    world_.run_until([&] { return core_.background.size() == 0; }, world_.now() + 1h);
  }

  Task<void> ask(std::vector<std::string> names, ModelDirectory::Lists& lists) {
    lists = co_await directory_.lists(core_, std::move(names), {world_.now() + 1h, nullptr});
  }
  struct Answer {
    ModelDirectory::Lists lists;
    platform::Duration took{};
  };
  Answer ask(std::vector<std::string> names) {
    Answer answer;
    const platform::Instant began = world_.now();
    const platform::Running running(loop_, ask(std::move(names), answer.lists));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
    answer.took = world_.now() - began;
    return answer;
  }
  void wait(platform::Duration time) {
    const platform::Instant until = world_.now() + time;
    const platform::Running sleeping(loop_, sleep_until(until));
    world_.run_until([&] { return sleeping.done(); }, until + 1h);
  }
  Task<void> sleep_until(platform::Instant at) { static_cast<void>(co_await platform::sleep(loop_, {at, nullptr})); }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  ledger::TestSink nothing_;
  std::shared_ptr<Lister> quick_ = std::make_shared<Lister>(loop_);
  std::shared_ptr<Lister> slow_ = std::make_shared<Lister>(loop_);
  gateway::Core core_{
      .loop = loop_, .snapshot = {}, .records = nothing_, .log = nothing_, .tees = {}, .relay = {}, .metrics = {}};
  ModelDirectory directory_;
};

TEST_F(Directory, the_first_ask_waits_and_the_next_ones_do_not) {
  const Answer first = ask({"quick"});
  EXPECT_EQ(first.took, 100ms);
  ASSERT_TRUE(first.lists.contains("quick"));
  EXPECT_EQ(first.lists.find("quick")->second->front().id, "a");
  EXPECT_EQ(ask({"quick"}).took, 0ms);
  EXPECT_EQ(quick_->asked, 1);
  EXPECT_EQ(ask({"nobody"}).lists.size(), 0);
}

TEST_F(Directory, an_old_list_is_given_while_a_new_one_is_fetched) {
  ask({"quick"});
  quick_->body = R"({"data":[{"id":"b"}]})";
  wait(5min);
  const Answer old = ask({"quick"});
  EXPECT_EQ(old.took, 0ms);
  EXPECT_EQ(old.lists.find("quick")->second->front().id, "a");
  ask({"quick"});
  EXPECT_EQ(quick_->asked, 2) << "one fetch at a time";
  wait(200ms);
  EXPECT_EQ(ask({"quick"}).lists.find("quick")->second->front().id, "b");
}

TEST_F(Directory, one_that_hangs_is_waited_for_once) {
  slow_->takes = 1h;
  const Answer first = ask({"quick", "slow"});
  EXPECT_EQ(first.took, 2s);
  EXPECT_TRUE(first.lists.contains("quick"));
  EXPECT_FALSE(first.lists.contains("slow"));
  EXPECT_EQ(ask({"quick", "slow"}).took, 0ms);
  wait(9s);  // the fetch has been given up
  EXPECT_EQ(ask({"slow"}).took, 0ms);
  EXPECT_EQ(slow_->asked, 1) << "a failure is remembered too";
  wait(30s);
  ask({"slow"});
  EXPECT_EQ(slow_->asked, 2);
}

TEST_F(Directory, a_list_that_cannot_be_had_leaves_the_old_one) {
  ask({"quick"});
  quick_->status = 500;
  wait(5min);
  ask({"quick"});
  wait(1s);
  EXPECT_TRUE(ask({"quick"}).lists.contains("quick"));
  EXPECT_EQ(core_.metrics.cell(observe::metric::model_lists, {"quick", "ok"}).value, 1);
  EXPECT_EQ(core_.metrics.cell(observe::metric::model_lists, {"quick", "failed"}).value, 1);
}

TEST_F(Directory, another_configuration_begins_anew) {
  ask({"quick"});
  slow_->takes = 1s;
  ModelDirectory::Lists lists;
  const platform::Running asking(loop_, ask({"slow"}, lists));
  wait(100ms);
  directory_.forget();
  wait(3s);
  EXPECT_TRUE(asking.done());
  EXPECT_FALSE(lists.contains("slow")) << "that was the old one's answer";
  EXPECT_EQ(ask({"quick"}).took, 100ms);
  EXPECT_EQ(quick_->asked, 2);
}

TEST_F(Directory, an_exception_ends_one_fetch_only) {
  quick_->throws = true;
  EXPECT_FALSE(ask({"quick"}).lists.contains("quick"));
  quick_->throws = false;
  wait(30s);
  ask({"quick"});
  wait(1s);
  EXPECT_TRUE(ask({"quick"}).lists.contains("quick"));
}

}  // namespace
}  // namespace weir::gateway

// Tokens that a provider does not tell: counted beside the caller, or estimated.
#include "gateway/test_exchange.hpp"

namespace weir::gateway {
namespace {

/// Counts when it is told to.
class HeldCounting final : public tokens::Counting {
 public:
  bool submit(tokens::CountJob job, Abandoned abandoned, Done tell) override {
    jobs.push_back(std::move(job));
    abandoned_ = std::move(abandoned);
    tell_ = std::move(tell);
    return takes;
  }
  void count(std::optional<tokens::Count> count) { tell_(count); }
  [[nodiscard]] bool abandoned() const { return *abandoned_; }

  std::vector<tokens::CountJob> jobs;
  bool takes = true;

 private:
  Abandoned abandoned_;
  Done tell_;
};

class UncountedTest : public ExchangeTest {
 protected:
  UncountedTest() {
    a_model_ = "gpt-4o";
    use(once());
    core_.counting = &counting_;
  }
  ~UncountedTest() override {
    after(1ms, [&] { core_.background.cancel(); });
    world_.run_until([&] { return core_.background.size() == 0; }, world_.now() + 1min);
  }
  /// A call that ends for its caller, whose record may still wait.
  void run_for_caller(std::string_view more, bool stream = true) {
    start(more, "only-a", stream);
    world_.run_until([&] { return running_->done(); }, world_.now() + 1h);
    ASSERT_TRUE(running_->done());
  }
  void wait_for_record(Duration most) {
    world_.run_until([&] { return !log_.records.empty(); }, world_.now() + most);
    ASSERT_EQ(log_.records.size(), 1U);
  }
  /// Tokens in and out, as the metrics have them.
  [[nodiscard]] std::pair<double, double> metered() {
    return {core_.metrics.cell(observe::metric::tokens, {"a/gpt-4o", "input"}).value,
            core_.metrics.cell(observe::metric::tokens, {"a/gpt-4o", "output"}).value};
  }

  void again() {
    log_.records.clear();
    a_->asked_at.clear();
    sink_.emplace(loop_);
  }

  HeldCounting counting_;
  static constexpr std::string_view hi = R"(,"messages":[{"role":"user","content":"Hello"}])";
};

TEST_F(UncountedTest, a_stream_without_usage_is_counted_beside_the_caller_and_then_recorded) {
  a_->scripts = {stream_of({role, hello, hello, stop, done})};
  run_for_caller(hi);
  EXPECT_EQ(sink_->body, role + hello + hello + stop + done);
  EXPECT_TRUE(log_.records.empty()) << "it waits for its count";
  ASSERT_EQ(counting_.jobs.size(), 1U);
  EXPECT_EQ(counting_.jobs[0].encoding, tokens::Encoding::o200k_base);
  EXPECT_TRUE(counting_.jobs[0].request.contains("Hello"));
  EXPECT_EQ(counting_.jobs[0].texts, std::vector<std::string>{"hellohello"});
  counting_.count(tokens::Count{.input = 8, .output = 5});
  wait_for_record(1s);
  EXPECT_EQ(record().usage.input_tokens, 8);
  EXPECT_EQ(record().usage.output_tokens, 5);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::counted);
  EXPECT_EQ(record().attempts[0].usage_source, ledger::UsageSource::counted);
  EXPECT_EQ(metered(), std::pair(8.0, 5.0));
}

TEST_F(UncountedTest, a_stream_with_an_empty_text_is_counted_as_the_whole_answer_is) {
  a_->scripts = {stream_of({role, stop, done})};
  run_for_caller(hi);
  EXPECT_EQ(sink_->body, role + stop + done);
  ASSERT_EQ(counting_.jobs.size(), 1U);
  EXPECT_TRUE(counting_.jobs[0].texts.empty());
  counting_.count(tokens::Count{.input = 8, .output = 0});
  wait_for_record(1s);
  EXPECT_EQ(record().usage.output_tokens, 0);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::counted);

  again();
  const std::string tool = chunk(R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function",)"
                                 R"("function":{"name":"f","arguments":""}}]},"finish_reason":null})");
  a_->scripts = {stream_of({role, tool, stop, done})};
  run(hi, "only-a");
  EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated) << "it was no text alone";
  EXPECT_EQ(counting_.jobs.size(), 1U);
}

TEST_F(UncountedTest, a_whole_answer_without_usage_is_counted_too) {
  a_->scripts = {whole(200, reply_body)};
  run_for_caller(hi, false);
  ASSERT_EQ(counting_.jobs.size(), 1U);
  EXPECT_EQ(counting_.jobs[0].reply, reply_body);
  counting_.count(tokens::Count{.input = 8, .output = 1, .exact = false});
  wait_for_record(1s);
  EXPECT_EQ(record().usage.output_tokens, 1);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated) << "something in it cannot be counted exactly";
}

TEST_F(UncountedTest, the_estimate_stands_where_the_count_does_not_come) {
  const auto expect_estimate = [&] {
    EXPECT_EQ(record().usage.input_tokens, 3 + 3 + 1 + 2);
    EXPECT_EQ(record().usage.output_tokens, 2);
    EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated);
  };
  {
    SCOPED_TRACE("too late");
    a_->scripts = {stream_of({role, hello, stop, done})};
    run_for_caller(hi);
    wait_for_record(6s);
    expect_estimate();
    EXPECT_TRUE(counting_.abandoned());
    EXPECT_EQ(metered(), std::pair(9.0, 2.0));
    counting_.count(tokens::Count{.input = 1, .output = 1});  // nobody listens any more
    world_.run_until([] { return false; }, world_.now() + 1s);
    expect_estimate();
    EXPECT_EQ(log_.records.size(), 1U);
  }
  {
    SCOPED_TRACE("too much waits");
    again();
    counting_.takes = false;
    a_->scripts = {stream_of({role, hello, stop, done})};
    run_for_caller(hi);
    wait_for_record(0s);
    expect_estimate();
  }
  {
    SCOPED_TRACE("the gateway stops");
    again();
    counting_.takes = true;
    a_->scripts = {stream_of({role, hello, stop, done})};
    run_for_caller(hi);
    EXPECT_TRUE(log_.records.empty());
    after(1ms, [&] { core_.background.cancel(); });
    wait_for_record(1s);
    expect_estimate();
    EXPECT_TRUE(counting_.abandoned());
  }
}

TEST_F(UncountedTest, what_a_caller_left_in_the_middle_is_estimated) {
  a_->scripts = {stream_of({role, hello, hello}, true)};
  start(hi, "only-a");
  after(1s, [&] { caller_leaves(); });
  finish();
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_EQ(record().usage.output_tokens, 3);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated);
  EXPECT_TRUE(counting_.jobs.empty()) << "the provider may have gone on";
}

TEST_F(UncountedTest, what_cannot_be_counted_exactly_is_estimated_at_once) {
  a_model_ = "llama-3";
  use(once());
  a_->scripts = {stream_of({role, hello, stop, done})};
  run(hi, "only-a");
  EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated);
  EXPECT_TRUE(counting_.jobs.empty());

  // Nothing was used, as far as anybody knows.
  again();
  a_->scripts = {whole(500, "{}")};
  run(hi, "only-a", false);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::none);
}

TEST_F(UncountedTest, of_a_provider_that_tells_usage_no_text_is_kept) {
  const std::string usage = chunk("", R"(,"usage":{"prompt_tokens":3,"completion_tokens":5})");
  a_->scripts = {stream_of({role, hello, stop, usage, done})};
  run(hi, "only-a");
  EXPECT_EQ(record().usage_source, ledger::UsageSource::provider);
  EXPECT_TRUE(a_->tells_stream_usage());
  again();
  a_->scripts = {stream_of({role, hello, stop, done})};
  run(hi, "only-a");
  EXPECT_EQ(record().usage_source, ledger::UsageSource::estimated) << "this once; the next is counted";
  EXPECT_FALSE(a_->tells_stream_usage());
}

}  // namespace
}  // namespace weir::gateway

// Whole calls against scripted providers in simulated time: how they end, what is tried, what the record says.
#include "gateway/exchange.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "dialects/openai/errors.hpp"
#include "observe/metric_names.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "routing/target_state.hpp"

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using platform::Duration;
using platform::Instant;

/// What one upstream call brings.
struct Piece {
  Duration after{};
  std::string bytes;
  std::optional<Code> error{};
};
struct Scripted {
  std::optional<Code> refused{};  // no answer at all
  Duration head_after{};
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::vector<Piece> pieces{};
  bool stays_open = false;  // after the last piece nothing comes; else the body ends there
  bool throws = false;
  bool connects = false;  // and says so when it does
  providers::UpstreamFacts facts{};
};

Scripted stream_of(std::vector<std::string> events, bool stays_open = false) {
  Scripted scripted{.headers = {{"content-type", "text/event-stream"}}, .stays_open = stays_open};
  for (std::string& event : events) {
    scripted.pieces.push_back({.after = 5ms, .bytes = std::move(event)});
  }
  return scripted;
}
Scripted whole(int status, std::string body) {
  return {.status = status, .headers = {{"content-type", "application/json"}}, .pieces = {{.bytes = std::move(body)}}};
}

class ScriptedReply final : public providers::UpstreamReply {
 public:
  ScriptedReply(platform::Loop& loop, Scripted script, int& alive)
      : loop_(loop), script_(std::move(script)), alive_(alive) {
    ++alive_;
    for (const auto& [name, value] : script_.headers) {
      headers_.add(name, value);
    }
  }
  ScriptedReply(const ScriptedReply&) = delete;
  ScriptedReply& operator=(const ScriptedReply&) = delete;
  ~ScriptedReply() override { --alive_; }
  [[nodiscard]] int status() const override { return script_.status; }
  [[nodiscard]] const http::Headers& headers() const override { return headers_; }
  [[nodiscard]] bool ended() const override { return next_ == script_.pieces.size() && !script_.stays_open; }
  [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override { return std::nullopt; }
  void finish() override {}
  Task<Result<std::string_view>> read(platform::Until until) override {
    if (ended()) {
      co_return std::string_view();
    }
    const bool over = next_ == script_.pieces.size();
    const Instant due = over ? platform::never : loop_.now() + script_.pieces[next_].after;
    if (over || due > loop_.now()) {
      const platform::Wake wake = co_await platform::sleep(loop_, until.at_most(due));
      if (wake == platform::Wake::cancelled || loop_.now() < due) {
        co_return fail(platform::code_of(wake), "the wait ended");
      }
    }
    const Piece& piece = script_.pieces[next_++];
    if (piece.error) {
      co_return fail(*piece.error, "it broke");
    }
    co_return std::string_view(piece.bytes);
  }

 private:
  platform::Loop& loop_;
  Scripted script_;
  int& alive_;
  http::Headers headers_;
  std::size_t next_ = 0;
};

class ScriptedProvider final : public providers::Provider {
 public:
  explicit ScriptedProvider(platform::Loop& loop) : loop_(loop) {}
  Task<Result<std::unique_ptr<providers::UpstreamReply>>> send(const providers::UpstreamRequest& request,
                                                               providers::UpstreamFacts& facts,
                                                               platform::Until until) override {
    asked_at.push_back(loop_.now());
    fresh.push_back(request.fresh_connection);
    bodies.emplace_back();
    for (const std::string_view slice : request.body) {
      bodies.back() += slice;
    }
    EXPECT_FALSE(scripts.empty()) << "asked more often than the test expects";
    Scripted script = std::move(scripts.front());
    scripts.pop_front();
    facts = script.facts;
    if (script.connects) {
      facts.connected = loop_.now();
      request.on_connected(loop_.now());
    }
    if (script.head_after > 0ns) {
      const platform::Wake wake = co_await platform::sleep(loop_, until.at_most(loop_.now() + script.head_after));
      if (wake == platform::Wake::cancelled) {
        co_return fail(Code::cancelled, "cancelled");
      }
      if (until.deadline <= loop_.now()) {
        co_return fail(Code::timeout, "no answer came in time");
      }
    }
    if (script.throws) {
      throw std::runtime_error("a library gave up");
    }
    if (script.refused) {
      co_return fail(*script.refused, "it did not answer");
    }
    co_return std::make_unique<ScriptedReply>(loop_, std::move(script), alive);
  }
  void conceal(std::string&) const override {}
  void collect(observe::MetricShard&) const override {}
  Task<void> close() override { co_return; }

  std::deque<Scripted> scripts;
  std::vector<Instant> asked_at;
  std::vector<bool> fresh;
  std::vector<std::string> bodies;
  int alive = 0;
  openai::Prefill prefill = openai::Prefill::none;
  [[nodiscard]] const providers::Quirks& quirks() const override {
    quirks_.prefill = prefill;
    return quirks_;
  }

 private:
  platform::Loop& loop_;
  mutable providers::Quirks quirks_;
};

/// What the caller saw.
class SeenSink final : public ReplySink {
 public:
  explicit SeenSink(platform::Loop& loop) : loop_(loop) {}
  void head(const ReplyHead& head) override {
    status = head.status;
    for (const http::Header& header : head.passing) {
      headers.emplace_back(header.name, header.value);
    }
    for (const auto& [name, value] : head.headers) {
      headers.emplace_back(name, value);
    }
  }
  Task<Outcome> events(std::span<const std::string_view> events) override {
    for (const std::string_view event : events) {
      body += event;
    }
    head_sent = true;
    last_event = loop_.now();
    most_at_once = std::max(most_at_once, ++at_once_);
    if (takes > 0ns) {
      stalled_ += takes;
      co_await platform::sleep(loop_, {.deadline = loop_.now() + takes});
    }
    --at_once_;
    co_return outcome();
  }
  Task<Outcome> end(std::string_view last) override {
    body += last;
    ended = loop_.now();
    co_return outcome();
  }
  Task<Outcome> error(const Failure& failure) override {
    errors.push_back(failure.error);
    reply = failure.reply;
    retry_after = failure.retry_after_seconds;
    if (!head_sent) {
      status = openai::shape_of(failure.error.code).status;
    }
    co_return outcome();
  }
  [[nodiscard]] Duration stalled() const override { return stalled_; }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return body.size(); }

  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool head_sent = false;
  Instant last_event{};
  std::optional<Instant> ended;
  std::vector<Error> errors;
  std::string reply;  // in place of the last of them
  int most_at_once = 0;
  std::optional<int> retry_after;
  Duration takes{};      // for each delivery
  bool is_gone = false;  // takes nothing more

 private:
  [[nodiscard]] Outcome outcome() const { return is_gone ? Outcome(std::unexpected(Code::reset)) : Outcome(); }
  platform::Loop& loop_;
  Duration stalled_{};
  int at_once_ = 0;
};

class SilentLog final : public observe::Log, public ledger::RecordSink {
 public:
  void message(observe::Level, std::string_view, std::string) override {}
  void record(ledger::RecordPtr record) override { records.push_back(std::move(record)); }
  void request(std::shared_ptr<const observe::LogLine>) override {}
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
  std::vector<ledger::RecordPtr> records;
};

const Endpoint endpoint{.method = "POST",
                        .path = "/v1/chat/completions",
                        .upstream_path = "/chat/completions",
                        .operation = &openai::chat_completion,
                        .summary = ""};

std::string chunk(std::string_view choice, std::string_view tail = {}) {
  return fmt::format("data: {{\"id\":\"c\",\"choices\":[{}]{}}}\n\n", choice, tail);
}
const std::string role = chunk(R"({"index":0,"delta":{"role":"assistant"},"finish_reason":null})");
const std::string hello = chunk(R"({"index":0,"delta":{"content":"hello"},"finish_reason":null})");
const std::string stop = chunk(R"({"index":0,"delta":{},"finish_reason":"stop"})");
const std::string done = "data: [DONE]\n\n";
const std::string alive = ": keep-alive\n\n";
const std::string reply_body =
    R"({"id":"c","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}]})";

class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() {
    for (const std::string name : {"a", "b"}) {
      auto provider = std::make_shared<ScriptedProvider>(loop_);
      (name == "a" ? a_ : b_) = provider.get();
      providers_.emplace(name, std::move(provider));
    }
    use({});
  }
  void use(routing::Retry retry, routing::Timeouts timeouts = {}) {
    auto snapshot = std::make_shared<Snapshot>(Snapshot{.models = {}, .providers = providers_});
    routing::ModelPolicy policy{.name = "smart", .steps = {}, .timeouts = timeouts, .retry = retry};
    for (const std::string name : {"a", "b"}) {
      policy.steps.push_back({.any_of = {{.provider = name,
                                          .model = name == "a" ? a_model_ : name + "-model",
                                          .timeouts = timeouts,
                                          .retry = retry,
                                          .recovery = recovery_,
                                          .off = {}}}});
    }
    snapshot->models.exact.emplace("smart", policy);
    policy.steps.pop_back();
    snapshot->models.exact.emplace("only-a", std::move(policy));
    core_.snapshot = std::move(snapshot);
  }
  static constexpr routing::Retry once() { return {.attempts = 1}; }

  Task<void> call(std::string body) {
    auto request = openai::read_chat_request(body);
    EXPECT_TRUE(request.has_value());
    Call call{.endpoint = endpoint,
              .id = "req_1",
              .body = body,
              .request = *request,
              .headers = {},
              .query = {},
              .client = "10.0.0.2:1",
              .client_request_id = {},
              .trace = std::nullopt,
              .mock = {},
              .principal = {},
              .started = loop_.now(),
              .received = loop_.now()};
    Exchange exchange(core_, call, *sink_, end_);
    try {
      co_await exchange.run();
    } catch (const std::exception& failure) {
      thrown_ = failure.what();
    }
  }
  /// Runs one call to its end; `events` happen meanwhile.
  void run(std::string_view more = {}, std::string_view model = "smart", bool stream = true) {
    start(more, model, stream);
    finish();
  }
  void start(std::string_view more = {}, std::string_view model = "smart", bool stream = true) {
    began_ = world_.now();
    running_ = std::make_unique<platform::Running>(
        loop_, call(fmt::format(R"({{"model":"{}","stream":{}{}{}}})", model, stream,
                                more.contains("messages") ? "" : R"(,"messages":[])", more)));
  }
  void finish() {
    world_.run_until([&] { return running_->done(); }, world_.now() + 1h);
    ASSERT_TRUE(running_->done());
    ASSERT_EQ(log_.records.size(), 1U) << "each call leaves exactly one record";
    EXPECT_EQ(a_->alive + b_->alive, 0) << "each upstream call was given back";
    for (const ledger::AttemptRecord& attempt : record().attempts) {
      EXPECT_NE(attempt.end_state, ledger::EndState::open);
      EXPECT_TRUE(attempt.ended.has_value());
    }
    EXPECT_EQ(record().attempts.size(), a_->asked_at.size() + b_->asked_at.size());
    EXPECT_EQ(core_.metrics.cell(observe::metric::in_flight, {}).value, 0);
  }
  [[nodiscard]] const ledger::RequestRecord& record() const { return *log_.records.front(); }
  void after(Duration time, std::function<void()> work) {
    world_.schedule(world_.now() + time, loop_, std::move(work));
  }
  void caller_leaves() {
    end_.client_left = true;
    sink_->is_gone = true;
    end_.cancellation.cancel();
  }

  std::string a_model_ = "a-model";                                  // as use() has it
  routing::Recovery recovery_{.mode = routing::RecoveryMode::none};  // as use() has it
  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  SilentLog log_;
  Core core_{.loop = loop_, .snapshot = {}, .records = log_, .log = log_, .tees = {}, .relay = {}, .metrics = {}};
  Providers providers_;
  ScriptedProvider* a_ = nullptr;
  ScriptedProvider* b_ = nullptr;
  http::RequestEnd end_;
  std::optional<SeenSink> sink_{std::in_place, loop_};
  Instant began_{};
  std::optional<std::string> thrown_;
  std::unique_ptr<platform::Running> running_;
};

// Who watches.

TEST_F(ExchangeTest, who_watches_sees_every_step_when_it_happens_and_the_whole_record_at_the_end) {
  std::atomic<std::uint64_t> lost = 0;
  const auto watcher = std::make_shared<ledger::LiveWatcher>(loop_, lost);
  core_.live.attach(watcher, loop_.now());
  Scripted second = stream_of({role, hello, stop, done});
  second.connects = true;
  second.pieces[2].after = 300ms;
  a_->scripts = {{.refused = Code::refused}};
  b_->scripts = {second};
  use(once());
  start();
  std::vector<ledger::LiveEvent> events;
  after(20ms, [&] {
    watcher->take(events);
    EXPECT_FALSE(running_->done());
    EXPECT_NE(events.back()->find(R"("step":"first_content")"), std::string::npos) << "told while the call runs";
  });
  finish();
  watcher->take(events);
  std::string steps;
  for (const ledger::LiveEvent& event : events) {
    const std::size_t at = event->find(R"("step":")") + 8;
    steps += event->substr(at, event->find('"', at) - at) + " ";
  }
  EXPECT_EQ(
      steps,
      "began attempt_began attempt_ended attempt_began connected answered progress first_content progress ended ");
  EXPECT_NE(events.back()->find(ledger::to_json(record())), std::string::npos);
  core_.live.detach(*watcher);
}

// How streams end.

TEST_F(ExchangeTest, a_stream_passes_unchanged_and_ends_though_the_upstream_stays_open) {
  a_->scripts = {stream_of({role, hello, stop, done}, true)};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_TRUE(sink_->errors.empty());
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - sink_->last_event, 50ms);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().attempts.size(), 1U);
}

TEST_F(ExchangeTest, a_finish_reason_implies_the_terminator_that_does_not_come) {
  for (const bool stays_open : {true, false}) {
    log_.records.clear();
    a_->asked_at.clear();
    sink_->body.clear();
    a_->scripts = {stream_of({role, hello, stop}, stays_open)};
    run();
    EXPECT_EQ(sink_->body, role + hello + stop + done);
    ASSERT_TRUE(sink_->ended);
    EXPECT_LE(*sink_->ended - sink_->last_event, 50ms);
  }
}

TEST_F(ExchangeTest, heartbeats_after_the_finish_do_not_hold_the_caller) {
  std::vector<std::string> events{role, hello, stop};
  for (int i = 0; i < 10'000; ++i) {
    events.emplace_back(": ping\n\n");
  }
  a_->scripts = {stream_of(std::move(events), true)};
  run();
  const Instant finished = began_ + 15ms;  // three events, 5 ms apart
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - finished, 50ms);
  EXPECT_TRUE(sink_->body.ends_with(done));
}

TEST_F(ExchangeTest, events_without_end_after_the_finish_are_not_followed_for_ever) {
  std::vector<std::string> events{role, hello, stop};
  for (int i = 0; i < 10'000; ++i) {
    events.push_back(chunk(R"({"index":0,"delta":{},"finish_reason":null})"));
  }
  a_->scripts = {stream_of(std::move(events), true)};
  run();
  ASSERT_TRUE(sink_->ended);
  EXPECT_LE(*sink_->ended - began_, 1100ms);
}

TEST_F(ExchangeTest, choices_that_come_one_after_the_other_are_one_answer) {
  const std::string second =
      chunk(R"({"index":1,"delta":{"role":"assistant","content":"other"},"finish_reason":null})");
  const std::string second_stop = chunk(R"({"index":1,"delta":{},"finish_reason":"stop"})");
  Scripted slow = stream_of({role, hello, stop, second, second_stop, done});
  slow.pieces[3].after = 2s;
  a_->scripts = {slow};
  run(R"(,"n":2)");
  EXPECT_EQ(sink_->body, role + hello + stop + second + second_stop + done);
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(ExchangeTest, a_choice_that_never_came_makes_the_answer_broken) {
  a_->scripts = {stream_of({role, hello, stop})};
  run(R"(,"n":2)");
  EXPECT_EQ(sink_->body, role + hello + stop);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

TEST_F(ExchangeTest, whatever_breaks_after_content_ends_with_one_error_and_no_terminator) {
  const std::vector<Scripted> broken = [] {
    std::vector<Scripted> all;
    all.push_back(stream_of({role, hello}));  // ends
    all.push_back(stream_of({role, hello}));
    all.back().pieces.push_back({.bytes = {}, .error = Code::reset});
    all.push_back(stream_of({role, hello}));
    all.back().pieces.push_back({.bytes = {}, .error = Code::end_of_stream});
    all.push_back(stream_of({role, hello, "data: {\"choices\":\n\n", stop, done}));                       // malformed
    all.push_back(stream_of({role, hello, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n", done}));  // reported
    all.push_back(stream_of({role, hello, "data: {\"id\":\"c\",\"choi"}));  // within an event
    all.push_back(stream_of({role, hello}, true));                          // silence
    all.push_back(stream_of({role, hello, stop, "data: {\"error\":{\"message\":\"late\"}}\n\n", done}));
    all.push_back(stream_of({role, hello, "data: " + std::string(std::size_t{2} << 20, 'x')}));  // too large
    return all;
  }();
  for (std::size_t i = 0; i < broken.size(); ++i) {
    SCOPED_TRACE(i);
    log_.records.clear();
    a_->asked_at.clear();
    sink_.emplace(loop_);
    a_->scripts = {broken[i]};
    run();
    EXPECT_TRUE(sink_->body.starts_with(role + hello));
    EXPECT_EQ(sink_->body.find("[DONE]"), std::string::npos);
    EXPECT_FALSE(sink_->ended);
    EXPECT_EQ(sink_->errors.size(), 1U);
    EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
    EXPECT_EQ(record().attempts.size(), 1U) << "nothing is tried again after content";
    EXPECT_EQ(record().attempts.back().end_state, ledger::EndState::upstream_error);
    EXPECT_FALSE(record().error_code.empty());
  }
}

// A stream that breaks off, and another answer that goes on with it.

std::string said(std::string_view id, std::string_view raw, std::string_view field = "content") {
  return fmt::format(
      "data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{\"{}\":\"{}\"}},\"finish_reason\":null}}]}}\n\n",
      id, field, raw);
}
std::string said_role(std::string_view id) {
  return fmt::format("data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\"}}}}]}}\n\n",
                     id);
}
std::string said_stop(std::string_view id) {
  return fmt::format(
      "data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n", id);
}

class RecoveryTest : public ExchangeTest {
 protected:
  RecoveryTest() { use_recovery({}); }
  void use_recovery(routing::Recovery recovery, routing::Retry retry = once(), routing::Timeouts timeouts = {}) {
    recovery_ = recovery;
    use(retry, timeouts);
  }
  [[nodiscard]] double recoveries(std::string_view how, std::string_view outcome) {
    return core_.metrics.cell(observe::metric::recoveries, {how, outcome}).value;
  }
  void again() {
    log_.records.clear();
    for (ScriptedProvider* provider : {a_, b_}) {
      provider->asked_at.clear();
      provider->bodies.clear();
    }
    sink_.emplace(loop_);
  }
  const Scripted rest_ =
      stream_of({said_role("b"), said("b", "Hel"), said("b", "lo wor"), said("b", "ld"), said_stop("b"), done});
};

TEST_F(RecoveryTest, another_target_goes_on_where_it_has_repeated_what_left_whatever_broke) {
  const std::string left = said_role("a") + said("a", "Hello") + said("a", " w");
  std::vector<Scripted> broken(6, stream_of({said_role("a"), said("a", "Hello"), said("a", " w")}));
  broken[1].pieces.push_back({.bytes = {}, .error = Code::reset});
  broken[2].pieces.push_back({.bytes = "data: {\"choices\":\n\n"});
  broken[3].pieces.push_back({.bytes = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"});
  broken[4].pieces.push_back({.bytes = "data: {\"id\":\"a\",\"choi"});
  broken[5].stays_open = true;
  for (const Scripted& one : broken) {
    SCOPED_TRACE(&one - broken.data());
    again();
    a_->scripts = {one};
    b_->scripts = {rest_};
    run();
    EXPECT_EQ(sink_->body, left + said("a", "or") + said("a", "ld") + said_stop("a") + done);
    EXPECT_TRUE(sink_->errors.empty());
    EXPECT_TRUE(sink_->ended);
    EXPECT_EQ(record().end_state, ledger::EndState::complete);
    EXPECT_EQ(record().recovered_from, "a/a-model");
    EXPECT_EQ(record().target, "b/b-model");
    ASSERT_EQ(record().attempts.size(), 2U);
    EXPECT_EQ(record().attempts[0].end_state, ledger::EndState::upstream_error);
    EXPECT_EQ(record().attempts[0].recovery, "");
    EXPECT_EQ(record().attempts[1].recovery, "proven");
    EXPECT_EQ(record().attempts[1].repeated_bytes, 7U);
    EXPECT_TRUE(record().attempts[1].first_token);
    EXPECT_EQ(record().first_token, record().attempts[0].first_token);
    EXPECT_EQ(b_->bodies[0],
              R"({"stream_options":{"include_usage":true},"model":"b-model","stream":true,"messages":[]})");
  }
  EXPECT_EQ(recoveries("proven", "continued"), 6);
  EXPECT_EQ(recoveries("none", "told"), 0);
}

TEST_F(RecoveryTest, an_answer_that_differs_is_cancelled_at_once_and_the_caller_is_told) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {stream_of({said_role("b"), said("b", "Hel"), said("b", "p me"), said("b", "!")}, true)};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello"));
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::upstream_broken);
  EXPECT_EQ(sink_->errors[0].message,
            "The answer of a/a-model broke off: the stream ended without a finish reason. What arrived before is "
            "incomplete, and no other answer goes on with it. Request id: req_1.");
  EXPECT_FALSE(sink_->ended);
  ASSERT_EQ(record().attempts.size(), 2U);
  const ledger::AttemptRecord& leg = record().attempts[1];
  EXPECT_EQ(leg.events, 3U) << "nothing is read behind the first byte that differs";
  EXPECT_EQ(leg.repeated_bytes, 3U);
  EXPECT_EQ(leg.reason, "its content differs at byte 3 from the text that had left");
  EXPECT_EQ(leg.end_state, ledger::EndState::gateway_error) << "the provider did nothing wrong";
  EXPECT_FALSE(leg.first_token);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
  EXPECT_EQ(record().target, "a/a-model");
  EXPECT_EQ(record().recovered_from, "");
  EXPECT_EQ(recoveries("proven", "differs"), 1);
  EXPECT_EQ(recoveries("none", "told"), 1);
}

TEST_F(RecoveryTest, goes_on_asking_while_attempts_are_left) {
  use_recovery({}, {.attempts = 2, .backoff = 1ms});
  // The same target is asked again, and breaks off before the point; the next one refuses; its second try goes on,
  // breaks off itself behind that point, and there is nobody left.
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}), stream_of({said_role("c"), said("c", "He")})};
  b_->scripts = {whole(503, "{}"), stream_of({said_role("b"), said("b", "Hello "), said("b", "w")})};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + said("a", " ") + said("a", "w"));
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_TRUE(sink_->errors[0].message.starts_with("The answer of b/b-model broke off"));
  EXPECT_EQ(record().attempts.size(), 4U);
  EXPECT_EQ(recoveries("proven", "failed"), 2);
  EXPECT_EQ(recoveries("proven", "continued"), 1);
}

TEST_F(RecoveryTest, an_answer_that_was_gone_on_with_can_be_gone_on_with_again) {
  use_recovery({}, {.attempts = 2, .backoff = 1ms});
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}),
                 stream_of({said_role("c"), said("c", "Hello w"), said("c", "or")})};
  b_->scripts = {rest_};
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + said("a", " w") + said("a", "or") + said("a", "ld") +
                             said_stop("a") + done);
  EXPECT_TRUE(sink_->errors.empty());
  EXPECT_EQ(record().attempts.size(), 3U);
  EXPECT_EQ(record().recovered_from, "a/a-model");
  EXPECT_EQ(record().target, "b/b-model");
}

TEST_F(RecoveryTest, the_usage_of_all_legs_is_in_the_record_and_the_last_ones_with_the_caller) {
  const auto usage = [](std::string_view id, int out) {
    return fmt::format(
        "data: {{\"id\":\"{}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{}}}}}\n\n", id,
        out);
  };
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello"), usage("a", 1)})};
  b_->scripts = {stream_of({said_role("b"), said("b", "Hello you"), said_stop("b"), usage("b", 2), done})};
  run(R"(,"stream_options":{"include_usage":true})");
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + usage("a", 1) + said("a", " you") + said_stop("a") +
                             usage("a", 2) + done);
  EXPECT_EQ(record().usage.input_tokens, 6);
  EXPECT_EQ(record().usage.output_tokens, 3);
}

TEST_F(RecoveryTest, nobody_is_asked_where_that_is_switched_off_or_could_not_be_proven) {
  const auto told = [&](const Scripted& first, std::string_view more = {}) {
    again();
    a_->scripts = {first};
    run(more);
    EXPECT_EQ(sink_->errors.size(), 1U);
    EXPECT_TRUE(b_->asked_at.empty());
    EXPECT_EQ(record().attempts.size(), 1U);
    EXPECT_FALSE(sink_->body.contains("[DONE]"));
  };
  const Scripted text = stream_of({said_role("a"), said("a", "Hello")});
  const std::string tool = chunk(
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}})");
  told(stream_of({said_role("a"), said("a", "Hello"), tool}));
  use_recovery({.mode = routing::RecoveryMode::none});
  told(text);
  use_recovery({.with_seed = false});
  told(text, R"(,"seed":7)");
  use_recovery({});
  core_.relay.delivered_bytes_max = 4;
  told(text);
  core_.relay.delivered_bytes_max = 100;
  EXPECT_EQ(recoveries("none", "told"), 4);

  // And where it may: a seed of null is none.
  use_recovery({.with_seed = false});
  again();
  a_->scripts = {text};
  b_->scripts = {rest_};
  run(R"(,"seed":null)");
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(RecoveryTest, a_target_without_recovery_is_not_asked_to_go_on) {
  auto snapshot = std::make_shared<Snapshot>(*core_.snapshot);
  snapshot->models.exact.find("smart")->second.steps[1].any_of[0].recovery.mode = routing::RecoveryMode::none;
  core_.snapshot = std::move(snapshot);
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  run();
  EXPECT_EQ(sink_->errors.size(), 1U);
  ASSERT_EQ(record().skipped.size(), 1U);
  EXPECT_EQ(record().skipped[0], "b/b-model: its `recovery` is none");
}

TEST_F(RecoveryTest, keep_alives_fill_the_time_until_an_answer_goes_on) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {rest_};
  b_->scripts[0].head_after = 50s;
  run();
  EXPECT_EQ(sink_->body, said_role("a") + said("a", "Hello") + alive + alive + said("a", " wor") + said("a", "ld") +
                             said_stop("a") + done);
  EXPECT_EQ(sink_->most_at_once, 1);
}

TEST_F(RecoveryTest, a_caller_who_leaves_meanwhile_ends_it) {
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")})};
  b_->scripts = {stream_of({said_role("b")}, true)};
  start();
  after(1s, [&] { caller_leaves(); });
  finish();
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_LT(world_.now() - began_, 2s);
}

TEST_F(RecoveryTest, what_is_kept_is_charged_and_given_back) {
  platform::MemoryBudget budget(std::size_t{1} << 20);
  core_.budget = &budget;
  a_->scripts = {stream_of({said_role("a"), said("a", "Hello")}, true)};
  b_->scripts = {rest_};
  start();
  std::size_t used = 0;
  after(1s, [&] { used = budget.used(); });
  finish();
  EXPECT_EQ(used, 4096U);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(sink_->errors.empty());
  core_.budget = nullptr;
}

TEST_F(RecoveryTest, prefill_gives_the_target_what_left_and_falls_back_to_the_proof) {
  use_recovery({.mode = routing::RecoveryMode::prefill});
  b_->prefill = openai::Prefill::last_message;
  const std::string_view more = R"(,"messages":[{"role":"user","content":"Hi"}])";
  const Scripted first = stream_of({said_role("a"), said("a", "Once upon a time")});
  const std::string left = said_role("a") + said("a", "Once upon a time");
  a_->scripts = {first};
  b_->scripts = {stream_of({said_role("b"), said("b", " there was"), said_stop("b"), done})};
  run(more);
  EXPECT_EQ(sink_->body, left + said("a", " there was") + said_stop("a") + done);
  EXPECT_TRUE(b_->bodies[0].contains(R"(,{"role":"assistant","content":"Once upon a time"}])")) << b_->bodies[0];
  EXPECT_EQ(record().attempts[1].recovery, "prefill");

  // Refused, or not gone on with: the same target is asked without it, and that is no further attempt of its own.
  for (const Scripted& refusal :
       {whole(400, R"({"error":{"message":"no"}})"),
        stream_of({said_role("b"), said("b", "Once upon"), said("b", " a time and so on")}, true)}) {
    again();
    a_->scripts = {first};
    b_->scripts = {refusal, stream_of({said_role("b"), said("b", "Once upon a time there"), said_stop("b"), done})};
    run(more);
    EXPECT_EQ(sink_->body, left + said("a", " there") + said_stop("a") + done);
    ASSERT_EQ(b_->bodies.size(), 2U);
    EXPECT_FALSE(b_->bodies[1].contains("assistant"));
    ASSERT_EQ(record().attempts.size(), 3U);
    EXPECT_EQ(record().attempts[1].recovery, "prefill");
    EXPECT_EQ(record().attempts[2].recovery, "proven");
  }

  // Thoughts cannot be given.
  again();
  a_->scripts = {stream_of({said_role("a"), said("a", "Hm", "reasoning_content"), said("a", "Hello")})};
  b_->scripts = {stream_of({said("b", "Hm", "reasoning_content"), said("b", "Hello"), said_stop("b"), done})};
  run(more);
  EXPECT_EQ(record().attempts[1].recovery, "proven");
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(ExchangeTest, usage_that_weir_asked_for_is_recorded_and_not_shown) {
  const std::string usage = chunk("", R"(,"usage":{"prompt_tokens":3,"completion_tokens":5})");
  a_->scripts = {stream_of({role, hello, stop, usage, done})};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_NE(a_->bodies.front().find(R"("include_usage":true)"), std::string::npos);
  EXPECT_EQ(record().usage.input_tokens, 3);
  EXPECT_EQ(record().usage.output_tokens, 5);
  EXPECT_EQ(record().usage_source, ledger::UsageSource::provider);
}

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

TEST_F(ExchangeTest, a_member_cut_out_of_several_data_lines_leaves_every_line_a_field) {
  a_->scripts = {stream_of({role,
                            "data: {\"id\":\"c\",\ndata:  "
                            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}],\ndata: \"usage\":null}\n\n",
                            stop, done})};
  run();
  const std::string event =
      sink_->body.substr(role.size(), sink_->body.size() - role.size() - stop.size() - done.size());
  http::SseParser parser(10'000);
  parser.feed(event);
  const auto parsed = parser.next();
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->bytes.size(), event.size());
  const auto facts = openai::inspect_chunk((*parsed)->data);
  EXPECT_FALSE(facts.malformed) << event;
  EXPECT_FALSE(facts.usage_member.has_value());
  EXPECT_TRUE(facts.content_bearing);
}

// What is tried.

TEST_F(ExchangeTest, every_failure_before_content_falls_back_to_the_next_target) {
  const std::vector<std::pair<std::string, Scripted>> failures = {
      {"refused", {.refused = Code::refused}},
      {"unreachable", {.refused = Code::unreachable}},
      {"reset", {.refused = Code::reset}},
      {"closed", {.refused = Code::end_of_stream}},
      {"malformed head", {.refused = Code::upstream_malformed}},
      {"slow head", {.head_after = 1h}},
      {"401", whole(401, "{}")},
      {"403", whole(403, "{}")},
      {"404", whole(404, "{}")},
      {"408", whole(408, "{}")},
      {"429", whole(429, "{}")},
      {"500", whole(500, "<html>")},
      {"529", whole(529, "{}")},
      {"302", whole(302, "")},
      {"empty", stream_of({})},
      {"not json", stream_of({"data: oops\n\n"})},
      {"html", stream_of({"<html></html>"})},
      {"whole json", stream_of({reply_body})},
      {"error first", stream_of({"data: {\"error\":{\"message\":\"no\"}}\n\n", done})},
      {"role then cut", stream_of({role})},
      {"role then silence", stream_of({role}, true)},
      {"heartbeats only", stream_of(std::vector<std::string>(1000, ": ping\n\n"), true)},
      {"too much before content",
       stream_of(std::vector<std::string>(40, chunk("", ",\"x\":\"" + std::string(40'000, 'x') + "\"")))},
  };
  for (const auto& [name, failure] : failures) {
    SCOPED_TRACE(name);
    use(once(), {.first_token = 3s});
    log_.records.clear();
    a_->asked_at.clear();
    b_->asked_at.clear();
    sink_.emplace(loop_);
    a_->scripts = {failure};
    b_->scripts = {stream_of({role, hello, stop, done})};
    run();
    EXPECT_EQ(sink_->status, 200);
    EXPECT_EQ(sink_->body, role + hello + stop + done);
    EXPECT_TRUE(sink_->errors.empty());
    EXPECT_EQ(record().target, "b/b-model");
    ASSERT_EQ(record().attempts.size(), 2U);
    EXPECT_EQ(record().attempts.front().end_state, ledger::EndState::upstream_error);
    EXPECT_FALSE(record().attempts.front().reason.empty());
    EXPECT_EQ(record().end_state, ledger::EndState::complete);
  }
}

TEST_F(ExchangeTest, the_callers_own_mistake_comes_back_as_the_provider_said_it) {
  const std::string words =
      R"({"error":{"message":"bad temperature","type":"invalid_request_error","param":null,"code":null}})";
  a_->scripts = {whole(400, words)};
  run();
  EXPECT_EQ(sink_->status, 400);
  EXPECT_EQ(sink_->body, words);
  EXPECT_TRUE(b_->asked_at.empty());
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().status, 400);
}

TEST_F(ExchangeTest, a_refused_key_is_never_the_callers_401) {
  use(once());
  a_->scripts = {whole(401, R"({"error":{"message":"Incorrect\u001b API key"}})")};
  run({}, "only-a");
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::upstream_credentials);
  EXPECT_EQ(sink_->status, 502);
  EXPECT_EQ(sink_->errors.front().message.find("Incorrect"), std::string::npos);
  EXPECT_EQ(record().attempts.front().upstream_words, "Incorrect  API key") << "nothing that moves a terminal's cursor";
}

TEST_F(ExchangeTest, repeats_on_the_same_target_no_earlier_than_it_was_asked_to) {
  use({.attempts = 3, .backoff = 100ms});
  Scripted busy = whole(429, "{}");
  busy.headers.emplace_back("retry-after", "2");
  a_->scripts = {busy, stream_of({role, hello, stop, done})};
  run();
  ASSERT_EQ(a_->asked_at.size(), 2U);
  EXPECT_GE(a_->asked_at[1] - a_->asked_at[0], 2s);
  EXPECT_LT(a_->asked_at[1] - a_->asked_at[0], 2500ms);
  EXPECT_GE(record().attempts[1].backoff, 2s);
  EXPECT_LT(record().added, 1ms) << "waiting is not what weir added";
}

TEST_F(ExchangeTest, a_reused_connection_that_had_been_closed_is_replaced_in_silence) {
  use(once());
  Scripted closed{.refused = Code::end_of_stream};
  closed.facts = {.connected = std::nullopt, .reused_connection = true, .closed_before_reply = true};
  a_->scripts = {closed, stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(a_->fresh, (std::vector<bool>{false, true}));
  ASSERT_EQ(record().attempts.size(), 2U);
  EXPECT_TRUE(record().attempts[0].reused_connection);
  EXPECT_TRUE(record().attempts[1].silent_retry);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
}

TEST_F(ExchangeTest, a_408_that_was_meant_for_the_idle_connection_is_no_answer) {
  use(once());
  Scripted crossed{.status = 408, .headers = {{"connection", "close"}}};
  crossed.facts = {.connected = std::nullopt, .reused_connection = true, .closed_before_reply = false};
  a_->scripts = {crossed, stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(a_->fresh, (std::vector<bool>{false, true}));
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  // The provider's own, for this call: on a connection that it keeps, or that was opened for it.
  Scripted kept = crossed;
  kept.headers.clear();
  Scripted fresh = crossed;
  fresh.facts.reused_connection = false;
  for (const Scripted& own : {kept, fresh}) {
    log_.records.clear();
    a_->asked_at.clear();
    b_->asked_at.clear();
    a_->fresh.clear();
    sink_.emplace(loop_);
    a_->scripts = {own};
    b_->scripts = {stream_of({role, hello, stop, done})};
    run();
    EXPECT_EQ(a_->fresh.size(), 1U);
    EXPECT_EQ(record().attempts[0].status, 408);
    EXPECT_EQ(record().attempts[0].cause, llm::Cause::slow);
    EXPECT_EQ(record().target, "b/b-model");
  }
}

TEST_F(ExchangeTest, nothing_is_tried_after_the_time_for_the_whole_call) {
  use({.attempts = 20, .backoff = 1s, .backoff_max = 1s}, {.total = 3s});
  for (int i = 0; i < 20; ++i) {
    a_->scripts.push_back({.refused = Code::refused, .head_after = 900ms});
    b_->scripts.push_back({.refused = Code::refused, .head_after = 900ms});
  }
  run();
  EXPECT_EQ(sink_->errors.size(), 1U);
  EXPECT_LE(world_.now() - began_, 3001ms);
}

TEST_F(ExchangeTest, an_unknown_model_is_refused_with_a_record_and_without_an_attempt) {
  run({}, "nothing");
  EXPECT_EQ(sink_->status, 404);
  EXPECT_EQ(record().error_code, "model_not_found");
  EXPECT_EQ(record().status, 404);
  EXPECT_EQ(record().route, "");
}

// Replies that are not streamed.

TEST_F(ExchangeTest, a_whole_reply_passes_unchanged_in_any_number_of_pieces) {
  Scripted pieces = whole(200, reply_body.substr(0, 10));
  pieces.pieces.push_back({.after = 5ms, .bytes = reply_body.substr(10)});
  a_->scripts = {pieces};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
}

TEST_F(ExchangeTest, half_a_reply_is_replaced_and_leaves_no_word_in_the_record) {
  use(once());
  a_->scripts = {whole(200, reply_body.substr(0, reply_body.size() - 5))};
  b_->scripts = {whole(200, reply_body)};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(ledger::to_json(record()).find("hello"), std::string::npos);
}

TEST_F(ExchangeTest, an_error_that_repeats_the_prompt_leaves_it_out_of_the_record) {
  use(once());
  a_->scripts = {
      whole(422, R"({"detail":[{"msg":"field required","input":{"messages":[{"content":"my secret prompt"}]}}]})")};
  run({}, "only-a", false);
  EXPECT_EQ(sink_->status, 422);
  EXPECT_NE(sink_->body.find("my secret prompt"), std::string::npos) << "the caller gets the provider's answer";
  EXPECT_EQ(ledger::to_json(record()).find("my secret prompt"), std::string::npos);
}

TEST_F(ExchangeTest, a_reply_too_large_to_hold_is_relayed_and_its_break_is_told) {
  Scripted large = whole(200, R"({"choices":[{"message":{"content":")");
  for (int i = 0; i < 40; ++i) {
    large.pieces.push_back({.bytes = std::string(64'000, 'x')});
  }
  large.pieces.push_back({.bytes = {}, .error = Code::reset});
  a_->scripts = {large};
  run({}, "smart", false);
  EXPECT_GT(sink_->body.size(), 2'000'000U);
  EXPECT_EQ(sink_->errors.size(), 1U);
  EXPECT_FALSE(sink_->ended);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

// Leaving, stopping, failing.

class LeavingCaller : public ExchangeTest, public testing::WithParamInterface<int> {};

TEST_P(LeavingCaller, ends_the_upstream_call_at_once) {
  use({.attempts = 3, .backoff = 10s, .backoff_max = 10s});
  Scripted busy = whole(429, "{}");
  busy.headers.emplace_back("retry-after", "5");
  a_->scripts = {GetParam() == 0   ? Scripted{.head_after = 1h}
                 : GetParam() == 1 ? stream_of({role}, true)
                 : GetParam() == 2 ? stream_of({role, hello}, true)
                                   : busy};
  start();
  after(1s, [this] { caller_leaves(); });
  finish();
  EXPECT_LE(world_.now() - began_, 1001ms);
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_EQ(record().attempts.back().end_state,
            GetParam() == 3 ? ledger::EndState::upstream_error : ledger::EndState::client_abort);
  EXPECT_TRUE(sink_->errors.empty());
}
INSTANTIATE_TEST_SUITE_P(InEveryPhase, LeavingCaller, testing::Values(0, 1, 2, 3));

TEST_F(ExchangeTest, a_stopping_gateway_tells_the_caller_that_the_answer_is_not_whole) {
  a_->scripts = {stream_of({role, hello}, true)};
  start();
  after(1s, [this] { end_.cancellation.cancel(); });
  finish();
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::shutting_down);
  EXPECT_EQ(sink_->body.find("[DONE]"), std::string::npos);
  EXPECT_EQ(record().end_state, ledger::EndState::gateway_error);
  EXPECT_EQ(record().attempts.back().end_state, ledger::EndState::gateway_error);
}

TEST_F(ExchangeTest, an_exception_ends_one_call_with_a_500_and_closed_rows) {
  a_->scripts = {{.throws = true}};
  run();
  EXPECT_EQ(thrown_, "a library gave up");
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::internal);
  EXPECT_EQ(sink_->errors.front().message.find("library"), std::string::npos);
  EXPECT_EQ(record().status, 500);
  EXPECT_EQ(record().end_state, ledger::EndState::gateway_error);
  EXPECT_EQ(record().attempts.front().failure, Code::internal);
}

TEST_F(ExchangeTest, a_slow_caller_is_not_what_weir_added) {
  sink_->takes = 2s;
  a_->scripts = {stream_of({role, hello, stop, done})};
  run();
  EXPECT_GE(record().duration, 4s);
  EXPECT_LT(record().added, 1ms);
}

// Keep-alives before the first content.

TEST_F(ExchangeTest, a_long_silence_is_filled_with_comments_until_the_first_content) {
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[1].after = 70s;  // the role comes at once
  a_->scripts = {slow};
  start();
  Instant first{};
  after(19'900ms, [&] { EXPECT_FALSE(sink_->head_sent); });
  after(20'100ms, [&] {
    EXPECT_EQ(sink_->body, alive);
    first = sink_->last_event;
  });
  finish();
  EXPECT_EQ(first, began_ + 20s);
  EXPECT_EQ(sink_->body, alive + alive + alive + role + hello + stop + done);
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(record().keep_alives, 3U);
  EXPECT_EQ(record().end_state, ledger::EndState::complete);
  EXPECT_EQ(record().target, "a/a-model");
  for (const auto& [name, value] : sink_->headers) {
    EXPECT_NE(name, "x-weir-target") << "no target was known yet";
  }
  EXPECT_EQ(core_.metrics.cell(observe::metric::keep_alives, {"/v1/chat/completions"}).value, 3);
}

TEST_F(ExchangeTest, keep_alives_go_on_over_retries_and_fallback) {
  use({.attempts = 2, .backoff = 10ms}, {.first_token = 25s});
  Scripted busy = whole(503, "{}");
  busy.head_after = 15s;
  a_->scripts = {busy, busy};
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 20s;
  b_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, alive + alive + role + hello + stop + done);
  EXPECT_EQ(record().attempts.size(), 3U);
  EXPECT_EQ(record().target, "b/b-model");
  EXPECT_TRUE(sink_->errors.empty());
}

TEST_F(ExchangeTest, a_failure_after_keep_alives_is_an_error_event) {
  use(once(), {.first_token = 30s});
  a_->scripts = {{.head_after = 1h}};
  Scripted refusal = whole(429, R"({"error":{"message":"slow down",
    "type":"requests","code":"rate_limit_exceeded"}})");
  b_->scripts = {refusal};
  run();
  EXPECT_EQ(sink_->body, alive) << "no success terminator, and no half JSON body";
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::upstream_error);
  EXPECT_EQ(sink_->reply, R"({"error":{"message":"slow down",     "type":"requests","code":"rate_limit_exceeded"}})");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(record().status, 200);
  EXPECT_EQ(record().end_state, ledger::EndState::upstream_error);
}

TEST_F(ExchangeTest, only_streams_are_kept_alive_and_only_if_the_options_say_so) {
  a_->scripts = {{.head_after = 70s, .pieces = {{.bytes = reply_body}}}};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body);
  EXPECT_EQ(record().keep_alives, 0U);
}

TEST_F(ExchangeTest, no_keep_alive_where_they_are_switched_off) {
  core_.relay.keep_alive_after = 0ms;
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 70s;
  a_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, role + hello + stop + done);
}

TEST_F(ExchangeTest, content_waits_until_a_keep_alive_that_is_being_written_has_left) {
  sink_->takes = 3s;
  Scripted slow = stream_of({role, hello, stop, done});
  slow.pieces[0].after = 21s;
  a_->scripts = {slow};
  run();
  EXPECT_EQ(sink_->body, alive + role + hello + stop + done);
  EXPECT_EQ(sink_->most_at_once, 1) << "one write at a time";
  EXPECT_LT(record().added, 1ms);
}

TEST_F(ExchangeTest, a_caller_who_leaves_between_keep_alives_ends_the_call) {
  a_->scripts = {{.head_after = 1h}};
  start();
  after(50s, [this] { caller_leaves(); });
  finish();
  EXPECT_LE(world_.now() - began_, 51s);
  EXPECT_EQ(record().end_state, ledger::EndState::client_abort);
  EXPECT_EQ(record().keep_alives, 2U);
}

TEST_F(ExchangeTest, an_exception_after_keep_alives_is_told_in_an_event) {
  a_->scripts = {{.head_after = 30s, .throws = true}};
  run();
  EXPECT_EQ(sink_->body, alive);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors.front().code, Code::internal);
  EXPECT_EQ(core_.metrics.cell(observe::metric::attempts, {"a/a-model", "internal_error"}).value, 1)
      << "an attempt that an exception ended is counted like any other";
}

// Sloppy servers.

TEST_F(ExchangeTest, a_sloppy_event_is_mended_and_named_and_the_others_pass_as_they_are) {
  const std::string call =
      "event: x\ndata:{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"a\","
      "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}],\"usage\":null}\r\n\r\n";
  a_->scripts = {stream_of({role, call, stop, done})};
  run();
  EXPECT_EQ(
      sink_->body,
      role +
          "event: x\ndata:{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\","
          "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\r\n\r\n" +
          chunk(R"({"index":0,"delta":{},"finish_reason":"tool_calls"})") + done);
  const std::string json = ledger::to_json(record());
  EXPECT_NE(json.find(R"("mended":{"finish_reason":1,"tool_index":1})"), std::string::npos) << json;
  EXPECT_EQ(core_.metrics.cell(observe::metric::mended, {"a/a-model", "tool_index"}).value, 1);
}

// What is held is charged.

TEST_F(ExchangeTest, what_is_held_before_the_commit_is_charged_and_given_back) {
  platform::MemoryBudget budget(role.size() + 10);
  core_.budget = &budget;
  use(once());
  a_->scripts = {stream_of({role, role, hello, stop, done})};
  b_->scripts = {stream_of({role, hello, stop, done})};
  run();
  EXPECT_EQ(record().attempts.front().failure, Code::overloaded);
  EXPECT_EQ(sink_->body, role + hello + stop + done);
  EXPECT_EQ(budget.used(), 0U);
  core_.budget = nullptr;
}

TEST_F(ExchangeTest, a_whole_reply_that_cannot_be_held_is_relayed_at_once_and_its_usage_is_found) {
  platform::MemoryBudget budget(10);
  core_.budget = &budget;
  Scripted reply = whole(200, reply_body.substr(0, 30));
  const std::string rest =
      reply_body.substr(30, reply_body.size() - 31) + R"(,"usage":{"prompt_tokens":3,"completion_tokens":4}})";
  reply.pieces.push_back({.after = 5ms, .bytes = rest.substr(0, 40)});
  reply.pieces.push_back({.after = 5ms, .bytes = rest.substr(40)});
  a_->scripts = {reply};
  run({}, "smart", false);
  EXPECT_EQ(sink_->body, reply_body.substr(0, 30) + rest);
  EXPECT_EQ(record().usage.output_tokens, 4);
  EXPECT_EQ(budget.used(), 0U);
  core_.budget = nullptr;
}

// Who is left alone, and who is full.

/// Many calls after each other; both targets have their state.
class TargetStateExchangeTest : public ExchangeTest {
 protected:
  void use(routing::BreakerOptions breaker, int max_in_flight = 0) {
    auto snapshot = std::make_shared<Snapshot>(Snapshot{.models = {}, .providers = providers_});
    for (const std::vector<std::string>& names : {std::vector<std::string>{"a", "b"}, {"a"}}) {
      routing::ModelPolicy policy{.name = names.size() == 2 ? "smart" : "only-a", .timeouts = {}, .retry = once()};
      for (const std::string& name : names) {
        policy.steps.push_back({.any_of = {{.provider = name,
                                            .model = name + "-model",
                                            .retry = once(),
                                            .breaker = breaker,
                                            .max_in_flight = max_in_flight}}});
      }
      snapshot->models.exact.emplace(policy.name, policy);
    }
    states_.bind(snapshot->models, {});
    core_.snapshot = std::move(snapshot);
  }
  /// A call of its own.
  void again(std::string_view model = "smart") {
    log_.records.clear();
    sink_.emplace(loop_);
    a_->asked_at.clear();
    b_->asked_at.clear();
    run("", model, false);
  }
  [[nodiscard]] bool a_was_asked() const { return !a_->asked_at.empty(); }
  void make_ill(int calls) {
    for (int i = 0; i < calls; ++i) {
      a_->scripts.push_back(whole(503, R"({"error":{"message":"down"}})"));
      b_->scripts.push_back(whole(200, reply_body));
      again();
      ASSERT_EQ(sink_->status, 200);
    }
  }

  routing::TargetStates states_;
};

TEST_F(TargetStateExchangeTest, who_failed_too_often_is_passed_over_and_the_record_says_so) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  make_ill(2);
  b_->scripts.push_back(whole(200, reply_body));
  again();
  EXPECT_EQ(sink_->status, 200);
  EXPECT_FALSE(a_was_asked());
  ASSERT_EQ(record().skipped.size(), 1U);
  EXPECT_EQ(record().skipped[0], "a/a-model: its circuit breaker is open for another 10.0 s");
}

TEST_F(TargetStateExchangeTest, a_callers_fault_or_a_refused_key_trips_nothing) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  for (const int status : {400, 400, 422, 401, 429, 404}) {
    a_->scripts.push_back(whole(status, R"({"error":{"message":"no"}})"));
    b_->scripts.push_back(whole(200, reply_body));
    again();
    b_->scripts.clear();
    EXPECT_TRUE(a_was_asked()) << status;
  }
  EXPECT_EQ(states_.find("a/a-model")->report(loop_.now()).failures_in_a_row, 0);
}

TEST_F(TargetStateExchangeTest, who_is_alone_gets_few_early_trials_and_then_the_caller_hears_when_to_come_back) {
  use({.failure_threshold = 2, .recovery_timeout = 10s, .half_open_max_calls = 3});
  make_ill(2);
  for (int i = 0; i < 3; ++i) {
    a_->scripts.push_back(whole(503, R"({"error":{"message":"down"}})"));
    again("only-a");
    EXPECT_TRUE(a_was_asked());
    EXPECT_TRUE(record().attempts.at(0).trial);
    EXPECT_EQ(sink_->status, 503);
  }
  after(2500ms, [] {});
  world_.run_until([&] { return loop_.now() >= began_ + 2500ms; }, world_.now() + 1h);
  again("only-a");
  EXPECT_FALSE(a_was_asked());
  EXPECT_EQ(sink_->status, 503);
  ASSERT_EQ(sink_->errors.size(), 1U);
  EXPECT_EQ(sink_->errors[0].code, Code::upstream_unavailable);
  EXPECT_EQ(sink_->retry_after, 8) << "seconds, rounded up";
}

TEST_F(TargetStateExchangeTest, an_early_trial_that_succeeds_is_the_callers_answer) {
  use({.failure_threshold = 2, .recovery_timeout = 10s, .half_open_max_calls = 1});
  make_ill(2);
  a_->scripts.push_back(whole(200, reply_body));
  again("only-a");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(states_.find("a/a-model")->report(loop_.now()).breaker, routing::BreakerState::closed);
}

TEST_F(TargetStateExchangeTest, a_breaker_that_opens_ends_the_repeats_on_its_target) {
  use({.failure_threshold = 2, .recovery_timeout = 10s});
  auto models = core_.snapshot->models;
  models.exact.at("smart").steps[0].any_of[0].retry = {.attempts = 5};
  core_.snapshot = std::make_shared<Snapshot>(Snapshot{.models = models, .providers = providers_});
  a_->scripts = {whole(503, "{}"), whole(503, "{}")};
  b_->scripts.push_back(whole(200, reply_body));
  run("", "smart", false);
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(a_->asked_at.size(), 2U);
}

TEST_F(TargetStateExchangeTest, a_full_target_is_passed_over_and_its_place_comes_back) {
  use({}, 1);
  auto state = states_.find("a/a-model");
  const routing::Target& target = core_.snapshot->models.exact.at("smart").steps[0].any_of[0];
  {
    const auto elsewhere = state->take(target, loop_.now());
    b_->scripts.push_back(whole(200, reply_body));
    again();
    EXPECT_FALSE(a_was_asked());
    EXPECT_EQ(record().skipped.at(0), "a/a-model: it has as many calls in flight as max_in_flight allows");
    again("only-a");
    EXPECT_EQ(sink_->status, 429);
    EXPECT_EQ(sink_->errors.at(0).code, Code::queue_full);
    EXPECT_EQ(sink_->retry_after, 1);
  }
  a_->scripts.push_back(whole(200, reply_body));
  again("only-a");
  EXPECT_EQ(sink_->status, 200);
  EXPECT_EQ(state->in_flight(), 0);
}

TEST_F(TargetStateExchangeTest, a_caller_who_leaves_gives_the_place_back_and_blames_nobody) {
  use({.failure_threshold = 1}, 1);
  a_->scripts.push_back({.head_after = 1h});
  start("", "only-a", false);
  after(1s, [&] {
    EXPECT_EQ(states_.find("a/a-model")->in_flight(), 1);
    caller_leaves();
  });
  finish();
  const auto report = states_.find("a/a-model")->report(loop_.now());
  EXPECT_EQ(report.in_flight, 0);
  EXPECT_EQ(report.breaker, routing::BreakerState::closed);
}

TEST_F(TargetStateExchangeTest, a_failure_says_when_the_first_of_the_targets_is_back) {
  use({.failure_threshold = 100});
  const auto busy = [](std::string name, std::string value) {
    Scripted scripted = whole(429, R"({"error":{"message":"busy","type":"requests","code":"rate_limit_exceeded"}})");
    if (!name.empty()) {
      scripted.headers.emplace_back(std::move(name), std::move(value));
    }
    return scripted;
  };
  const auto told = [&](std::string_view name) {
    std::string all;
    for (const auto& [key, value] : sink_->headers) {
      all += http::iequals(key, name) ? value + ";" : "";
    }
    return all;
  };
  a_->scripts.push_back(busy("retry-after", "7"));
  b_->scripts.push_back(busy("retry-after", "30"));
  again();
  EXPECT_EQ(sink_->status, 429);
  EXPECT_EQ(told("retry-after"), "7;") << "the first one is back before the last";
  a_->scripts.push_back(busy("retry-after", "30"));
  b_->scripts.push_back(busy("retry-after", "7"));
  again();
  EXPECT_EQ(told("retry-after"), "7;");
  for (const char* none : {"", "x-other"}) {
    a_->scripts.push_back(busy("retry-after", "30"));
    b_->scripts.push_back(busy(none, "1"));
    again();
    EXPECT_EQ(told("retry-after"), "1;") << "nobody knows it better";
  }
  a_->scripts.push_back(busy("retry-after-ms", "1500"));
  again("only-a");
  EXPECT_EQ(told("retry-after"), "2;");
  EXPECT_EQ(told("retry-after-ms"), "1500;");
}

TEST_F(TargetStateExchangeTest, a_flapping_provider_is_never_seen_by_callers_with_a_second_target) {
  const routing::BreakerOptions breaker{.failure_threshold = 5, .recovery_timeout = 5s, .half_open_max_calls = 3};
  use(breaker);
  const Instant begin = loop_.now();
  const auto bad = [&] { return ((loop_.now() - begin) / 10s) % 2 == 0 && loop_.now() - begin < 120s; };
  int ill_calls = 0;
  int trials_in_period = 0;
  std::optional<Instant> back;
  const auto state = states_.find("a/a-model");
  std::uint64_t trips = 0;
  while (loop_.now() - begin < 140s) {
    a_->scripts.assign(1, bad() ? Scripted{.refused = Code::reset} : whole(200, reply_body));
    b_->scripts.assign(1, whole(200, reply_body));
    const auto before = state->report(loop_.now());
    if (before.trips != trips) {
      trips = before.trips;
      trials_in_period = 0;
    }
    again();
    ASSERT_EQ(sink_->status, 200) << "no caller sees it";
    if (a_was_asked() && before.breaker != routing::BreakerState::closed) {
      ASSERT_LE(++trials_in_period, breaker.half_open_max_calls);
    }
    ill_calls += a_was_asked() && bad() ? 1 : 0;
    if (loop_.now() - begin >= 120s && !back && a_was_asked() && before.breaker == routing::BreakerState::closed) {
      back = loop_.now();
    }
    const Instant next = loop_.now() + 50ms;
    after(50ms, [] {});
    world_.run_until([&] { return loop_.now() >= next; }, world_.now() + 1h);
  }
  EXPECT_GE(trips, 6U);
  EXPECT_LE(ill_calls, 60) << "of some 1,200 calls while it was ill";
  ASSERT_TRUE(back) << "traffic never came back";
  EXPECT_LE(*back - begin, 120s + breaker.recovery_timeout + 500ms);
}

}  // namespace
}  // namespace weir::gateway

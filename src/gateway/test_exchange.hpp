#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "dialects/openai/errors.hpp"
#include "gateway/exchange.hpp"
#include "ledger/test_sink.hpp"
#include "observe/metric_names.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "providers/key_pool.hpp"
#include "routing/target_state.hpp"

/// For tests: whole calls against scripted providers in simulated time.
namespace weir::gateway {

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
  bool connects = false;       // and says so when it does
  bool* distrusted = nullptr;  // set where its connection is not to be used again
  providers::UpstreamFacts facts{};
};

inline Scripted stream_of(std::vector<std::string> events, bool stays_open = false) {
  Scripted scripted{.headers = {{"content-type", "text/event-stream"}}, .stays_open = stays_open};
  for (std::string& event : events) {
    scripted.pieces.push_back({.after = 5ms, .bytes = std::move(event)});
  }
  return scripted;
}
inline Scripted whole(int status, std::string body) {
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
  void distrust() override {
    if (script_.distrusted != nullptr) {
      *script_.distrusted = true;
    }
  }
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
  std::shared_ptr<providers::KeyPool> pool;
  [[nodiscard]] providers::KeyPool* keys() const override { return pool.get(); }
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
    for (const auto line : std::views::split(head.own.text(), std::string_view("\r\n"))) {
      const std::string_view field(line.begin(), line.end());
      if (const std::size_t colon = field.find(": "); colon != std::string_view::npos) {
        headers.emplace_back(field.substr(0, colon), field.substr(colon + 2));
      }
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

inline const Endpoint endpoint{.method = "POST",
                               .path = "/v1/chat/completions",
                               .upstream_path = "/chat/completions",
                               .operation = &openai::chat_completion,
                               .summary = ""};

inline std::string chunk(std::string_view choice, std::string_view tail = {}) {
  return fmt::format("data: {{\"id\":\"c\",\"choices\":[{}]{}}}\n\n", choice, tail);
}
inline const std::string role = chunk(R"({"index":0,"delta":{"role":"assistant"},"finish_reason":null})");
inline const std::string hello = chunk(R"({"index":0,"delta":{"content":"hello"},"finish_reason":null})");
inline const std::string stop = chunk(R"({"index":0,"delta":{},"finish_reason":"stop"})");
inline const std::string done = "data: [DONE]\n\n";
inline const std::string alive = ": keep-alive\n\n";
inline const std::string reply_body =
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
    auto snapshot =
        std::make_shared<Snapshot>(Snapshot{.models = {}, .allowances = allowances_, .providers = providers_});
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
  ledger::TestSink log_;
  Core core_{.loop = loop_, .snapshot = {}, .records = log_, .log = log_, .tees = {}, .relay = {}, .metrics = {}};
  std::shared_ptr<const Allowances> allowances_;  // as use() has them
  Providers providers_;
  ScriptedProvider* a_ = nullptr;
  ScriptedProvider* b_ = nullptr;
  http::RequestEnd end_;
  std::optional<SeenSink> sink_{std::in_place, loop_};
  Instant began_{};
  std::optional<std::string> thrown_;
  std::unique_ptr<platform::Running> running_;
};

}  // namespace weir::gateway

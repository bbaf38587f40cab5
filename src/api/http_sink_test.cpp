// What a call's outcome looks like on the wire.
#include "api/http_sink.hpp"

#include <gtest/gtest.h>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::api {
namespace {

using namespace std::chrono_literals;

/// Takes what is written, until it is told to take no more.
class WireStream final : public platform::Stream {
 public:
  void start_read(platform::ReadWaiter&) override {}
  void stop_read() override {}
  platform::IoResult write_now(std::span<const std::string_view> slices) override {
    ++writes;
    std::size_t taken = 0;
    for (const std::string_view slice : slices) {
      const std::string_view part = slice.substr(0, room - std::min(room, taken));
      sent += part;
      taken += part.size();
    }
    room -= taken;
    return taken;
  }
  void start_writable(platform::WriteWaiter&) override {}
  void shutdown_send() override {}
  void close() override {}
  void abort() override {}
  [[nodiscard]] std::string peer() const override { return "10.0.0.2:1"; }

  std::string sent;
  std::size_t room = 1'000'000;
  int writes = 0;
};

class Sink : public testing::Test {
 protected:
  Sink() {
    response_.reset(http::Method::post, http::Version::http_1_1, true, "Sat, 21 Nov 2026 11:00:00 GMT", nullptr);
  }
  HttpSink::Outcome run(Task<HttpSink::Outcome> step) {
    std::optional<HttpSink::Outcome> outcome;
    struct Runner {
      static Task<void> run(Task<HttpSink::Outcome> one, std::optional<HttpSink::Outcome>& out) {
        out = co_await std::move(one);
      }
    };
    const platform::Running running(loop_, Runner::run(std::move(step), outcome));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(HttpSink::Outcome());
  }
  /// The body behind the head; chunk framing left as it is.
  [[nodiscard]] std::string body() const {
    const std::size_t end = stream_.sent.find("\r\n\r\n");
    return end == std::string::npos ? std::string() : stream_.sent.substr(end + 4);
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  WireStream stream_;
  platform::ByteWriter writer_{loop_, stream_};
  http::ResponseWriter response_{writer_, {.write_timeout = 10s}};
  HttpSink sink_{response_};
};

TEST_F(Sink, sends_nothing_before_the_first_event_and_each_event_as_one_write) {
  gateway::ReplyHead head{.status = 200, .streamed = true, .body_bytes = {}, .passing = {}, .own = {}};
  head.own.add("content-type", "text/event-stream");
  head.own.add("x-weir-target", "a/b");
  sink_.head(head);
  EXPECT_EQ(stream_.writes, 0);
  const std::string_view held[] = {"data: 1\n\n", "data: 2\n\n"};
  EXPECT_TRUE(run(sink_.events(held)));
  EXPECT_EQ(stream_.writes, 1);
  EXPECT_NE(stream_.sent.find("x-weir-target: a/b\r\n"), std::string::npos);
  const std::string_view next = "data: 3\n\n";
  EXPECT_TRUE(run(sink_.events({&next, 1})));
  EXPECT_TRUE(run(sink_.end("data: [DONE]\n\n")));
  EXPECT_EQ(stream_.writes, 3);
  EXPECT_EQ(body(), "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  EXPECT_TRUE(response_.keep_alive());
  EXPECT_EQ(sink_.bytes_sent(), 41U);
}

TEST_F(Sink, an_error_in_a_stream_is_an_event_and_a_whole_end) {
  sink_.head({.status = 200, .streamed = true, .body_bytes = {}, .passing = {}, .own = {}});
  const std::string_view event = "data: 1\n\n";
  EXPECT_TRUE(run(sink_.events({&event, 1})));
  EXPECT_TRUE(run(sink_.error(
      {.error = {.code = Code::upstream_broken, .message = "it broke"}, .retry_after_seconds = {}, .own = {}})));
  EXPECT_NE(body().find("data: {\"error\":{\"message\":\"it broke\""), std::string::npos);
  EXPECT_EQ(body().find("[DONE]"), std::string::npos);
  EXPECT_TRUE(body().ends_with("\n\n\r\n0\r\n\r\n"));
  EXPECT_TRUE(response_.keep_alive());
}

TEST_F(Sink, an_error_in_half_a_body_breaks_the_connection) {
  sink_.head({.status = 200, .streamed = false, .body_bytes = 100, .passing = {}, .own = {}});
  const std::string_view half = "{\"choices\":";
  EXPECT_TRUE(run(sink_.events({&half, 1})));
  EXPECT_FALSE(run(sink_.error(
      {.error = {.code = Code::upstream_broken, .message = "it broke"}, .retry_after_seconds = {}, .own = {}})));
  EXPECT_TRUE(body().ends_with("{\"choices\":"));
  EXPECT_FALSE(response_.finished());
  EXPECT_FALSE(response_.keep_alive());
}

TEST_F(Sink, an_error_takes_the_place_of_a_head_that_was_held) {
  sink_.head({.status = 200,
              .streamed = true,
              .body_bytes = {},
              .passing = {{.name = "x-from-provider", .value = "1"}},
              .own = {}});
  gateway::Failure failure{
      .error = {.code = Code::overloaded, .message = "full"}, .reply = {}, .retry_after_seconds = {}, .own = {}};
  failure.own.add("x-weir-request-id", "req_1");
  EXPECT_TRUE(run(sink_.error(failure)));
  EXPECT_TRUE(stream_.sent.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(stream_.sent.find("x-from-provider"), std::string::npos);
  EXPECT_EQ(stream_.sent.find("chunked"), std::string::npos);
  EXPECT_NE(stream_.sent.find("x-weir-request-id: req_1\r\n"), std::string::npos);
  EXPECT_NE(stream_.sent.find("retry-after: 1\r\n"), std::string::npos) << "a 503 says when to come back";
}

TEST_F(Sink, says_when_to_come_back_in_whole_seconds_and_only_where_that_helps) {
  EXPECT_TRUE(run(
      sink_.error({.error = {.code = Code::upstream_error, .message = "no"}, .retry_after_seconds = 7, .own = {}})));
  EXPECT_TRUE(stream_.sent.starts_with("HTTP/1.1 502 "));
  EXPECT_EQ(stream_.sent.find("retry-after"), std::string::npos);
}

TEST_F(Sink, a_client_that_takes_nothing_holds_up_a_stop_for_a_moment_only) {
  platform::Cancellation stopping;
  response_.reset(http::Method::post, http::Version::http_1_1, true, "Sat, 21 Nov 2026 11:00:00 GMT", &stopping);
  sink_.head({.status = 200, .streamed = true, .body_bytes = {}, .passing = {}, .own = {}});
  const std::string_view event = "data: 1\n\n";
  EXPECT_TRUE(run(sink_.events({&event, 1})));
  stream_.room = 0;
  stopping.cancel();
  const platform::Instant began = world_.now();
  EXPECT_FALSE(run(
      sink_.error({.error = {.code = Code::shutting_down, .message = "bye"}, .retry_after_seconds = {}, .own = {}})));
  EXPECT_LE(world_.now() - began, 2s);
}

TEST_F(Sink, nothing_is_written_behind_a_write_that_failed_in_part) {
  sink_.head({.status = 200, .streamed = true, .body_bytes = {}, .passing = {}, .own = {}});
  stream_.room = 150;  // less than head and event together
  const std::string event(1000, 'x');
  const std::string_view slice = event;
  EXPECT_FALSE(run(sink_.events({&slice, 1})));
  EXPECT_GE(sink_.stalled(), 10s);
  stream_.room = 1'000'000;
  const std::string sent = stream_.sent;
  EXPECT_FALSE(run(
      sink_.error({.error = {.code = Code::shutting_down, .message = "bye"}, .retry_after_seconds = {}, .own = {}})));
  EXPECT_EQ(stream_.sent, sent);
}

}  // namespace
}  // namespace weir::api

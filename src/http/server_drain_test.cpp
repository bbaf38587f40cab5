// Idle connections, and how a server ends.
#include "http/test_server.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

TEST_F(Server, closes_idle_connections_after_their_time_and_soon_when_it_drains) {
  serve_echo({.idle_timeout = 75s});
  const Instant began = world_.now();
  const Heard idle = talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(idle.ended, Code::end_of_stream);
  EXPECT_GE(idle.ended_at, began + 75s);
  EXPECT_LT(idle.ended_at, began + 76s);
  Client waiting(client_loop_, {});
  world_.run(world_.now() + 1s);
  const Instant draining = world_.now();
  drain(1h);
  world_.run(world_.now() + 1s);
  EXPECT_GE(waiting.heard.ended_at, draining + 2s);
  EXPECT_LT(waiting.heard.ended_at, draining + 3s);
}

TEST_F(Server, lets_a_running_answer_end_while_it_drains_and_says_that_it_closes) {
  serve([&](const Request&, ResponseWriter& response, RequestEnd& end) -> Task<void> {
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 5s, .cancellation = &end.cancellation});
    response.start(200);
    static_cast<void>(co_await response.whole("done"));
  });
  Client client(client_loop_, {{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}});
  world_.run(world_.now() + 1s);
  drain(10s);
  world_.run(world_.now() + 1s);
  EXPECT_TRUE(client.heard.text.ends_with("done"));
  EXPECT_NE(client.heard.text.find("connection: close\r\n"), std::string::npos);
  EXPECT_EQ(client.heard.ended, Code::end_of_stream);
}

TEST_F(Server, answers_a_request_that_was_on_its_way_when_the_drain_began) {
  serve_echo({.drain_idle_timeout = 2s});
  Client idle(client_loop_, {{.text = post("first")}, {.at = 2s, .text = post("second")}, {.at = 3s, .text = "GET /"}});
  world_.run(world_.now() + 1s);
  drain(1h);
  world_.run(world_.now() + 1s);
  EXPECT_EQ(handler_->bodies, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(count(idle.heard.text, "connection: close\r\n"), 1U);
  EXPECT_TRUE(idle.heard.text.ends_with("[second]"));
  EXPECT_EQ(idle.heard.ended, Code::end_of_stream);
}

TEST_F(Server, a_client_that_was_not_told_gets_another_answer_while_it_drains) {
  serve([&](const Request& request, ResponseWriter& response, RequestEnd&) -> Task<void> {
    response.start(200);
    response.stream(std::nullopt);
    const std::string_view piece = request.body;
    static_cast<void>(co_await response.pieces({&piece, 1}));  // the head leaves before the drain
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 5s});
    static_cast<void>(co_await response.finish());
  });
  Client client(client_loop_, {{.text = post("first")}, {.at = 6s, .text = post("second")}});
  world_.run(world_.now() + 1s);
  drain(1h);
  world_.run(world_.now() + 1s);
  EXPECT_EQ(handler_->bodies, (std::vector<std::string>{"first", "second"}));
  const std::size_t close = client.heard.text.find("connection: close\r\n");
  ASSERT_NE(close, std::string::npos);
  EXPECT_GT(close, client.heard.text.find("first"));
}

TEST_F(Server, ends_what_still_runs_when_the_drain_is_over) {
  bool told = false;
  serve([&](const Request&, ResponseWriter& response, RequestEnd& end) -> Task<void> {
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 1h, .cancellation = &end.cancellation});
    told = end.cancellation.cancelled() && !end.client_left;
    response.ignore_cancellation();
    response.start(503);
    static_cast<void>(co_await response.whole("stopping"));
  });
  Client client(client_loop_, {{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}});
  world_.run(world_.now() + 1s);
  const Instant began = world_.now();
  drain(10s);
  EXPECT_LT(world_.now() - began, 11s);
  world_.run(world_.now() + 1s);
  EXPECT_TRUE(told);
  EXPECT_TRUE(client.heard.text.ends_with("stopping"));
}

}  // namespace
}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)

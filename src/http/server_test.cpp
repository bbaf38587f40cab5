// Requests on one connection: their order, their heads, clients that leave and handlers that fail.
#include <stdexcept>

#include "http/test_server.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

TEST_F(Server, answers_pipelined_requests_in_order_and_closes_when_asked) {
  serve_echo();
  const Heard heard =
      talk(post("one") + "GET /two HTTP/1.1\r\nHost: a\r\n\r\n" + post("three", "Connection: close\r\n"));
  EXPECT_EQ(heard.ended, Code::end_of_stream);
  const std::size_t first = heard.text.find("POST /p [one]");
  const std::size_t second = heard.text.find("GET /two []");
  const std::size_t third = heard.text.find("POST /p [three]");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  ASSERT_NE(third, std::string::npos);
  EXPECT_EQ(count(heard.text, "HTTP/1.1 200 OK\r\n"), 3U);
  EXPECT_EQ(count(heard.text, "Connection: close\r\n") + count(heard.text, "connection: close\r\n"), 1U);
}

TEST_F(Server, answers_head_with_the_length_and_without_a_body) {
  serve_echo();
  const Heard heard =
      talk("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(heard.text.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_EQ(heard.text.find("HEAD /x []"), std::string::npos);
  EXPECT_TRUE(heard.text.ends_with("GET /y []"));
}

TEST_F(Server, closes_after_http_1_0_unless_asked_to_keep_the_connection) {
  serve_echo();
  const Heard plain = talk("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_EQ(plain.ended, Code::end_of_stream);
  EXPECT_TRUE(plain.text.ends_with("GET /x []"));
  const Heard kept = talk("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 10s);
  EXPECT_EQ(kept.ended, std::nullopt);
  EXPECT_NE(kept.text.find("keep-alive\r\n"), std::string::npos);
}

TEST_F(Server, tells_a_head_that_does_not_end_that_it_is_too_large) {
  serve_echo({.head_limits = {.head_bytes_max = 4096}});
  const Heard heard = talk("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(10'000, 'x'));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 431 ")) << heard.text;
  // Exactly at the bound, and nothing follows.
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const Heard full = talk(start + std::string(4096 - start.size(), 'x'));
  EXPECT_TRUE(full.text.starts_with("HTTP/1.1 431 ")) << full.text;
}

TEST_F(Server, gives_a_slow_head_its_time_and_no_more) {
  serve_echo({.head_timeout = 10s});
  std::vector<Saying> drips;
  for (int i = 0; i < 30; ++i) {
    drips.push_back({.at = std::chrono::seconds(i), .text = i == 0 ? "GET / HTTP/1.1\r\n" : "X: y\r\n"});
  }
  const Instant began = world_.now();
  const Heard heard = talk(std::move(drips));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 408 ")) << heard.text;
  EXPECT_GE(heard.last_at, began + 10s);
  EXPECT_LT(heard.last_at, began + 11s);
}

TEST_F(Server, tells_the_handler_at_once_that_its_client_left) {
  std::optional<Instant> told;
  serve([&](const Request&, ResponseWriter&, RequestEnd& end) -> Task<void> {
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 1h, .cancellation = &end.cancellation});
    EXPECT_TRUE(end.client_left);
    told = server_loop_.now();
  });
  for (const std::size_t body_bytes : {1UZ, 65'000UZ, 66'000UZ, 400'000UZ}) {  // around what is read ahead, 64 KiB
    Client client(client_loop_, {{.text = post(std::string(body_bytes, 'x'))}});
    world_.run(world_.now() + 1s);
    const Instant left = world_.now();
    client.leave();
    world_.run(world_.now() + 1s);
    ASSERT_TRUE(told) << body_bytes;
    EXPECT_LT(*told - left, 10ms);
    told.reset();
  }
}

TEST_F(Server, a_failing_handler_is_answered_500_and_reported_once) {
  serve([](const Request&, ResponseWriter&, RequestEnd&) -> Task<void> {
    throw std::runtime_error("broken handler");
    co_return;
  });
  const Heard heard = talk(post("x"));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 500 ")) << heard.text;
  EXPECT_EQ(heard.ended, Code::end_of_stream);
  EXPECT_EQ(failures_, std::vector<std::string>{"broken handler"});
}

TEST_F(Server, an_answer_that_its_handler_abandons_never_looks_finished) {
  for (const std::string version : {"HTTP/1.1", "HTTP/1.0"}) {
    for (const bool throws : {false, true}) {
      SCOPED_TRACE(version + (throws ? " throws" : " returns"));
      serve([throws](const Request&, ResponseWriter& response, RequestEnd&) -> Task<void> {
        response.start(200);
        response.stream(std::nullopt);
        const std::string_view piece = "half";
        static_cast<void>(co_await response.pieces({&piece, 1}));
        if (throws) {
          throw std::runtime_error("broken handler");
        }
      });
      const Heard heard = talk("GET / " + version + "\r\nHost: a\r\n\r\n");
      EXPECT_NE(heard.text.find("half"), std::string::npos);
      EXPECT_EQ(heard.text.find("\r\n0\r\n"), std::string::npos);
      EXPECT_EQ(heard.ended, Code::reset);
      drain();
    }
  }
}

TEST_F(Server, drops_fields_that_could_split_the_head_or_touch_the_framing) {
  serve([](const Request&, ResponseWriter& response, RequestEnd&) -> Task<void> {
    response.start(200);
    response.field("x-bad", "a\r\nX-Injected: 1");
    response.field("x bad", "name");
    response.field("Transfer-Encoding", "gzip");
    response.field("Content-Length", "999");
    response.field("x-good", "kept");
    static_cast<void>(co_await response.whole("ok"));
  });
  const Heard heard = talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(heard.text.find("Injected"), std::string::npos);
  EXPECT_EQ(heard.text.find("x bad"), std::string::npos);
  EXPECT_EQ(heard.text.find("gzip"), std::string::npos);
  EXPECT_EQ(heard.text.find("999"), std::string::npos);
  EXPECT_NE(heard.text.find("x-good: kept\r\n"), std::string::npos);
  EXPECT_NE(heard.text.find("Content-Length: 2\r\n"), std::string::npos);
}

TEST_F(Server, nothing_follows_a_piece_that_left_in_part) {
  bool failed = false;
  bool failed_again = false;
  serve([&](const Request&, ResponseWriter& response, RequestEnd&) -> Task<void> {
    response.start(200);
    response.stream(std::nullopt);
    const std::string large(std::size_t{1} << 20, 'x');
    const std::string_view piece = large;
    failed = !co_await response.pieces({&piece, 1});
    response.ignore_cancellation();
    failed_again = !co_await response.finish("the last words");
  });
  // It does not read until the drain has ended the stalled write, and reads everything then.
  Client client(client_loop_, {{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}}, 5s);
  world_.run(world_.now() + 1s);
  drain();
  world_.run(world_.now() + 10s);
  EXPECT_TRUE(failed);
  EXPECT_TRUE(failed_again);
  EXPECT_GT(client.heard.text.size(), 1000U);
  EXPECT_EQ(client.heard.text.find("the last words"), std::string::npos);
}

TEST_F(Server, last_words_take_the_place_of_a_piece_of_which_nothing_left) {
  int heard = 0;
  int cut = 0;
  // Pieces that leave as 6 bytes each, and heads whose sizes differ by one: once the connection is full behind a piece.
  for (std::size_t more = 0; more < 6; ++more) {
    serve([&](const Request&, ResponseWriter& response, RequestEnd&) -> Task<void> {
      response.start(200);
      response.field("x-more", std::string(more, 'x'));
      response.stream(std::nullopt);
      const std::string_view piece = "p";
      while (co_await response.pieces({&piece, 1})) {
      }
      EXPECT_FALSE(co_await response.finish());  // a piece is missing: without last words nothing follows
      response.ignore_cancellation();
      static_cast<void>(co_await response.finish("the last words"));
    });
    // It does not read until the drain has ended the write that waits, and reads everything then.
    Client client(client_loop_, {{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}}, 2s);
    world_.run(world_.now() + 1s);
    drain();
    world_.run(world_.now() + 10s);
    const bool all = client.heard.text.ends_with("1\r\np\r\ne\r\nthe last words\r\n0\r\n\r\n");
    EXPECT_EQ(client.heard.ended, all ? Code::end_of_stream : Code::reset);
    EXPECT_EQ(client.heard.text.contains("the last words"), all);
    ++(all ? heard : cut);
  }
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(cut, 5);
}

TEST_F(Server, does_not_take_a_refused_request_for_two) {
  serve_echo();
  const Heard heard = talk(
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled "
      "HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(count(heard.text, "HTTP/1.1 "), 1U);
  EXPECT_TRUE(handler_->bodies.empty());
}

}  // namespace
}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)

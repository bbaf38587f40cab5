// Bodies: how they are framed, coded, bounded, charged and invited.
#include <algorithm>

#include "http/chunked.hpp"
#include "http/test_codings.hpp"
#include "http/test_server.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

TEST_F(Server, reads_a_chunked_body_and_the_request_behind_it) {
  serve_echo();
  const Heard heard = talk(
      "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: "
      "x\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(heard.text.find("POST /p [abcde]"), std::string::npos);
  EXPECT_NE(heard.text.find("GET /next []"), std::string::npos);
  EXPECT_EQ(heard.ended, Code::end_of_stream);
}

TEST_F(Server, sends_continue_only_where_the_client_waits_for_it) {
  serve_echo();
  const std::string head =
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
  const Heard waiting = talk({{.text = head}, {.at = 100ms, .text = "abc"}});
  EXPECT_TRUE(waiting.text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  const Heard impatient = talk(head + "abc");
  EXPECT_TRUE(impatient.text.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Server, refuses_a_body_that_is_too_large_before_it_invites_it) {
  serve_echo({.body_bytes_max = 10});
  const Heard heard = talk("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(heard.ended, Code::end_of_stream);
  EXPECT_EQ(handler_->refusals, std::vector{Code::body_too_large});
  EXPECT_TRUE(handler_->bodies.empty());
}

TEST_F(Server, gives_its_refusal_to_a_client_that_sends_the_whole_body_first) {
  serve_echo({.body_bytes_max = 10});
  const Heard heard = talk(post(std::string(std::size_t{5} << 20, 'x')));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 413 ")) << heard.text.substr(0, 100);
  EXPECT_EQ(heard.ended, Code::end_of_stream);
}

std::string in_chunks(std::string_view body, std::size_t size) {
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) {
    const std::string_view piece = body.substr(0, size);
    out.append(ChunkHead(piece.size()).view()).append(piece).append(chunk_end);
  }
  return out.append(last_chunk);
}

TEST_F(Server, takes_the_content_coding_off_a_body_and_reads_the_request_behind_it) {
  serve_echo();
  const std::string text = "{\"messages\":[\"" + std::string(40'000, 'x') + "\"]}";
  const std::string head = "POST /p HTTP/1.1\r\nHost: a\r\n";
  for (const auto& [name, coded] :
       {std::pair<std::string, std::string>{"GZIP", gzip(text)}, {"zstd", zstd(text)}, {"identity", text}}) {
    for (const std::size_t chunk : {0U, 1U, 7U, 100'000U}) {
      handler_->bodies.clear();
      const std::string fields = "Content-Encoding: " + name + "\r\n";
      const Heard heard =
          talk((chunk == 0 ? post(coded, fields)
                           : head + fields + "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(coded, chunk)) +
               "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      ASSERT_EQ(handler_->bodies.size(), 2U) << name << chunk;
      EXPECT_EQ(handler_->bodies.front(), text) << name << chunk;
      EXPECT_TRUE(heard.text.ends_with("GET /next []"));
    }
  }
}

TEST_F(Server, a_coded_body_may_be_cut_anywhere) {
  serve_echo();
  const std::string text = R"({"messages":[{"role":"user","content":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]})";
  const std::string whole =
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
      "Connection: close\r\n\r\n" +
      in_chunks(gzip(text), 20);
  for (std::size_t cut = whole.find("\r\n\r\n"); cut < whole.size(); ++cut) {
    handler_->bodies.clear();
    talk({{.text = whole.substr(0, cut)}, {.at = 10ms, .text = whole.substr(cut)}});
    ASSERT_EQ(handler_->bodies, std::vector{text}) << cut;
  }
}

TEST_F(Server, a_bomb_is_refused_once_it_passes_the_limit_and_its_memory_is_given_back) {
  serve_echo({.body_bytes_max = std::size_t{1} << 20});
  const std::string bomb = zstd(std::string(std::size_t{64} << 20, ' '));
  ASSERT_LT(bomb.size(), 16U * 1024);
  EXPECT_TRUE(talk(post(bomb, "Content-Encoding: zstd\r\n")).text.starts_with("HTTP/1.1 413 "));
  // Exactly the limit passes, one byte more does not.
  const std::string full(std::size_t{1} << 20, 'x');
  EXPECT_TRUE(
      talk(post(gzip(full), "Connection: close\r\nContent-Encoding: gzip\r\n")).text.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(talk(post(gzip(full + "x"), "Content-Encoding: gzip\r\n")).text.starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(handler_->bodies, std::vector{full});
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(Server, what_a_coded_body_becomes_is_charged_to_the_budget) {
  serve_echo({.body_bytes_max = std::size_t{32} << 20});  // the budget has 8 MiB
  const Heard heard = talk(post(gzip(std::string(std::size_t{20} << 20, 'x')), "Content-Encoding: gzip\r\n"));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 503 ")) << heard.text.substr(0, 100);
  EXPECT_EQ(handler_->refusals, std::vector{Code::overloaded});
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(Server, refuses_coded_bodies_that_are_broken_and_codings_that_it_does_not_know) {
  serve_echo();
  const std::string coded = gzip("hello");
  EXPECT_TRUE(
      talk(post(coded.substr(0, coded.size() - 1), "Content-Encoding: gzip\r\n")).text.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(talk(post("hello", "Content-Encoding: gzip\r\n")).text.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(talk(post(coded, "Content-Encoding: br\r\n")).text.starts_with("HTTP/1.1 400 "));
  for (const std::string_view field : {"Content-Encoding: compress\r\n", "Content-Encoding: gzip, br\r\n",
                                       "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"}) {
    const Heard heard = talk(post(coded, std::string(field) + "Expect: 100-continue\r\n"));
    EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 415 ")) << heard.text;
    EXPECT_NE(heard.text.find("gzip, deflate, br, zstd"), std::string::npos);
  }
  EXPECT_TRUE(handler_->bodies.empty());
}

TEST_F(Server, others_have_their_turn_while_a_large_body_is_decoded) {
  serve_echo();
  const std::string large(std::size_t{2} << 20, 'x');
  Client slow(client_loop_, {{.text = post(gzip(large), "Content-Encoding: gzip\r\nConnection: close\r\n")}});
  Client quick(client_loop_, {{.text = post("quick", "Connection: close\r\n")}});
  world_.run_until([&] { return slow.heard.ended && quick.heard.ended; }, world_.now() + 1min);
  ASSERT_EQ(handler_->bodies.size(), 2U);
  EXPECT_EQ(handler_->bodies.back(), large);
  EXPECT_TRUE(slow.heard.text.starts_with("HTTP/1.1 200 "));
}

TEST_F(Server, an_announced_body_earns_no_time_and_no_memory_before_it_comes) {
  serve_echo({.body_timeout = 60s});
  const Instant began = world_.now();
  // Together they announce four times the budget.
  std::vector<std::unique_ptr<Client>> announcers;
  for (int i = 0; i < 16; ++i) {
    announcers.push_back(std::make_unique<Client>(
        client_loop_,
        std::vector<Saying>{{.text = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nx"}}));
  }
  world_.run(world_.now() + 1s);
  EXPECT_LT(budget_.used(), 1000U);
  const Heard honest = talk(post(std::string(1'000'000, 'x'), "Connection: close\r\n"));
  EXPECT_TRUE(honest.text.starts_with("HTTP/1.1 200 OK\r\n"));
  world_.run_until([&] { return announcers.back()->heard.ended.has_value(); }, began + 10min);
  for (const auto& announcer : announcers) {
    EXPECT_TRUE(announcer->heard.text.starts_with("HTTP/1.1 408 "));
    EXPECT_LT(announcer->heard.ended_at, began + 65s);
  }
}

TEST_F(Server, a_body_of_any_size_arrives_whole_and_padded) {
  bool padded = false;
  serve([&padded](const Request& request, ResponseWriter& response, RequestEnd&) -> Task<void> {
    // Reading the padding is allowed: an address sanitizer would object otherwise.
    volatile char last = request.body.data()[request.body.size() + platform::ByteReader::padding - 1];
    static_cast<void>(last);
    padded = true;
    response.start(200);
    static_cast<void>(co_await response.whole(std::to_string(request.body.size())));
  });
  for (const std::size_t size : {1UL, 4'000UL, 4'096UL, 65'536UL, 262'144UL, 263'168UL, 1'000'000UL, 3'000'001UL}) {
    std::string body;
    for (std::size_t i = 0; i < size; ++i) {
      body.push_back(static_cast<char>('a' + i % 23));
    }
    handler_->bodies.clear();
    const Heard heard = talk(post(body, "Connection: close\r\n"));
    EXPECT_TRUE(heard.text.ends_with("\r\n\r\n" + std::to_string(size))) << size;
    ASSERT_EQ(handler_->bodies.size(), 1U);
    EXPECT_TRUE(handler_->bodies.front() == body) << size;
  }
  EXPECT_TRUE(padded);
}

TEST_F(Server, refuses_with_503_when_the_budget_has_no_room_and_gives_all_back) {
  serve_echo();
  const Heard heard = talk(post(std::string(std::size_t{9} << 20, 'x')));
  EXPECT_TRUE(heard.text.starts_with("HTTP/1.1 503 ")) << heard.text.substr(0, 100);
  EXPECT_EQ(handler_->refusals, std::vector{Code::overloaded});
  world_.run(world_.now() + 10s);
  EXPECT_EQ(budget_.used(), 0U);
}

}  // namespace
}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)

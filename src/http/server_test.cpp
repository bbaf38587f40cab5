// The server over simulated sockets: framing, keep-alive, refusals, slow and hostile clients, failing handlers, drain.
#include "http/server.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

using namespace std::chrono_literals;
using platform::Instant;
using platform::SimulatedLoop;
using platform::SimulatedWorld;

/// Answers as the test says; refuses with the message as the body.
class ScriptedHandler final : public Handler {
 public:
  using Answer = std::function<Task<void>(const Request&, ResponseWriter&, RequestEnd&)>;
  explicit ScriptedHandler(Answer answer) : answer_(std::move(answer)) {}

  Task<void> handle(const Request& request, ResponseWriter& response, RequestEnd& end) override {
    bodies.emplace_back(request.body);
    return answer_(request, response, end);
  }
  Task<void> refuse(int status, Code code, std::string_view message, std::string_view,
                    ResponseWriter& response) override {
    refusals.push_back(code);
    response.start(status);
    static_cast<void>(co_await response.whole(message));
  }

  std::vector<std::string> bodies;
  std::vector<Code> refusals;

 private:
  Answer answer_;
};

/// What a client sends: text at a time after the connection was made.
struct Saying {
  std::chrono::milliseconds at{0};
  std::string text;
};

/// What it hears, and how the connection ended.
struct Heard {
  std::string text;
  std::optional<Code> ended;
  Instant ended_at{};
  Instant last_at{};
};

Task<void> say(SimulatedLoop& loop, platform::ByteWriter& writer, const std::vector<Saying>& sayings) {
  const Instant began = loop.now();
  for (const Saying& saying : sayings) {
    co_await platform::sleep(loop, {.deadline = began + saying.at});
    const std::string_view slice = saying.text;
    if (!co_await writer.write({&slice, 1}, {})) {
      co_return;
    }
  }
}

Task<void> listen_to(platform::ByteReader& reader, SimulatedLoop& loop, Heard& heard) {
  while (true) {
    const auto more = co_await reader.more(0, {});
    heard.text += reader.bytes();
    heard.last_at = reader.bytes().empty() ? heard.last_at : loop.now();
    reader.consume(reader.bytes().size());
    if (!more) {
      heard.ended = more.error();
      heard.ended_at = loop.now();
      co_return;
    }
  }
}

class Server : public testing::Test {
 protected:
  static constexpr std::uint16_t port = 8000;

  void serve(ScriptedHandler::Answer answer, ServerOptions options = {}) {
    handler_ = std::make_unique<ScriptedHandler>(std::move(answer));
    core_ = std::make_unique<ServerCore>(
        server_loop_, *handler_, budget_, options,
        [this](std::string_view, const std::string& what) { failures_.push_back(what); }, &peers_, shares_.get());
    acceptor_ = std::make_unique<Acceptor>(std::vector<ServerCore*>{core_.get()});
    auto listener = server_loop_.listen({"10.0.0.1", port}, *acceptor_);
    ASSERT_TRUE(listener);
    listener_ = std::move(*listener);
  }
  /// A handler that answers each request with its method, target and body.
  void serve_echo(ServerOptions options = {}) {
    serve(
        [](const Request& request, ResponseWriter& response, RequestEnd&) -> Task<void> {
          std::string body(request.head.method_text);
          body.append(" ").append(request.head.target_text).append(" [").append(request.body).append("]");
          response.start(200);
          response.field("content-type", "text/plain");
          static_cast<void>(co_await response.whole(body));
        },
        options);
  }

  /// A client that sends and listens until the server closes, or the time is over.
  class Client {
   public:
    /// Hears nothing for the first `deaf_for`.
    Client(SimulatedLoop& loop, std::vector<Saying> sayings, platform::Duration deaf_for = {})
        : sayings_(std::move(sayings)), running_(loop, talk(loop, deaf_for)) {}
    Heard heard;
    void leave() {
      running_.drop();
      stream_->close();
    }

   private:
    Task<void> talk(SimulatedLoop& loop, platform::Duration deaf_for) {
      auto dialled = co_await loop.dial({"10.0.0.1", port}, {});
      if (!dialled) {
        heard.ended = dialled.error().code;
        co_return;
      }
      stream_ = std::move(*dialled);
      reader_.emplace(loop, *stream_, platform::ByteReader::Options{});
      writer_.emplace(loop, *stream_);
      const platform::Running speaking(loop, say(loop, *writer_, sayings_));
      co_await platform::sleep(loop, {.deadline = loop.now() + deaf_for});
      reader_->start();
      co_await listen_to(*reader_, loop, heard);
      stream_->close();
    }
    std::vector<Saying> sayings_;
    std::unique_ptr<platform::Stream> stream_;
    std::optional<platform::ByteReader> reader_;
    std::optional<platform::ByteWriter> writer_;
    platform::Running running_;
  };

  Heard talk(std::vector<Saying> sayings, platform::Duration patience = 1h) {
    Client client(client_loop_, std::move(sayings));
    world_.run_until([&] { return client.heard.ended.has_value(); }, world_.now() + patience);
    return client.heard;
  }
  Heard talk(std::string text, platform::Duration patience = 1h) {
    return talk({Saying{.text = std::move(text)}}, patience);
  }

  void drain(platform::Duration grace = 0s) {
    listener_.reset();
    const platform::Running draining(server_loop_, core_->drain(world_.now() + grace));
    world_.run_until([&] { return draining.done(); }, world_.now() + 1h);
    ASSERT_TRUE(draining.done());
    EXPECT_EQ(core_->load().load(), 0);
    EXPECT_EQ(budget_.used(), 0U);
  }
  void TearDown() override {
    if (core_ && listener_) {
      drain();
    }
    world_.run(world_.now() + 1min);
    EXPECT_EQ(world_.network().open_streams(), 0U);
  }

  SimulatedWorld world_{1};
  SimulatedLoop& server_loop_ = world_.add_loop("10.0.0.1");
  SimulatedLoop& client_loop_ = world_.add_loop("10.0.0.2");
  platform::MemoryBudget budget_{std::size_t{8} << 20};
  PeerConnections peers_;
  std::unique_ptr<platform::SharedBudget> shares_ = std::make_unique<platform::SharedBudget>(std::size_t{8} << 20, 1);
  std::unique_ptr<ScriptedHandler> handler_;
  std::unique_ptr<ServerCore> core_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<platform::Listener> listener_;
  std::vector<std::string> failures_;
};

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

std::string post(std::string_view body, std::string_view more_fields = {}) {
  return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more_fields) + "\r\n" + std::string(body);
}

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

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
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

TEST_F(Server, tells_the_handler_at_once_that_its_client_left) {
  std::optional<Instant> told;
  serve([&](const Request&, ResponseWriter&, RequestEnd& end) -> Task<void> {
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 1h, .cancellation = &end.cancellation});
    EXPECT_TRUE(end.client_left);
    told = server_loop_.now();
  });
  Client client(client_loop_, {{.text = post("x")}});
  world_.run(world_.now() + 1s);
  const Instant left = world_.now();
  client.leave();
  world_.run(world_.now() + 1s);
  ASSERT_TRUE(told);
  EXPECT_LT(*told - left, 10ms);
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

TEST_F(Server, refuses_connections_beyond_its_bound_without_losing_count) {
  serve_echo({.connections_max = 2});
  Client first(client_loop_, {});
  Client second(client_loop_, {});
  world_.run(world_.now() + 1s);
  const Heard third = talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10s);
  EXPECT_EQ(third.ended, Code::end_of_stream);
  EXPECT_TRUE(third.text.starts_with("HTTP/1.1 503 ")) << third.text;
  EXPECT_EQ(handler_->refusals, std::vector{Code::overloaded});
  EXPECT_EQ(core_->statistics().refused_full, 1U);
  world_.run(world_.now() + 2s);
  EXPECT_EQ(core_->load().load(), 2);
}

TEST_F(Server, tells_a_flood_beyond_its_bound_only_as_far_as_that_is_cheap) {
  serve_echo({.connections_max = 2});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(client_loop_, std::vector<Saying>()));  // they never leave by themselves
  }
  world_.run(world_.now() + 500ms);
  EXPECT_EQ(core_->statistics().refused_full, 198U);
  EXPECT_EQ(handler_->refusals.size(), 64U);
  world_.run(world_.now() + 5s);
  EXPECT_EQ(core_->load().load(), 2);
  clients[0]->leave();
  world_.run(world_.now() + 1s);
  const Heard next = talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(next.text.starts_with("HTTP/1.1 200 ")) << "a place that became free is given again";
}

TEST_F(Server, holds_no_more_of_one_address_than_its_share_of_the_budget) {
  shares_ = std::make_unique<platform::SharedBudget>(std::size_t{4} << 20, 1);
  serve_echo();
  SimulatedLoop& other = world_.add_loop("10.0.0.4");
  const std::size_t large = std::size_t{1500} << 10;
  const std::string unfinished = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(large + 1) +
                                 "\r\n\r\n" + std::string(large, 'x');
  const std::string chunk =
      "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n177000\r\n" + std::string(large, 'x') + "\r\n";
  std::vector<std::unique_ptr<Client>> greedy;
  for (const std::string& text : {unfinished, chunk, unfinished}) {
    greedy.push_back(std::make_unique<Client>(client_loop_, std::vector<Saying>{{.text = text}}));
    world_.run(world_.now() + 2s);
  }
  EXPECT_EQ(handler_->refusals, std::vector{Code::overloaded});
  EXPECT_NE(greedy[2]->heard.text.find("this address"), std::string::npos) << greedy[2]->heard.text;
  Client bystander(other, {{.text = post(std::string(large, 'x'), "Connection: close\r\n")}});
  world_.run(world_.now() + 2s);
  EXPECT_TRUE(bystander.heard.text.starts_with("HTTP/1.1 200 "));
  const Heard small = talk(post("small", "Connection: close\r\n"), 5s);
  EXPECT_TRUE(small.text.starts_with("HTTP/1.1 200 ")) << "what costs little is not refused";
  greedy.front()->leave();
  world_.run(world_.now() + 2s);
  const Heard after = talk(post(std::string(large, 'x'), "Connection: close\r\n"), 5s);
  EXPECT_TRUE(after.text.starts_with("HTTP/1.1 200 ")) << "what was held was given back";
  greedy[1]->leave();
}

TEST_F(Server, counts_what_is_between_a_request_and_its_answer_as_active) {
  serve([this](const Request&, ResponseWriter& response, RequestEnd&) -> Task<void> {
    co_await platform::sleep(server_loop_, {.deadline = server_loop_.now() + 1s});
    response.start(200);
    static_cast<void>(co_await response.whole("late"));
  });
  const Client idle(client_loop_, {});
  const Client working(client_loop_, {{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}});
  world_.run(world_.now() + 500ms);
  EXPECT_EQ(core_->statistics().active, 1U);
  EXPECT_EQ(core_->load().load(), 2);
  world_.run(world_.now() + 2s);
  EXPECT_EQ(core_->statistics().active, 0U);
  EXPECT_EQ(core_->load().load(), 2);
}

TEST_F(Server, one_address_opens_so_many_connections_and_others_are_not_touched) {
  peers_.limit(2);
  serve_echo({.trusted_proxies = {*platform::parse_network("10.0.0.3")}});
  SimulatedLoop& proxy = world_.add_loop("10.0.0.3");
  SimulatedLoop& other = world_.add_loop("10.0.0.4");
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::vector<std::unique_ptr<Client>> clients;
  for (SimulatedLoop* loop : {&client_loop_, &client_loop_, &client_loop_, &other, &proxy, &proxy, &proxy}) {
    clients.push_back(std::make_unique<Client>(*loop, std::vector<Saying>{{.at = 1s, .text = request}}));
    world_.run(world_.now() + 100ms);
  }
  world_.run(world_.now() + 2s);
  EXPECT_EQ(handler_->bodies.size(), 6U);
  EXPECT_TRUE(clients[2]->heard.ended.has_value());
  EXPECT_EQ(core_->statistics().refused_address, 1U);
  EXPECT_EQ(peers_.refused(), 1U);
  clients[0]->leave();
  world_.run(world_.now() + 1s);
  const Heard next = talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(next.text.starts_with("HTTP/1.1 200 ")) << "a place that became free is given again";
}

TEST_F(Server, a_trusted_proxy_says_who_the_caller_is) {
  std::vector<std::string> callers;
  serve(
      [&callers](const Request& request, ResponseWriter& response, RequestEnd&) -> Task<void> {
        callers.emplace_back(request.peer.substr(0, request.peer.find(':')));
        response.start(200);
        static_cast<void>(co_await response.whole(""));
      },
      {.trusted_proxies = {*platform::parse_network("10.0.0.2")}});
  talk(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1, 198.51.100.7\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(callers, (std::vector<std::string>{"198.51.100.7", "10.0.0.2"}));
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

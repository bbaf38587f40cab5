// What goes to a provider's wire, and what must not come back from it.
#include "providers/openai_provider.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::providers {
namespace {

using namespace std::chrono_literals;

class OpenAi : public testing::Test, protected platform::AcceptHandler {
 protected:
  OpenAi() { listener_ = std::move(*server_loop_.listen({"10.0.0.1", 80}, *this)); }
  ~OpenAi() override { listener_.reset(); }
  void on_accept(std::unique_ptr<platform::Accepted> accepted) override {
    serving_.push_back(std::make_unique<platform::Running>(server_loop_, serve(accepted->open_on(server_loop_))));
  }
  Task<void> serve(std::unique_ptr<platform::Stream> stream) {
    platform::ByteReader reader(server_loop_, *stream, {});
    platform::ByteWriter writer(server_loop_, *stream);
    reader.start();
    while (co_await reader.more(0, {})) {
      heard_ += reader.bytes();
      reader.consume(reader.bytes().size());
      constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
      static_cast<void>(co_await writer.write({&answer, 1}, {}));
    }
    stream->close();
  }
  Task<void> ask(OpenAiProvider& provider, UpstreamRequest request) {
    UpstreamFacts facts;
    auto reply = co_await provider.send(request, facts, {.deadline = loop_.now() + 10s});
    EXPECT_TRUE(reply.has_value());
    if (reply) {
      static_cast<void>(co_await (*reply)->read({.deadline = loop_.now() + 10s}));
    }
  }
  /// What the server heard of one request.
  std::string wire(OpenAiProvider& provider, const std::vector<http::Header>& headers, std::string_view query = {}) {
    heard_.clear();
    static constexpr std::string_view slices[] = {"{\"a\":", "1}"};
    const platform::Running running(
        loop_, ask(provider,
                   {.path = "/chat/completions", .query = query, .body = slices, .body_bytes = 7, .headers = headers}));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
    return heard_;
  }
  void close(OpenAiProvider& provider) {
    const platform::Running closing(loop_, provider.close());
    world_.run_until([&] { return closing.done(); }, world_.now() + 1h);
  }
  OpenAiProvider::Options options(std::vector<std::string> keys) {
    std::vector<KeyPool::KeyOptions> pooled;
    for (std::string& key : keys) {
      pooled.push_back({.label = fmt::format("key-{}", pooled.size() + 1), .value = Secret(std::move(key))});
    }
    return {
        .name = "a",
        .peer = {"10.0.0.1", 80},
        .host = "api.example.com",
        .base_path = "/v1",
        .keys = pooled.empty() ? nullptr : std::make_shared<KeyPool>("a", std::move(pooled), KeyChoice::round_robin),
        .headers = {{"X-Team", "blue"}}};
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& server_loop_ = world_.add_loop("10.0.0.1");
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.2");
  std::vector<std::unique_ptr<platform::Running>> serving_;
  std::unique_ptr<platform::Listener> listener_;
  std::string heard_;
};

TEST_F(OpenAi, writes_one_request_with_its_own_key_host_and_length) {
  OpenAiProvider provider(loop_, options({"sk-1"}));
  const std::string text =
      wire(provider, {{.name = "X-Custom", .value = "1"}, {.name = "x-team", .value = "red"}}, "api-version=2");
  EXPECT_TRUE(text.starts_with("POST /v1/chat/completions?api-version=2 HTTP/1.1\r\n")) << text;
  EXPECT_NE(text.find("host: api.example.com\r\n"), std::string::npos);
  EXPECT_NE(text.find("authorization: Bearer sk-1\r\n"), std::string::npos);
  EXPECT_NE(text.find("accept-encoding: identity\r\n"), std::string::npos);
  EXPECT_NE(text.find("X-Custom: 1\r\n"), std::string::npos);
  EXPECT_NE(text.find("X-Team: blue\r\n"), std::string::npos);
  EXPECT_EQ(text.find("red"), std::string::npos) << "the operator's word stands above the caller's";
  EXPECT_NE(text.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n{\"a\":1}"));
  close(provider);
}

TEST_F(OpenAi, a_configured_header_stands_alone) {
  // Two Authorization fields are refused by some servers and read as the wrong one by others.
  auto with_headers = options({"sk-1"});
  with_headers.headers = {
      {"Authorization", "Basic abc"}, {"Accept-Encoding", "gzip"}, {"traceparent", "00-1"}, {"content-TYPE", "a/b"}};
  OpenAiProvider provider(loop_, with_headers);
  std::string text = wire(provider, {{.name = "Content-Type", .value = "application/json"}});
  std::ranges::transform(text, text.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view name : {"authorization: ", "accept-encoding: ", "traceparent: ", "content-type: "}) {
    const std::size_t first = text.find(name);
    ASSERT_NE(first, std::string::npos) << text;
    EXPECT_EQ(text.find(name, first + 1), std::string::npos) << text;
  }
  EXPECT_TRUE(text.contains("authorization: basic abc")) << text;
  close(provider);
}

TEST_F(OpenAi, puts_the_query_of_its_address_before_the_callers) {
  auto with_query = options({});
  with_query.base_query = "api-version=2024-10-21";
  OpenAiProvider provider(loop_, with_query);
  EXPECT_TRUE(wire(provider, {}).starts_with("POST /v1/chat/completions?api-version=2024-10-21 HTTP/1.1"));
  EXPECT_TRUE(wire(provider, {}, "a=b").starts_with("POST /v1/chat/completions?api-version=2024-10-21&a=b HTTP/1.1"));
  close(provider);
}

TEST_F(OpenAi, uses_its_keys_in_turn) {
  OpenAiProvider provider(loop_, options({"sk-1", "sk-2"}));
  std::string used;
  for (int i = 0; i < 4; ++i) {
    const std::string text = wire(provider, {});
    used += text.substr(text.find("Bearer ") + 7, 5);
  }
  EXPECT_EQ(used, "sk-1\rsk-2\rsk-1\rsk-2\r");
  close(provider);
}

TEST_F(OpenAi, sends_nothing_where_its_last_key_is_taken_out_while_the_call_waits_for_a_connection) {
  for (const bool chosen_by_caller : {true, false}) {
    OpenAiProvider provider(loop_, options({"sk-1"}));
    Code ended = Code::internal;
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): it lives as long as `running`
    const auto ask = [&]() -> Task<void> {
      UpstreamFacts facts;
      static constexpr std::string_view slices[] = {"{}"};
      UpstreamRequest request{.path = "/chat/completions", .body = slices, .body_bytes = 2};
      request.on_connected = [&](platform::Instant) { provider.keys()->open_by_hand(0); };
      if (chosen_by_caller) {
        request.choose_key = [](platform::Instant) -> const KeyPool::Lease* { return nullptr; };
      }
      auto reply = co_await provider.send(request, facts, {.deadline = loop_.now() + 10s});
      EXPECT_FALSE(reply.has_value());
      if (!reply) {
        ended = reply.error().code;
      }
    };
    heard_.clear();
    const platform::Running running(loop_, ask());
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_EQ(ended, Code::upstream_credentials);
    EXPECT_EQ(heard_, "");
    EXPECT_EQ(provider.keys()->states(loop_.now())[0].in_flight, 0);
    provider.keys()->close_by_hand(0);
    EXPECT_TRUE(wire(provider, {}).contains("Bearer sk-1")) << "and the next call is as any other";
    close(provider);
  }
}

TEST_F(OpenAi, takes_its_keys_out_of_words_that_echo_them) {
  const OpenAiProvider provider(loop_, options({"sk-1", "", "sk-22"}));
  std::string words = "Bearer sk-1 is wrong; sk-22, too: sk-1";
  provider.conceal(words);
  EXPECT_EQ(words, "Bearer [secret] is wrong; [secret], too: [secret]");
}

}  // namespace
}  // namespace weir::providers

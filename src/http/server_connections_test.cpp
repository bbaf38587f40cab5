// Whose connections these are, and how many there may be.
#include "http/test_server.hpp"

// The lambdas below are kept by the fixture, which outlives every coroutine that they make.
// NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines)
namespace weir::http {
namespace {

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

}  // namespace
}  // namespace weir::http
// NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)

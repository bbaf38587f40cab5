// Endpoints over simulated sockets, without providers: what each kind of request gets.
#include "api/router.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "api/inference.hpp"
#include "api/models.hpp"
#include "api/reply.hpp"
#include "api/status.hpp"
#include "ledger/test_sink.hpp"
#include "observe/metric_names.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "platform/test_talk.hpp"
#include "providers/mock_provider.hpp"

namespace weir::api {
namespace {

using namespace std::chrono_literals;

class OneShard final : public MetricSource {
 public:
  explicit OneShard(gateway::Core& core) : core_(core) {}
  Task<std::optional<observe::MetricShard>> gather(platform::Loop&, platform::Until) override {
    co_return core_.metrics;
  }

 private:
  gateway::Core& core_;
};

class Endpoints : public testing::Test {
 protected:
  Endpoints() {
    auto snapshot = std::make_shared<gateway::Snapshot>();
    snapshot->models.exact["smart"] = {.name = "smart", .steps = {{.any_of = {{.provider = "mock", .model = "x"}}}}};
    snapshot->providers.emplace("mock", std::make_shared<providers::MockProvider>(loop_, providers::MockOptions{}));
    core_.snapshot = std::move(snapshot);
    add_inference_endpoints(registry_);
    add_model_endpoints(registry_, directory_);
    add_status_endpoints(registry_, ready_, metrics_);
    static constexpr std::array<std::string_view, 1> story = {"story"};
    registry_.add({.method = "GET",
                   .path = "/admin/v1/things/{id}",
                   .upstream_path = "",
                   .auth = gateway::AuthClass::admin,
                   .limits = gateway::LimitsClass::admin,
                   .summary = "",
                   .parameters = story},
                  [](ApiRequest& request) { return echo_rest(request); });
    registry_.add({.method = "POST", .path = "/v1/models", .upstream_path = "", .summary = ""},
                  [](ApiRequest& request) { return reply_json(request, 200, "{}"); });
    auto listener = loop_.listen({"10.0.0.1", 80}, acceptor_);
    listener_ = std::move(*listener);
  }
  static Task<void> echo_rest(ApiRequest& request) {
    const std::string body = "{\"rest\":\"" + std::string(request.rest) + "\"}";
    co_await reply_json(request, 200, body);
  }
  ~Endpoints() override {
    listener_.reset();
    const platform::Running draining(loop_, server_.drain(world_.now()));
    world_.run_until([&] { return draining.done(); }, world_.now() + 1h);
  }

  struct Reply {
    int status = 0;
    std::string head;
    std::string body;
    [[nodiscard]] boost::json::object error() const {
      return boost::json::parse(body).as_object().at("error").as_object();
    }
    [[nodiscard]] bool has(std::string_view field) const { return head.find(field) != std::string::npos; }
  };
  Reply ask(std::string_view request_line, std::string_view fields = {}, std::string_view body = {}) {
    std::string heard;
    const platform::Running running(
        client_loop_,
        platform::talk(client_loop_, {"10.0.0.1", 80},
                       fmt::format("{} HTTP/1.1\r\nConnection: close\r\n{}{}Content-Length: {}\r\n\r\n{}", request_line,
                                   fields.find("Host") == std::string_view::npos ? "Host: localhost\r\n" : "", fields,
                                   body.size(), body),
                       heard));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
    const std::size_t end = heard.find("\r\n\r\n");
    if (end == std::string::npos) {
      ADD_FAILURE() << "no head: " << heard;
      return {};
    }
    Reply reply{
        .status = std::stoi(heard.substr(9, 3)), .head = heard.substr(0, end + 2), .body = heard.substr(end + 4)};
    EXPECT_TRUE(reply.has("x-weir-request-id: req_")) << reply.head;
    EXPECT_TRUE(reply.has("x-request-id: ")) << reply.head;
    EXPECT_TRUE(reply.has("x-weir-attempts: ")) << reply.head;
    EXPECT_TRUE(reply.has("server-timing: weir;dur=")) << reply.head;
    return reply;
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  platform::SimulatedLoop& client_loop_ = world_.add_loop("10.0.0.2");
  ledger::TestSink log_;
  gateway::Core core_{
      .loop = loop_, .snapshot = {}, .records = log_, .log = log_, .tees = {}, .relay = {}, .metrics = {}};
  std::atomic<bool> ready_ = true;
  OneShard metrics_{core_};
  gateway::ModelDirectory directory_;
  Registry registry_;
  Router router_{registry_, core_, {.loopback_only = true}};
  platform::MemoryBudget budget_{std::size_t{64} << 20};
  http::ServerCore server_{
      loop_, router_, budget_, {}, [](std::string_view, const std::string& what) { ADD_FAILURE() << what; }};
  http::Acceptor acceptor_{{&server_}};
  std::unique_ptr<platform::Listener> listener_;
};

TEST_F(Endpoints, what_no_endpoint_takes_gets_an_error_object) {
  const Reply unknown = ask("GET /nothing/here");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_TRUE(unknown.has("content-type: application/json"));
  EXPECT_NE(unknown.error().at("message").as_string().find("/nothing/here"), std::string::npos);
  const Reply method = ask("DELETE /v1/models");
  EXPECT_EQ(method.status, 405);
  EXPECT_NE(method.error().at("message").as_string().find("GET, HEAD, POST"), std::string::npos);
  EXPECT_EQ(ask("GET /v1/chat/completions").status, 405);
  EXPECT_NE(unknown.error().at("message").as_string().find("/v1/chat/completions"), std::string::npos);
  const Reply admin = ask("GET /admin/v1/nope");
  EXPECT_EQ(admin.status, 404);
  EXPECT_TRUE(
      admin.error().at("message").as_string().ends_with("GET /openapi.json describes what there is under /admin/v1."));
  EXPECT_TRUE(
      ask("POST /admin/v1/thing").error().at("message").as_string().ends_with("did you mean \"/admin/v1/things\"?"));
  EXPECT_EQ(ask("GET /admin/v1/things/").status, 404);
  EXPECT_EQ(ask("BREW /x", "", "").status, 404);
}

TEST_F(Endpoints, head_is_get_without_the_body) {
  const Reply get = ask("GET /v1/models");
  const Reply head = ask("HEAD /v1/models");
  EXPECT_EQ(get.body, R"({"object":"list","data":[{"id":"smart","object":"model","created":0,"owned_by":"weir"}]})");
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.has(fmt::format("Content-Length: {}\r\n", get.body.size())));
  EXPECT_EQ(head.body, "");
}

TEST_F(Endpoints, readiness_follows_the_flag_and_says_when_to_come_back) {
  EXPECT_EQ(ask("GET /readyz").status, 200);
  ready_ = false;
  const Reply not_ready = ask("GET /readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_TRUE(not_ready.has("retry-after: "));
  EXPECT_EQ(ask("GET /healthz").status, 200);
}

TEST_F(Endpoints, admin_answers_loopback_names_alone) {
  for (const std::string_view fields :
       {"Host: localhost\r\n", "Host: 127.0.0.1:8000\r\n", "Host: [::1]:8000\r\n", "Host: LocalHost\r\n",
        "Host: localhost\r\nOrigin: http://127.0.0.1:3000\r\n"}) {
    EXPECT_EQ(ask("GET /admin/v1/things/x", fields).status, 200) << fields;
  }
  for (const std::string_view fields :
       {"Host: evil.example\r\n", "Host: 127.evil.example\r\n", "Host: localhost.evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n", "Host: localhost\r\nOrigin: http://localhost@evil.example\r\n",
        "Host: localhost\r\nOrigin: http://localhost.evil.example\r\n"}) {
    EXPECT_EQ(ask("GET /admin/v1/things/x", fields).status, 403) << fields;
  }
  EXPECT_EQ(ask("GET /admin/v1/things/a/b").body, R"({"rest":"a/b"})");
}

TEST_F(Endpoints, admin_takes_no_parameter_that_it_does_not_know) {
  EXPECT_EQ(ask("GET /admin/v1/things/x?story=true").status, 200);
  const Reply refused = ask("GET /admin/v1/things/x?story=true&stroy=1");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.error().at("param").as_string(), "stroy");
  EXPECT_NE(refused.error().at("message").as_string().find("did you mean \"story\"?"), std::string::npos);
  EXPECT_EQ(ask("GET /admin/v1/things/x?stroy=1", "Host: evil.example\r\n").status, 403)
      << "who may not ask is told so";
  EXPECT_EQ(ask("GET /v1/models?anything=1").status, 200) << "callers' programs send what they like";
}

TEST_F(Endpoints, a_call_that_cannot_be_read_is_refused_by_name) {
  EXPECT_EQ(ask("POST /v1/chat/completions", "", "{oops").status, 400);
  const Reply missing = ask("POST /v1/chat/completions", "", R"({"model":"smart"})");
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.error().at("param").as_string(), "messages");
  const Reply unnamed = ask("POST /v1/chat/completions", "", R"({"messages":[]})");
  EXPECT_EQ(unnamed.error().at("code").as_string(), "model_required");
}

TEST_F(Endpoints, a_model_name_as_large_as_a_body_does_not_reach_the_records) {
  const Reply refused =
      ask("POST /v1/chat/completions", "", R"({"messages":[],"model":")" + std::string(2'000'000, 'x') + "\"}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_LT(refused.body.size(), 1000U);
  EXPECT_EQ(refused.error().at("param").as_string(), "model");
  const Reply answered = ask("POST /v1/chat/completions", "X-Request-Id: " + std::string(30'000, 'r') + "\r\n",
                             R"({"messages":[],"model":"smart"})");
  EXPECT_EQ(answered.status, 200);
  ASSERT_FALSE(log_.records.empty());
  EXPECT_LT(ledger::to_json(*log_.records.back()).size(), 4000U);
}

TEST_F(Endpoints, labels_of_metrics_are_never_the_callers_words) {
  ask("POST /v1/chat/completions", "", R"({"messages":[],"model":"made-up-by-a-caller"})");
  ask("POST /v1/chat/completions", "", R"({"messages":[],"model":"smart"})");
  ask("GET /made-up-by-a-caller");
  const std::string text = ask("GET /metrics/prometheus").body;
  EXPECT_EQ(text.find("made-up"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(weir_requests_total{endpoint="/v1/chat/completions",route="smart",status="200"} 1)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(weir_attempts_total{target="mock/x",outcome="complete"} 1)"), std::string::npos) << text;
}

}  // namespace
}  // namespace weir::api

// Every endpoint that there is, asked with every kind of key: what the registry holds, whoever added it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "app/config_load.hpp"
#include "app/node.hpp"
#include "dialects/openai/operation.hpp"
#include "observe/silent_log.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "platform/test_talk.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;
using gateway::AuthClass;

class KeptLog final : public observe::SilentLog {
 public:
  void request(std::shared_ptr<const observe::LogLine> line) override { line->append_to(lines); }
  std::string lines;
};

/// `slow` gives nothing for long; nobody knows what `dear` costs.
constexpr std::string_view providers =
    "providers:\n"
    "  m: {dialect: mock}\n"
    "  s: {dialect: mock, mock: {first_token: 50s}}\n"
    "  u: {dialect: openai, base_url: \"http://127.0.0.1:9/v1\", keys: none}\n"
    "models: {x: m/a, other: m/b, slow: s/a, dear: u/a}\n";
constexpr std::string_view keys = R"(
auth:
  admin_key: the-admin-key
  keys:
    - {name: good, value: the-good-key, tenant: team, user: ada}
    - {name: idle, value: the-off-key, active: false}
    - {name: old, value: the-old-key, expires_at: 2001-01-01}
    - {name: far, value: the-far-key, ip_allow: [192.0.2.0/24]}
    - {name: other, value: the-other-model-key, models: [other]}
    - {name: bound, value: the-bound-key, endpoints: [/v1/elsewhere]}
    - {name: chief, value: the-chief-key, role: admin}
    - {name: watch, value: the-watch-key, role: operator}
)";

std::shared_ptr<const Config> config_of(std::string_view auth) {
  const ConfigOutcome outcome = parse_config(fmt::format("{}{}", providers, auth), "weir.yaml", {}, {});
  EXPECT_TRUE(outcome.config) << fmt::format("{}", outcome.errors.empty() ? "" : outcome.errors.front());
  return std::make_shared<const Config>(outcome.config.value_or(Config{}));
}

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
  [[nodiscard]] bool refused() const { return status == 401 || status == 403; }
  [[nodiscard]] std::string code() const {
    boost::system::error_code failed;
    const auto parsed = boost::json::parse(body, failed);
    const auto* error = failed || !parsed.is_object() ? nullptr : parsed.as_object().if_contains("error");
    if (error == nullptr || !error->is_object()) {
      return "no error object: " + body;
    }
    const auto& object = error->as_object();
    for (const char* member : {"message", "type", "param", "code"}) {
      EXPECT_TRUE(object.contains(member)) << body;
    }
    return object.at("code").is_string() ? std::string(object.at("code").as_string()) : "null";
  }
};

/// What a key is refused with for itself, at every endpoint that asks for one.
const std::map<std::string_view, int> refusals_of_keys{
    {"missing_api_key", 401},          {"invalid_api_key", 401},   {"inactive_api_key", 401},
    {"expired_api_key", 401},          {"ip_not_allowed", 403},    {"endpoint_not_allowed", 403},
    {"insufficient_permissions", 403}, {"model_not_allowed", 403},
};

/// What it is refused with for what was used, at every endpoint that calls a model.
struct RefusalOfUse {
  std::string_view key;
  std::string_view code;
  std::string_view type;
  std::string_view field;  // that says when to come back, or not to
  std::string_view model = "x";
};
constexpr RefusalOfUse refusals_of_use[] = {
    {"the-limited-key", "rate_limit_exceeded", "rate_limit_error", "retry-after-ms: "},
    {"the-spent-key", "quota_exhausted", "insufficient_quota", "x-should-retry: false"},
    {"the-busy-key", "budget_busy", "rate_limit_error", "retry-after: 1"},
    {"the-priced-key", "price_unknown", "invalid_request_error", "content-type: application/json", "dear"},
};

/// The codes of 401 and 403 in the table of docs/keys.md, and "" for being let in.
std::set<std::string> documented_refusals() {
  std::set<std::string> codes{""};
  std::ifstream page(std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "docs/keys.md");
  for (std::string line; std::getline(page, line);) {
    if (line.find("| 401 |") == std::string::npos && line.find("| 403 |") == std::string::npos) {
      continue;
    }
    const std::string names = line.substr(0, line.find('|', 1));
    for (std::size_t at = names.find('`'); at != std::string::npos; at = names.find('`', at + 1)) {
      const std::size_t end = names.find('`', at + 1);
      codes.insert(names.substr(at + 1, end - at - 1));
      at = end;
    }
  }
  return codes;
}

class NodeAuth : public testing::Test {
 protected:
  explicit NodeAuth(std::string_view auth = keys) : config_(config_of(auth)) {
    const auto listening = node_.listen();
    EXPECT_TRUE(listening) << listening.error().message;
  }
  ~NodeAuth() override {
    bool stopped = false;
    node_.shut_down({.grace = 1s}, [&] { stopped = true; });
    world_.run_until([&] { return stopped; }, world_.now() + 1h);
    EXPECT_TRUE(stopped);
  }

  /// A refusal is heard to its end, of others the head: a stream may have no end.
  static bool enough(std::string_view heard) {
    return heard.find("\r\n\r\n") != std::string_view::npos && !heard.starts_with("HTTP/1.1 4") &&
           !heard.starts_with("HTTP/1.1 5");
  }
  Reply ask(std::string_view method, std::string_view path, std::string_view fields, std::string_view body = {}) {
    std::string heard;
    const platform::Running running(
        loop_, platform::talk(loop_, {"127.0.0.1", 8000},
                              fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}Content-Length: "
                                          "{}\r\n\r\n{}",
                                          method, path, fields, body.size(), body),
                              heard, enough));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done()) << method << " " << path;
    const std::size_t end = heard.find("\r\n\r\n");
    if (end == std::string::npos) {
      ADD_FAILURE() << method << " " << path << ": no head: " << heard;
      return {};
    }
    Reply reply{.status = std::stoi(heard.substr(9, 3)), .head = heard.substr(0, end), .body = heard.substr(end + 4)};
    if (reply.refused()) {
      EXPECT_NE(reply.head.find("content-type: application/json"), std::string::npos) << reply.head;
      EXPECT_NE(reply.head.find("x-weir-request-id: req_"), std::string::npos) << reply.head;
      EXPECT_EQ(reply.head.find("www-authenticate: Bearer") != std::string::npos, reply.status == 401) << reply.head;
    }
    return reply;
  }
  Reply ask(const gateway::Endpoint& endpoint, std::string_view fields, std::string_view model = "x") {
    std::string path(endpoint.path);
    if (const std::size_t brace = path.find('{'); brace != std::string::npos) {
      path.replace(brace, path.find('}', brace) + 1 - brace, "x");
    }
    return ask(endpoint.method, path, fields, body_for(endpoint, model));
  }
  /// A call of the model that is good but for who sends it.
  static std::string body_for(const gateway::Endpoint& endpoint, std::string_view model) {
    if (endpoint.operation == nullptr) {
      return "";
    }
    if (endpoint.path == "/v1/generate" || endpoint.operation == &openai::text_completion) {
      return fmt::format(R"({{"model":"{}","prompt":"a"}})", model);
    }
    if (endpoint.operation == &openai::embedding) {
      return fmt::format(R"({{"model":"{}","input":"a"}})", model);
    }
    return fmt::format(R"({{"model":"{}","messages":[]}})", model);
  }
  /// The three spellings in turn.
  std::string with(std::string_view key) {
    constexpr std::string_view spellings[] = {"Authorization: Bearer {}\r\n", "X-API-Key: {}\r\n", "api-key: {}\r\n"};
    return fmt::format(fmt::runtime(spellings[spelling_++ % 3]), key);
  }
  void reload(std::string_view auth) {
    bool done = false;
    ASSERT_TRUE(node_.reload(config_of(auth), [&] { done = true; }));
    world_.run_until([&] { return done; }, world_.now() + 1min);
    ASSERT_TRUE(done);
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("127.0.0.1");
  KeptLog log_;
  std::shared_ptr<const Config> config_;
  Node node_{{&loop_}, config_, log_};
  std::size_t spelling_ = 0;
};

TEST_F(NodeAuth, guards_every_endpoint_that_is_registered) {
  struct Row {
    std::string fields;
    std::string_view caller;  // the code, or "" where he may
    std::string_view admin;
  };
  const std::vector<Row> rows{
      {"", "missing_api_key", "missing_api_key"},
      {"Authorization: Basic eDp5\r\n", "missing_api_key", "missing_api_key"},
      {with("nobody's-key"), "invalid_api_key", "invalid_api_key"},
      {with("wr-mistyped"), "invalid_api_key", "invalid_api_key"},
      {"X-API-Key: the-good-key\r\napi-key: the-chief-key\r\n", "invalid_api_key", "invalid_api_key"},
      {with("the-off-key"), "inactive_api_key", "inactive_api_key"},
      {with("the-old-key"), "expired_api_key", "expired_api_key"},
      {with("the-far-key"), "ip_not_allowed", "ip_not_allowed"},
      {with("the-bound-key"), "endpoint_not_allowed", "insufficient_permissions"},
      {with("the-good-key"), "", "insufficient_permissions"},
      {with("the-admin-key"), "insufficient_permissions", ""},
      {with("the-chief-key"), "", ""},
      {with("the-watch-key"), "", ""},
  };
  std::map<AuthClass, int> seen;
  std::set<std::string> reached;
  for (const api::Registry::Entry& entry : node_.registry().entries()) {
    const gateway::Endpoint& endpoint = entry.endpoint;
    ++seen[endpoint.auth];
    for (const Row& row : rows) {
      const Reply reply = ask(endpoint, row.fields);
      const std::string_view expected = endpoint.auth == AuthClass::caller  ? row.caller
                                        : endpoint.auth == AuthClass::admin ? row.admin
                                                                            : std::string_view();
      const auto where = fmt::format("{} {} with {}", endpoint.method, endpoint.path, row.fields);
      const std::string code = reply.refused() ? reply.code() : "";
      reached.insert(code);
      EXPECT_EQ(code, expected) << where;
      if (!expected.empty()) {
        EXPECT_EQ(reply.status, refusals_of_keys.at(expected)) << where;
      } else {
        // This node has no store: what is kept there is not to be had by anybody.
        EXPECT_TRUE(reply.status < 500 || reply.code() == "store_unavailable") << where << ": " << reply.body;
      }
    }
    // A key for other models: where a model is named.
    const bool names_model = endpoint.operation != nullptr || endpoint.path == "/v1/models/{id}";
    const Reply reply = ask(endpoint, with("the-other-model-key"));
    if (names_model) {
      EXPECT_EQ(reply.status, 403) << endpoint.path;
      EXPECT_EQ(reply.code(), "model_not_allowed") << endpoint.path;
      reached.insert("model_not_allowed");
    } else if (endpoint.auth == AuthClass::caller) {
      EXPECT_FALSE(reply.refused()) << endpoint.path;
    }
  }
  for (const auto& [code, status] : refusals_of_keys) {
    EXPECT_TRUE(reached.contains(std::string(code))) << code << " is documented, and no endpoint answers it";
  }
  EXPECT_EQ(documented_refusals(), reached) << "docs/keys.md and what the endpoints answer";
  EXPECT_GE(seen[AuthClass::caller], 6);
  EXPECT_GE(seen[AuthClass::admin], 4);
  EXPECT_GE(seen[AuthClass::open], 6);
  EXPECT_GE(seen[AuthClass::page], 3);
  for (const std::string_view part : {"the-", "nobody's-key", "wr-mistyped"}) {
    EXPECT_EQ(log_.lines.find(part), std::string::npos) << "a key is in the log";
  }
  EXPECT_NE(log_.lines.find(R"("tenant":"team","user":"ada","key_id":"config:good","key":"good")"), std::string::npos)
      << log_.lines;
}

constexpr std::string_view chat = R"({"model":"x","messages":[]})";

TEST_F(NodeAuth, does_not_tell_a_key_which_other_models_there_are) {
  const auto code_for = [&](std::string_view model) {
    return ask("POST", "/v1/chat/completions", with("the-other-model-key"),
               fmt::format(R"({{"model":"{}","messages":[]}})", model))
        .code();
  };
  EXPECT_EQ(code_for("x"), "model_not_allowed");
  EXPECT_EQ(code_for("no-such-model"), "model_not_allowed");
}

TEST_F(NodeAuth, follows_a_reload_at_once) {
  EXPECT_EQ(ask("POST", "/v1/chat/completions", with("the-good-key"), chat).status, 200);
  reload("auth: {keys: [{name: new, value: the-new-key}]}\n");
  const Reply removed = ask("POST", "/v1/chat/completions", with("the-good-key"), chat);
  EXPECT_EQ(removed.status, 401);
  EXPECT_EQ(removed.code(), "invalid_api_key");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", with("the-new-key"), chat).status, 200);
  EXPECT_EQ(ask("GET", "/admin/v1/requests", "").status, 401) << "the admin key is gone: /admin stays shut";
}

TEST_F(NodeAuth, does_not_open_when_the_last_key_is_taken_out) {
  reload("");
  const Reply nobody = ask("POST", "/v1/chat/completions", "", chat);
  EXPECT_EQ(nobody.status, 401);
  EXPECT_EQ(nobody.code(), "missing_api_key");
  EXPECT_EQ(ask("GET", "/admin/v1/requests", "").status, 401);
  reload("auth: {mode: none}\n");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "", chat).status, 200) << "said in so many words";
  EXPECT_EQ(ask("GET", "/admin/v1/requests", "").status, 401) << "that is about callers";
}

TEST_F(NodeAuth, with_optional_keys_refuses_those_that_are_wrong) {
  reload("auth: {mode: optional, keys: [{name: new, value: the-new-key}]}\n");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "", chat).status, 200);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", with("the-new-key"), chat).status, 200);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", with("the-good-key"), chat).status, 401);
}

class NodeWithOneRequest : public NodeAuth {
 protected:
  NodeWithOneRequest()
      : NodeAuth(
            "auth: {mode: optional, keys: [{name: good, value: the-good-key}]}\n"
            "limits: {without_key: {requests: 1/1h}}\n") {}
};

TEST_F(NodeWithOneRequest, refuses_the_second_at_every_endpoint_that_calls_a_model) {
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "", chat).status, 200);
  int limited = 0;
  for (const api::Registry::Entry& entry : node_.registry().entries()) {
    const gateway::Endpoint& endpoint = entry.endpoint;
    const auto where = fmt::format("{} {}", endpoint.method, endpoint.path);
    const Reply reply = ask(endpoint, "");
    if (endpoint.operation == nullptr) {
      EXPECT_NE(reply.status, 429) << where << " calls no model";
      continue;
    }
    ++limited;
    EXPECT_EQ(reply.status, 429) << where;
    EXPECT_EQ(reply.code(), "rate_limit_exceeded") << where;
    EXPECT_NE(reply.body.find(R"("type":"rate_limit_error")"), std::string::npos) << reply.body;
    for (const std::string_view field : {"retry-after: ", "retry-after-ms: ", "x-weir-request-id: req_"}) {
      EXPECT_NE(reply.head.find(field), std::string::npos) << where << ": " << reply.head;
    }
    EXPECT_NE(ask(endpoint, with("the-good-key")).status, 429) << where << ": a key is not its address";
  }
  EXPECT_GE(limited, 4);
}

/// What the tables of docs/errors.md say each code is answered with.
std::map<std::string, int> documented() {
  std::map<std::string, int> statuses;
  std::ifstream page(std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "docs/errors.md");
  for (std::string line; std::getline(page, line);) {
    const std::size_t end = line.find("` | ");
    if (line.starts_with("| `") && end != std::string::npos) {
      statuses.emplace(line.substr(3, end - 3), std::atoi(line.c_str() + end + 4));
    }
  }
  return statuses;
}

/// 0: the page does not know the code.
int documented(std::string_view code) {
  const auto statuses = documented();
  const auto found = statuses.find(std::string(code));
  return found == statuses.end() ? 0 : found->second;
}

/// A call that holds all that the busy key has. Its prompt is the longest, so that each other call would fit alone.
const std::string slow_call =
    fmt::format(R"({{"model":"slow","messages":[{{"role":"user","content":"{}"}}]}})", std::string(400, 'a'));
constexpr std::int64_t longest_answer = 100;

class NodeWithSpentKeys : public NodeAuth {
 protected:
  NodeWithSpentKeys()
      : NodeAuth(fmt::format(
            "budgets: {{max_output_tokens: {}}}\n"
            "auth:\n"
            "  keys:\n"
            "    - {{name: limited, value: the-limited-key, limits: {{requests: 1/1h}}}}\n"
            "    - {{name: spent, value: the-spent-key, quotas: [{{tokens: 1, period: day, count: total}}]}}\n"
            "    - {{name: busy, value: the-busy-key, quotas: [{{tokens: {}, period: day, count: total}}]}}\n"
            "    - {{name: priced, value: the-priced-key, budgets: [{{usd: 1000}}]}}\n"
            "    - {{name: good, value: the-good-key}}\n",
            longest_answer, slow_call.size() + longest_answer)) {}
};

TEST_F(NodeWithSpentKeys, are_refused_at_every_endpoint_that_calls_a_model_and_nowhere_else) {
  EXPECT_EQ(ask("POST", "/v1/chat/completions", with("the-limited-key"), chat).status, 200);
  std::string heard;
  const platform::Running slow(
      loop_, platform::talk(loop_, {"127.0.0.1", 8000},
                            fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                        "{}Content-Length: {}\r\n\r\n{}",
                                        with("the-busy-key"), slow_call.size(), slow_call),
                            heard, enough));
  world_.run_until([&] { return node_.budgets().live_leases() > 0; }, world_.now() + 10s);
  ASSERT_EQ(node_.budgets().live_leases(), 1U) << heard;
  int refused = 0;
  for (const api::Registry::Entry& entry : node_.registry().entries()) {
    const gateway::Endpoint& endpoint = entry.endpoint;
    for (const RefusalOfUse& row : refusals_of_use) {
      const auto where = fmt::format("{} {} with {}", endpoint.method, endpoint.path, row.key);
      const Reply reply = ask(endpoint, with(row.key), row.model);
      if (endpoint.operation == nullptr) {
        EXPECT_TRUE(reply.status != 402 && reply.status != 429) << where << " calls no model";
        continue;
      }
      ++refused;
      EXPECT_EQ(reply.code(), row.code) << where;
      EXPECT_EQ(reply.status, documented(row.code)) << where;
      EXPECT_NE(reply.body.find(fmt::format(R"("type":"{}")", row.type)), std::string::npos) << reply.body;
      for (const std::string_view field : {row.field, std::string_view("x-weir-request-id: req_")}) {
        EXPECT_NE(reply.head.find(field), std::string::npos) << where << ": " << reply.head;
      }
    }
  }
  EXPECT_GE(refused, 16);
  EXPECT_FALSE(slow.done()) << "the call that made the key busy ran all the while";
  for (const api::Registry::Entry& entry : node_.registry().entries()) {
    const Reply reply = ask(entry.endpoint, with("the-good-key"));
    EXPECT_TRUE(reply.status != 402 && reply.status != 429) << entry.endpoint.path;
  }
  world_.run_until([&] { return slow.done(); }, world_.now() + 1h);
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 200")) << heard;
}

TEST(DocumentedRefusals, are_those_that_the_walks_over_all_endpoints_meet) {
  std::map<std::string, int> met{{"queue_full", 429}};  // of the targets, whoever asks
  for (const auto& [code, status] : refusals_of_keys) {
    met.emplace(code, status);
  }
  for (const RefusalOfUse& row : refusals_of_use) {
    met.emplace(row.code, documented(row.code));
  }
  std::map<std::string, int> told;
  for (const auto& [code, status] : documented()) {
    if (status == 401 || status == 402 || status == 403 || status == 429) {
      told.emplace(code, status);
    }
  }
  EXPECT_EQ(told, met) << "docs/errors.md and what the endpoints answer";
}

class NodeWithoutKeys : public NodeAuth {
 protected:
  NodeWithoutKeys() : NodeAuth("") {}
};

TEST_F(NodeWithoutKeys, is_open_to_this_machine_until_the_first_key) {
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "Authorization: Bearer whatever\r\n", chat).status, 200);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "X-API-Key: a\r\napi-key: b\r\n", chat).status, 200);
  EXPECT_EQ(ask("GET", "/admin/v1/requests", "").status, 200);
  reload("auth: {admin_key: the-admin-key}\n");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "", chat).status, 200) << "the admin key is no caller's";
  EXPECT_EQ(ask("GET", "/admin/v1/requests", "").status, 401);
  EXPECT_EQ(ask("GET", "/admin/v1/requests", with("the-admin-key")).status, 200);
  reload("auth: {keys: [{name: new, value: the-new-key}]}\n");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "", chat).status, 401);
}

}  // namespace
}  // namespace weir::app

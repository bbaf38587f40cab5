#include "auth/gate.hpp"

#include <gtest/gtest.h>

#include <array>

#include "auth/key_table.hpp"
#include "auth/key_text.hpp"

namespace weir::auth {
namespace {

using namespace std::chrono_literals;

constexpr platform::WallTime now{1'800'000'000s};
const std::array<std::uint8_t, 32> master{1, 2, 3};

/// Answers as a table does, but for what is not in it.
class LostStore final : public KeySource {
 public:
  explicit LostStore(std::shared_ptr<const KeyTable> table) : table_(std::move(table)) {}
  [[nodiscard]] Lookup find(const KeyHash& hash) const override {
    const Lookup found = table_->find(hash);
    return found.state == State::found ? found : Lookup{.state = State::unavailable, .key = nullptr};
  }

 private:
  std::shared_ptr<const KeyTable> table_;
};

class GateTest : public testing::Test {
 protected:
  GateTest() {
    const auto add = [this](std::string_view text, auto change) {
      const auto key = std::make_shared<Key>();
      key->id = "id-" + std::string(text);
      key->label = text;
      change(*key);
      entries_.push_back({.hash = (*hasher_)(text), .key = key});
    };
    add("good", [](Key& key) {
      key.tenant = "team";
      key.user = "ada";
    });
    add("off", [](Key& key) { key.active = false; });
    add("old", [](Key& key) { key.expires_at = now; });
    add("young", [](Key& key) { key.expires_at = now + 1us; });
    add("off-and-old", [](Key& key) {
      key.active = false;
      key.expires_at = now - 1h;
    });
    add("near", [](Key& key) { key.ip_allow = {*platform::parse_network("10.0.0.0/8")}; });
    add("far", [](Key& key) { key.ip_allow = {*platform::parse_network("192.0.2.0/24")}; });
    add("vectors", [](Key& key) { key.endpoints = {"/v1/embeddings", "/v1/models*"}; });
    add("gpt", [](Key& key) { key.models = {"gpt-*"}; });
    add("boot", [](Key& key) { key.role = Role::bootstrap; });
    add("chief", [](Key& key) { key.role = Role::admin; });
    add("watch", [](Key& key) { key.role = Role::operator_; });
    add("chief-off", [](Key& key) {
      key.role = Role::admin;
      key.active = false;
    });
    table_ = std::make_shared<const KeyTable>(entries_);
  }
  static Credential bearer(std::string_view key) { return {.state = Credential::State::one, .key = key}; }
  [[nodiscard]] Gate gate(Gate::Options options = {}) const { return {options, hasher_, table_}; }
  [[nodiscard]] Gate::Asked asked(std::string_view endpoint = "/v1/chat/completions") const {
    return {.endpoint = endpoint, .client = "10.0.0.7", .now = now};
  }
  static std::string verdict(const Result<Principal>& result) {
    return result ? std::string(result->anonymous ? "anonymous" : result->key_label)
                  : std::string(weir::to_string(result.error().code));
  }

  std::shared_ptr<const KeyHasher> hasher_ = std::make_shared<const KeyHasher>(master);
  std::vector<KeyTable::Entry> entries_;
  std::shared_ptr<const KeyTable> table_;
};

TEST_F(GateTest, tells_apart_why_a_caller_is_refused) {
  struct Row {
    Credential credential;
    std::string_view verdict;
    std::string_view at_admin;
  };
  const std::string mistyped = make_key_text().reveal().substr(0, 51);
  const std::string long_key(100'000, 'x');
  const Row rows[] = {
      {bearer("good"), "good", "insufficient_permissions"},
      {{.state = Credential::State::none, .key = {}}, "missing_api_key", "missing_api_key"},
      {{.state = Credential::State::no_bearer, .key = {}}, "missing_api_key", "missing_api_key"},
      {{.state = Credential::State::differ, .key = {}}, "invalid_api_key", "invalid_api_key"},
      {bearer("nobody's"), "invalid_api_key", "invalid_api_key"},
      {bearer("GOOD"), "invalid_api_key", "invalid_api_key"},
      {bearer(mistyped), "invalid_api_key", "invalid_api_key"},
      {bearer(long_key), "invalid_api_key", "invalid_api_key"},
      {bearer("off"), "inactive_api_key", "inactive_api_key"},
      {bearer("off-and-old"), "inactive_api_key", "inactive_api_key"},
      {bearer("old"), "expired_api_key", "expired_api_key"},
      {bearer("young"), "young", "insufficient_permissions"},
      {bearer("near"), "near", "insufficient_permissions"},
      {bearer("far"), "ip_not_allowed", "ip_not_allowed"},
      {bearer("vectors"), "endpoint_not_allowed", "insufficient_permissions"},
      {bearer("boot"), "insufficient_permissions", "boot"},
      {bearer("chief"), "chief", "chief"},
      {bearer("watch"), "watch", "watch"},
      {bearer("chief-off"), "inactive_api_key", "inactive_api_key"},
  };
  for (const Mode mode : {Mode::required, Mode::optional}) {
    const Gate closed = gate({.mode = mode, .admin_key_needed = true});
    for (const Row& row : rows) {
      const bool without = mode == Mode::optional && (row.credential.state == Credential::State::none ||
                                                      row.credential.state == Credential::State::no_bearer);
      EXPECT_EQ(verdict(closed.caller(row.credential, asked())), without ? "anonymous" : row.verdict)
          << row.credential.key.substr(0, 60);
      EXPECT_EQ(verdict(closed.administrator(row.credential, asked("/admin/v1/requests"))), row.at_admin)
          << row.credential.key.substr(0, 60) << ": /admin wants a key in every mode";
    }
  }
}

TEST_F(GateTest, tells_who_calls) {
  const Gate closed = gate();
  const auto principal = closed.caller(bearer("good"), asked());
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->tenant, "team");
  EXPECT_EQ(principal->user, "ada");
  EXPECT_EQ(principal->key_id, "id-good");
  EXPECT_FALSE(principal->anonymous);
}

TEST_F(GateTest, asks_nobody_while_it_is_open_and_never_believes_a_key_then) {
  for (const Gate::Options& options : {Gate::Options{.open = true}, Gate::Options{.mode = Mode::none}}) {
    for (const Credential& credential : {Credential{}, bearer("nobody's"), bearer("off"), bearer("good")}) {
      const auto principal = gate(options).caller(credential, asked());
      ASSERT_TRUE(principal);
      EXPECT_TRUE(principal->anonymous);
      EXPECT_EQ(principal->tenant, "default");
    }
  }
  EXPECT_EQ(verdict(gate({.open = true, .admin_key_needed = true}).administrator({}, asked())), "missing_api_key");
}

TEST_F(GateTest, does_not_take_a_store_that_is_away_for_a_no) {
  const Gate gate({.admin_key_needed = true}, hasher_, std::make_shared<const LostStore>(table_));
  EXPECT_EQ(verdict(gate.caller(bearer("good"), asked())), "good") << "known keys go on";
  EXPECT_EQ(verdict(gate.caller(bearer("off"), asked())), "inactive_api_key");
  EXPECT_EQ(verdict(gate.caller(bearer("new"), asked())), "store_unavailable");
  EXPECT_EQ(verdict(gate.administrator(bearer("new"), asked())), "store_unavailable");
  const std::string key = make_key_text().reveal();
  EXPECT_EQ(verdict(gate.caller(bearer(key), asked())), "store_unavailable");
  EXPECT_EQ(verdict(gate.caller(bearer(key.substr(1)), asked())), "store_unavailable") << "not ours: who knows";
  EXPECT_EQ(verdict(gate.caller(bearer(key.substr(0, 51)), asked())), "invalid_api_key") << "cannot be a key";
  EXPECT_EQ(verdict(gate.caller({}, asked())), "missing_api_key");
}

TEST_F(GateTest, does_not_open_while_nobody_can_say_whether_there_are_keys) {
  const Gate gate({.admin_key_needed = true, .caller_keys_unknown = true, .admin_keys_unknown = true}, hasher_,
                  std::make_shared<const LostStore>(table_));
  EXPECT_EQ(verdict(gate.caller({}, asked())), "store_unavailable");
  EXPECT_EQ(verdict(gate.administrator({}, asked())), "store_unavailable");
  EXPECT_EQ(verdict(gate.caller(bearer("good"), asked())), "good") << "a key of the configuration";
  EXPECT_EQ(verdict(gate.administrator(bearer("boot"), asked())), "boot");
}

TEST_F(GateTest, binds_a_key_to_its_models_and_endpoints) {
  const Gate closed = gate();
  const auto gpt = closed.caller(bearer("gpt"), asked());
  ASSERT_TRUE(gpt);
  EXPECT_FALSE(refuse_model(*gpt, "gpt-4o"));
  EXPECT_EQ(refuse_model(*gpt, "claude").value_or(Error{}).code, Code::model_not_allowed);
  EXPECT_FALSE(refuse_model(Principal{}, "claude")) << "nobody's list";
  EXPECT_EQ(verdict(closed.caller(bearer("vectors"), asked("/v1/embeddings"))), "vectors");
  EXPECT_EQ(verdict(closed.caller(bearer("vectors"), asked("/v1/models/{id}"))), "vectors");
}

TEST_F(GateTest, shows_no_key_in_what_it_says) {
  const std::string key = make_key_text().reveal();
  for (const std::string& text : {key, key.substr(0, 50), std::string("sk-somebody-elses-secret")}) {
    const auto refused = gate().caller(bearer(text), asked());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find(text.substr(3, 12)), std::string::npos) << refused.error().message;
  }
}

}  // namespace
}  // namespace weir::auth

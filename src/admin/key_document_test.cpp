#include "admin/key_document.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "admin/document_members.hpp"
#include "admin/tenant_document.hpp"

namespace weir::admin {
namespace {

namespace json = boost::json;

// As issue and documentation show it.
constexpr std::string_view full = R"({
  "label": "laptop", "role": "user", "tenant": "acme", "user": "ada", "models": ["gpt-*", "smart"],
  "limits": {"requests": "100/60s", "tokens": "50000/1m", "in_flight": 8},
  "budgets": [{"usd": 1.00, "period": "day", "hard": true}],
  "quotas": [{"tokens": 100000, "period": "month", "count": "total"}],
  "expires_at": "2027-01-31T09:30:00Z", "ip_allow": ["10.0.0.0/8", "::1"], "metadata": {"team": ["caf\u00e9", 1e2]},
  "endpoints": ["/v1/*"], "active": false})";

std::string error_of(std::string_view document) {
  store::ApiKey key = default_key();
  const auto read = read_key_document(document, key);
  return read ? "" : read.error().message;
}

TEST(KeyDocument, is_read_back_as_it_was_written) {
  store::ApiKey key = default_key();
  const auto read = read_key_document(full, key);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  const json::object written = json::parse(full).as_object();
  const json::object shown = json::parse(key_to_json(key)).as_object();
  for (const auto& [name, value] : written) {
    ASSERT_TRUE(shown.contains(name)) << name;
    EXPECT_EQ(shown.at(name), value) << name;
  }
}

TEST(KeyDocument, has_a_default_for_everything) {
  store::ApiKey key = default_key();
  ASSERT_TRUE(read_key_document("{}", key).has_value());
  EXPECT_EQ(key, default_key());
  const json::object shown = json::parse(key_to_json(key)).as_object();
  EXPECT_EQ(shown.at("role"), "user");
  EXPECT_EQ(shown.at("tenant"), "default");
  EXPECT_EQ(shown.at("models"), json::parse(R"(["*"])"));
  EXPECT_EQ(shown.at("limits"), json::parse("{}"));
  EXPECT_EQ(shown.at("budgets"), json::parse("[]"));
  EXPECT_TRUE(shown.at("user").is_null() && shown.at("expires_at").is_null());
  EXPECT_EQ(shown.at("active"), true);
}

TEST(KeyDocument, changes_what_it_names_and_null_is_the_default) {
  store::ApiKey key = default_key();
  ASSERT_TRUE(read_key_document(full, key).has_value());
  store::ApiKey changed = key;
  ASSERT_TRUE(read_key_document(R"({"label": "desk", "limits": {"in_flight": 1}})", changed).has_value());
  store::ApiKey expected = key;
  expected.label = "desk";
  expected.limits = R"({"in_flight": 1})";
  EXPECT_EQ(changed, expected);
  ASSERT_TRUE(read_key_document(
                  R"({"label": null, "role": null, "tenant": null, "user": null, "models": null, "limits": null,
                      "budgets": null, "quotas": null, "expires_at": null, "ip_allow": null, "metadata": null,
                      "endpoints": null, "active": null})",
                  changed)
                  .has_value());
  EXPECT_EQ(changed, default_key());
}

TEST(KeyDocument, takes_every_character_that_is_one) {
  EXPECT_EQ(error_of(R"({"label": "\u00a0\u00e9\ud83d\ude00", "metadata": {"\ud83d\ude00": "\ud83d\ude00\u0000"}})"),
            "");
}

TEST(KeyDocument, takes_no_label_that_would_pass_for_one_of_weir_s_own) {
  for (const std::string_view label : {"weir-probe", "config:admin_key", "config:laptop"}) {
    EXPECT_TRUE(error_of(R"({"label": ")" + std::string(label) + "\"}").starts_with("label: ")) << label;
  }
  EXPECT_EQ(error_of(R"({"label": "probe of config"})"), "");
}

TEST(KeyDocument, keeps_nothing_secret_in_what_it_shows) {
  store::ApiKey key = default_key();
  key.hash = "the-hash";
  key.previous_hash = "the-hash-before";
  EXPECT_FALSE(key_to_json(key).contains("the-hash"));
}

TEST(KeyDocument, says_where_it_is_wrong_and_what_is_allowed) {
  struct Row {
    std::string_view document;
    std::string_view path;
    std::string_view words;
  };
  for (const Row& row : std::vector<Row>{
           {"", "", "JSON object"},
           {"[]", "", "JSON object"},
           {R"({"label":)", "", "JSON object"},
           {R"({"lable": "x"})", "lable", "did you mean \"label\"?"},
           {R"({"label": "a", "l\u0061bel": "b"})", "label", "twice"},
           {R"({"label": 5})", "label", "a number, and has to be a string"},
           {R"({"label": "a\u0000b"})", "label", "character"},
           {R"({"label": "\ud800"})", "label", "character"},
           {R"({"label": "a\u0085b"})", "label", "character"},
           {"{\"user\": \"\u009f\"}", "user", "character"},
           {R"({"models": ["a", "\u0080"]})", "models[1]", "character"},
           {R"({"role": "root"})", "role", "user, operator, admin, bootstrap"},
           {R"({"role": "amdin"})", "role", "did you mean \"admin\"?"},
           {R"({"tenant": ""})", "tenant", "is empty"},
           {R"({"active": 1})", "active", "neither true nor false"},
           {R"({"models": "*"})", "models", "list of strings"},
           {R"({"models": ["a", null]})", "models[1]", "is null"},
           {R"({"models": [""]})", "models[0]", "is empty"},
           {R"({"endpoints": ["v1/chat"]})", "endpoints[0]", "/v1/embeddings"},
           {R"({"ip_allow": ["10.0.0.0/8", "ten"]})", "ip_allow[1]", "10.0.0.0/8"},
           {R"({"expires_at": "tomorrow"})", "expires_at", "2027-01-31"},
           {R"({"expires_at": 1800000000})", "expires_at", "2027-01-31"},
           {R"({"metadata": []})", "metadata", "has to be an object"},
           {R"({"metadata": {"a": "\ud800"}})", "metadata.a", "surrogate"},
           {R"({"metadata": {"a": "\udc00\ud800"}})", "metadata.a", "surrogate"},
           {R"({"metadata": {"a": {"b": [1, ["\udfff"]]}}})", "metadata.a.b[1][0]", "surrogate"},
           {R"({"metadata": {"a": {"\ud800": 1}}})", "metadata.a", "name holds half a surrogate"},
           {R"({"metadata": {"two words": "\ud800"}})", "metadata", "surrogate"},
           {R"({"limits": []})", "limits", "has to be an object"},
           {R"({"limits": {"request": "1/1s"}})", "limits.request", "did you mean \"requests\"?"},
           {R"({"limits": {"requests": "many"}})", "limits.requests", "100/60s"},
           {R"({"budgets": {}})", "budgets", "list of objects"},
           {R"({"budgets": [{"usd": 1}, {"usd": -1, "period": "day"}]})", "budgets[1].usd", "US dollars"},
           {R"({"budgets": [{"usd": 1, "perod": "day"}]})", "budgets[0].perod", "did you mean \"period\"?"},
           {R"({"quotas": [{"tokens": 5, "count": "input"}]})", "quotas[0].count", "output nor total"},
           {R"({"id": "key_1"})", "id", "leave it out"},
           {R"({"key": "wr-mine"})", "key", "leave it out"}}) {
    const std::string error = error_of(row.document);
    EXPECT_TRUE(error.contains(row.words)) << row.document << ": " << error;
    EXPECT_EQ(path_in(error), row.path) << row.document << ": " << error;
  }
  EXPECT_TRUE(error_of(R"({"metadata": {"a": ")" + std::string(document_bytes_max, 'x') + "\"}}").contains("64 KiB"));
  std::string many = R"({"models": ["a")";
  for (int i = 0; i < 256; ++i) {
    many += R"(,"a")";
  }
  EXPECT_TRUE(error_of(many + "]}").contains("256 entries"));
}

TEST(KeyDocument, takes_moments_of_any_zone_keeps_them_in_utc_and_shows_them_as_they_were_written) {
  for (const auto& [given, kept] : {std::pair{"2027-01-31T10:30:00+01:00", "2027-01-31T09:30:00.000Z"},
                                    {"2027-01-31", "2027-01-31T00:00:00.000Z"},
                                    {"2027-01-31T09:30:00.25Z", "2027-01-31T09:30:00.250Z"}}) {
    store::ApiKey key = default_key();
    ASSERT_TRUE(read_key_document(std::string(R"({"expires_at": ")") + given + "\"}", key).has_value());
    EXPECT_EQ(key.expires_at, kept);
    EXPECT_EQ(json::parse(key_to_json(key)).at("expires_at"), given);
    key.expires_at = "2028-01-31T09:30:00.000Z";  // changed by somebody who knows of no words
    EXPECT_EQ(json::parse(key_to_json(key)).at("expires_at"), "2028-01-31T09:30:00Z");
    key.expires_at_written.clear();  // a row of an older version
    EXPECT_EQ(json::parse(key_to_json(key)).at("expires_at").as_string().back(), 'Z');
    ASSERT_TRUE(read_key_document(R"({"expires_at": null})", key).has_value());
    EXPECT_TRUE(json::parse(key_to_json(key)).at("expires_at").is_null());
  }
}

TEST(Rotation, has_an_overlap_of_an_hour_or_as_asked) {
  using namespace std::chrono_literals;
  EXPECT_EQ(read_rotation(""), 1h);
  EXPECT_EQ(read_rotation("{}"), 1h);
  EXPECT_EQ(read_rotation(R"({"overlap": "10m"})"), 10min);
  EXPECT_EQ(read_rotation(R"({"overlap": 30})"), 30s);
  EXPECT_EQ(read_rotation(R"({"overlap": 0})"), 0s);
  for (const std::string_view wrong : {"[]", R"({"overlap": "soon"})", R"({"overlap": "1000d"})",
                                       R"({"overlap": null})", R"({"overlap": -1})", R"({"over": "1h"})"}) {
    EXPECT_FALSE(read_rotation(wrong).has_value()) << wrong;
  }
}

TEST(TenantDocument, is_read_back_as_it_was_written) {
  constexpr std::string_view document =
      R"({"id": "team", "name": "The Team", "parent": "acme", "limits": {"in_flight": 2},
          "budgets": [{"usd": 10, "period": "month"}], "quotas": [], "metadata": {"a": null}})";
  store::Tenant tenant;
  ASSERT_TRUE(read_tenant_document(document, tenant).has_value());
  const json::object shown = json::parse(tenant_to_json(tenant)).as_object();
  for (const auto& [name, value] : json::parse(document).as_object()) {
    EXPECT_EQ(shown.at(name), value) << name;
  }
}

TEST(TenantDocument, makes_the_id_of_the_name) {
  for (const auto& [name, id] : {std::pair{"acme", "acme"},
                                 {"Acme_2.x", "Acme_2.x"},
                                 {"The R&D Team!", "the-r-d-team"},
                                 {"Caf\u00e9 Noir", "caf-noir"}}) {
    store::Tenant tenant;
    ASSERT_TRUE(read_tenant_document(std::string(R"({"name": ")") + name + "\"}", tenant).has_value()) << name;
    EXPECT_EQ(tenant.id, id);
    EXPECT_EQ(tenant.name, name);
  }
  store::Tenant unnamed;
  ASSERT_TRUE(read_tenant_document(R"({"id": "acme"})", unnamed).has_value());
  EXPECT_EQ(unnamed.name, "acme");
}

TEST(TenantDocument, says_where_it_is_wrong) {
  for (const auto& [document, words] : {std::pair{"{}", "id is missing"},
                                        {R"({"name": "\u00e9"})", "id is missing"},
                                        {R"({"id": "a b"})", "id has to be"},
                                        {R"({"id": "a/b"})", "id has to be"},
                                        {R"({"id": ""})", "id has to be"},
                                        {R"({"id": "a", "nmae": "x"})", "did you mean \"name\"?"},
                                        {R"({"id": "a", "name": "x\u009b"})", "name holds a character"},
                                        {R"({"id": "a", "metadata": {"b": ["\udc00"]}})", "metadata.b[0] holds half"},
                                        {R"({"id": "a", "limits": {"in_flight": 0}})", "limits.in_flight"},
                                        {R"({"id": "a", "created_at": "2027-01-01"})", "leave it out"}}) {
    store::Tenant tenant;
    const auto read = read_tenant_document(document, tenant);
    ASSERT_FALSE(read.has_value()) << document;
    EXPECT_TRUE(read.error().message.contains(words)) << document << ": " << read.error().message;
  }
  store::Tenant existing;
  existing.id = "acme";
  EXPECT_FALSE(read_tenant_document(R"({"id": "other"})", existing).has_value());
  existing.id = "acme";
  EXPECT_FALSE(read_tenant_document(R"({"id": null})", existing).has_value());
  existing.id = "acme";
  EXPECT_TRUE(read_tenant_document(R"({"id": "acme"})", existing).has_value());
}

}  // namespace
}  // namespace weir::admin

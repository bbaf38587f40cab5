#include <fmt/format.h>

#include <algorithm>

#include "app/config_builder.hpp"
#include "app/demo_keys.hpp"
#include "auth/key_rules.hpp"
#include "auth/key_text.hpp"
#include "observe/json_time.hpp"
#include "settings/url.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

using settings::Node;
using settings::Report;
using settings::Section;

constexpr std::size_t short_key_bytes = 20;

/// What makes a text unfit as a key; empty: nothing.
std::string_view unfit(std::string_view value) {
  if (value.empty()) {
    return "is empty, so nobody could send it; take it out, or set what it names";
  }
  if (std::ranges::any_of(value, [](char c) { return c <= ' ' || c == '\x7f'; })) {
    return "holds a blank, a line end or a character outside ASCII, which no header can carry";
  }
  if (auth::is_mistyped(value)) {
    return "begins with wr- and is not a key that weir made: a part is missing or mistyped";
  }
  return "";
}

/// Limits as JSON in the words of the configuration: who wrote 100/60s is not told 100/1m.
std::string written_limits(const Section& limits) {
  std::string out = "{";
  for (const char* const name : {"requests", "tokens"}) {
    std::string texts;
    std::size_t count = 0;
    for (const std::string& text : limits.texts(name)) {
      if (!text.empty() && text != "none") {
        texts += count++ == 0 ? "" : ",";
        text::append_json_string(texts, text);
      }
    }
    if (count > 0) {
      out += fmt::format(R"({}"{}":{})", out.size() > 1 ? "," : "", name, count == 1 ? texts : "[" + texts + "]");
    }
  }
  if (limits.has("in_flight") && limits.integer("in_flight") > 0) {
    out += fmt::format(R"({}"in_flight":{})", out.size() > 1 ? "," : "", limits.integer("in_flight"));
  }
  return out + "}";
}

/// auth.keys[i].
class KeyBuilder {
 public:
  KeyBuilder(const Section& section, const Node& item, std::size_t index, Report& report)
      : section_(section), item_(item), path_(settings::item_path("auth.keys", index)), report_(report) {}

  /// Nothing where an error was reported.
  std::optional<CallerKey> build() {
    CallerKey key;
    auth::Key& known = key.key;
    known.label = section_.text("name");
    known.id = "config:" + known.label;
    known.role = auth::parse_role(section_.text("role")).value_or(auth::Role::user);
    known.active = section_.boolean("active");
    known.tenant = section_.text("tenant");
    known.user = section_.text("user");
    known.models = section_.texts("models");
    known.endpoints = section_.texts("endpoints");
    if (const Node* name = item_.find("name"); name != nullptr && name->bad) {
      bad_ = true;
    } else if (known.label.empty() || known.label.size() > 64) {
      error(section_.origin("name"), "name", "a key has a name of at most 64 bytes; write {name: demo, value: $KEY}");
    }
    // "admin_key": its id would be that of the admin key.
    if (auth::is_reserved_label(known.label) || known.label == "admin_key") {
      error(section_.origin("name"), "name",
            fmt::format("\"{}\" is a name of weir's own; choose another one", known.label));
    }
    if (known.tenant.empty()) {
      error(section_.origin("tenant"), "tenant", "an empty text; leave it out for the tenant `default`");
    }
    for (const std::string& network : section_.texts("ip_allow")) {
      if (const auto parsed = platform::parse_network(network)) {
        known.ip_allow.push_back(*parsed);
      } else {
        error(section_.origin("ip_allow"), "ip_allow",
              fmt::format("\"{}\" is neither an IP address nor a network such as 10.0.0.0/8", network));
      }
    }
    if (section_.has("expires_at")) {
      known.expires_at = observe::parse_rfc3339(section_.text("expires_at"));
      if (!known.expires_at) {
        error(section_.origin("expires_at"), "expires_at",
              fmt::format("\"{}\" is no time; write 2027-01-31, or 2027-01-31T18:00:00Z",
                          section_.node("expires_at")->shown()));
      }
    }
    gateway::Allowance allowance = build_allowance(section_, report_);
    if (!allowance.empty()) {
      known.rules = std::make_shared<const auth::KeyRules>(
          auth::KeyRules{.limits = std::move(allowance.limits),
                         .budgets = std::move(allowance.budgets),
                         .limits_as_written = written_limits(section_.at("limits"))});
    }
    build_value(key);
    return bad_ ? std::nullopt : std::optional(std::move(key));
  }

 private:
  void error(const settings::Origin& where, std::string_view option, std::string message) {
    report_.error(where, settings::join_path(path_, option), std::move(message));
    bad_ = true;
  }

  void build_value(CallerKey& key) {
    const Node* value = item_.find("value");
    if (value == nullptr) {
      error(item_.origin, "value", "is missing; write {name: demo, value: $KEY}");
    } else if (value->bad) {
      bad_ = true;
    } else if (const std::string_view wrong = unfit(value->text); !wrong.empty()) {
      error(value->origin, "value", std::string(wrong));
    } else {
      key.value = Secret(value->text);
    }
  }

  const Section section_;
  const Node& item_;
  const std::string path_;
  Report& report_;
  bool bad_ = false;
};

void build_keys(const Section& auth, Report& report, Config& config) {
  const Node* keys = auth.node("keys");
  const Section list = auth.at("keys");
  for (std::size_t i = 0; keys != nullptr && i < keys->items.size(); ++i) {
    const Node& item = keys->items[i];
    if (item.bad || item.kind != Node::Kind::map) {
      continue;
    }
    auto key = KeyBuilder(list.item(i), item, i, report).build();
    if (!key) {
      continue;
    }
    for (const CallerKey& before : config.auth.keys) {
      if (before.key.label == key->key.label) {
        report.error(item.origin, settings::item_path("auth.keys", i),
                     fmt::format("two keys have the name \"{}\"", key->key.label));
      } else if (before.value == key->value) {
        report.error(item.origin, settings::item_path("auth.keys", i),
                     fmt::format("has the same value as \"{}\"", before.key.label));
      }
    }
    config.auth.keys.push_back(std::move(*key));
  }
}

/// What the configuration must not be where other machines can reach weir; empty: nothing.
std::string unsafe(const Config& config, const AskStore& may_hold_keys, const Listen& listen) {
  const AuthConfig& auth = config.auth;
  const std::string reached = fmt::format("{} can be reached from other machines", to_string(listen));
  if (auth.mode == AuthMode::none) {
    return fmt::format("{}, and auth.mode is none; use required or optional, or listen on 127.0.0.1:{}", reached,
                       listen.port);
  }
  if (const CallerKey* demo = find_demo_key(auth)) {
    return fmt::format(
        "{}, and auth.keys has the demo key \"{}\", which everybody knows; give it another value "
        "(`weir keys generate` makes one)",
        reached, demo->key.label);
  }
  const bool stored_keys =
      !config.store.file.empty() && (config.store.named || !may_hold_keys || may_hold_keys(config));
  return has_keys(auth) || stored_keys ? "" : without_keys(listen);
}

}  // namespace

void check_listen(const Section& root, const AskStore& may_hold_keys, Report& report, const Config& config) {
  const Node* node = root.node("listen");
  if (node == nullptr) {
    return;
  }
  const bool list = node->kind == Node::Kind::list;
  bool beyond = false;
  // Addresses that were refused before are not in config.listen: found again by their text.
  for (std::size_t i = 0; i < (list ? node->items.size() : 1); ++i) {
    const Node& item = list ? node->items[i] : *node;
    const auto parsed = settings::parse_host_port(item.text);
    if (item.bad || item.kind != Node::Kind::scalar || !parsed) {
      continue;
    }
    const std::string host = parsed->host.empty() ? "0.0.0.0" : parsed->host;
    const auto listen = std::ranges::find_if(
        config.listen, [&](const Listen& one) { return one.host == host && one.port == parsed->port; });
    if (listen == config.listen.end() || is_loopback(*listen)) {
      continue;
    }
    beyond = true;
    if (const std::string wrong = unsafe(config, may_hold_keys, *listen); !wrong.empty()) {
      report.error(item.origin, list ? settings::item_path("listen", i) : "listen", wrong);
    }
  }
  if (!beyond) {
    return;
  }
  if (config.auth.mode == AuthMode::optional) {
    report.notice(root.at("auth").origin("mode"), "auth.mode",
                  "optional: everybody who can reach weir may call without a key");
  }
  for (const CallerKey& key : config.auth.keys) {
    if (key.value.reveal().size() < short_key_bytes && find_demo_key(config.auth) == nullptr) {
      report.notice(
          root.at("auth").origin("keys"), "auth.keys",
          fmt::format("the value of \"{}\" is short enough to be guessed; `weir keys generate` makes one that "
                      "is not",
                      key.key.label));
    }
  }
  if (!config.auth.admin_key.empty() && config.auth.admin_key.reveal().size() < short_key_bytes) {
    report.notice(root.at("auth").origin("admin_key"), "auth.admin_key", "is short enough to be guessed");
  }
}

bool has_keys(const AuthConfig& auth) {
  return !auth.keys.empty() || !auth.admin_key.empty();
}

std::string without_keys(const Listen& listen) {
  return fmt::format(
      "{} can be reached from other machines, and no key says who may call; add one under auth.keys (`weir keys "
      "generate` makes a value), or set WEIR_ADMIN_KEY to such a value and make keys with `weir keys create`, or "
      "listen "
      "on 127.0.0.1:{}",
      to_string(listen), listen.port);
}

void build_auth(const Section& root, Report& report, Config& config) {
  const Section auth = root.at("auth");
  const std::string mode = auth.text("mode");
  config.auth.mode = mode == "none" ? AuthMode::none : mode == "optional" ? AuthMode::optional : AuthMode::required;
  build_keys(auth, report, config);
  if (const Node* admin = auth.node("admin_key"); admin != nullptr && !admin->text.empty()) {
    if (const std::string_view wrong = unfit(admin->text); !wrong.empty()) {
      report.error(admin->origin, "auth.admin_key", std::string(wrong));
    }
    config.auth.admin_key = Secret(admin->text);
    for (const CallerKey& key : config.auth.keys) {
      if (key.value == config.auth.admin_key) {
        report.error(admin->origin, "auth.admin_key",
                     fmt::format("has the same value as the caller key \"{}\"; the admin key opens /admin alone",
                                 key.key.label));
      }
    }
  }
}

}  // namespace weir::app

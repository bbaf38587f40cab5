#include "app/config_builder.hpp"
#include "app/config_policy.hpp"
#include "providers/presets.hpp"
#include "settings/nearest.hpp"
#include "settings/url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::app {

namespace {

using providers::find_preset;
using providers::Preset;
using settings::Entry;
using settings::Node;
using settings::Report;
using settings::Section;

bool is_token(std::string_view text, std::string_view marks) {
  return !text.empty() && std::ranges::all_of(text, [marks](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.contains(c);
  });
}

/// One provider of the config, from its section.
class ProviderBuilder {
 public:
  ProviderBuilder(const Entry& entry, const Section& root, Report& report)
      : entry_(entry), section_(root.at("providers").named(entry.key)), report_(report) {
    provider_.name = entry.key;
    provider_.timeouts = effective_timeouts({root, section_});
    provider_.retry = effective_retry({root, section_});
    provider_.recovery = effective_recovery({root, section_});
    provider_.breaker = effective_breaker({root, section_});
  }

  ProviderConfig build() {
    check_name();
    build_dialect();
    build_address();
    provider_.tls = build_provider_tls(section_, provider_.base_url, report_);
    build_keys();
    build_headers();
    build_choices();
    build_mock();
    switch_off();
    return std::move(provider_);
  }

 private:
  void error(const settings::Origin& where, std::string_view option, std::string message) {
    report_.error(where, option.empty() ? section_.path() : settings::join_path(section_.path(), option),
                  std::move(message));
  }

  void check_name() {
    if (!is_token(provider_.name, "._-") || provider_.name.size() > 64) {
      error(entry_.origin, "", "a provider's name consists of at most 64 letters, digits, `.`, `_` and `-`");
    }
  }

  void build_dialect() {
    const Node* node = section_.node("dialect");
    const Node* written = entry_.value.find("dialect");
    if (node == nullptr) {
      const bool reported = entry_.value.bad || (written != nullptr && written->bad);
      if (!reported) {
        const std::string guess = find_preset(provider_.name) != nullptr ? provider_.name : "openai";
        error(entry_.origin, "", fmt::format("has no dialect; write for example dialect: {}", guess));
      }
      return;
    }
    preset_ = find_preset(node->text);
    provider_.dialect = std::string(preset_->dialect);
    provider_.quirks = preset_->quirks;
    if (preset_->word != preset_->dialect) {
      provider_.preset = std::string(preset_->word);
    }
  }

  void build_address() {
    if (preset_ == nullptr || preset_->dialect == "mock") {
      if (preset_ != nullptr && section_.has("base_url")) {
        error(section_.origin("base_url"), "base_url", "a mock provider has no address; it runs inside weir");
      }
      return;
    }
    const Node* written = entry_.value.find("base_url");
    if (written != nullptr && written->bad) {
      return;
    }
    std::string text = section_.has("base_url") ? section_.text("base_url") : std::string(preset_->base_url);
    if (text.empty() && !preset_->built) {
      return;
    }
    if (text.empty()) {
      error(entry_.origin, "",
            fmt::format("has no base_url, and {} has no address of its own; write for example "
                        "base_url: http://127.0.0.1:8001/v1",
                        preset_->word));
      return;
    }
    std::string query;
    if (const std::size_t mark = text.find('?'); mark != std::string::npos) {
      query = text.substr(mark);
      text.resize(mark);
    }
    while (text.ends_with('/')) {
      text.pop_back();
    }
    // Ollama's own format comes later; its OpenAI-compatible one begins at /v1.
    if (preset_->word == "ollama" && !text.ends_with("/v1")) {
      const bool bare_socket = text.starts_with("unix:") && text.find(':', 5) == std::string::npos;
      text += bare_socket ? ":/v1" : "/v1";
    }
    text += query;
    if (auto url = settings::parse_url(text)) {
      provider_.base_url = {.text = text,
                            .tls = url->tls,
                            .host = url->host,
                            .port = url->port,
                            .unix_path = url->unix_path,
                            .path = url->path,
                            .query = url->query};
    }
  }

  void build_keys() {
    const Node* keys = section_.node("keys");
    const Section section = section_.at("keys");
    const std::size_t count = keys == nullptr ? 0 : keys->items.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Node& item = keys->items[i];
      if (item.bad) {
        bad_key_ = true;
        continue;
      }
      KeyConfig key{.name = fmt::format("key-{}", i + 1)};
      const Node* value = &item;
      if (item.kind == Node::Kind::map) {
        const Section fields = section.item(i);
        key.weight = fields.integer("weight");
        key.priority = fields.integer("priority");
        if (fields.has("name")) {
          key.name = fields.text("name");
        }
        value = item.find("value");
        if (fields.has("command")) {
          key.refresh = fields.duration("refresh");
          add_command(std::move(key), fields, value, item, i);
          continue;
        }
      }
      add_key(std::move(key), value, item, i);
    }
  }

  void add_command(KeyConfig key, const Section& fields, const Node* value, const Node& item, std::size_t index) {
    const std::string path = settings::item_path("keys", index);
    if (value != nullptr) {
      error(value->origin, path, "`command` prints the key already; keep one of value and command");
      bad_key_ = true;
    } else if (fields.text("command").empty()) {
      error(fields.origin("command"), path, "the command is empty");
      bad_key_ = true;
    } else {
      key.command = fields.text("command");
      keep(std::move(key), item, path);
    }
  }

  void keep(KeyConfig key, const Node& item, const std::string& path) {
    if (std::ranges::find(provider_.keys, key.name, &KeyConfig::name) != provider_.keys.end()) {
      error(item.origin, path, fmt::format("two keys have the name \"{}\"", key.name));
    } else if (provider_.keys.size() == providers::keys_max) {
      error(item.origin, path, fmt::format("a provider has at most {} keys", providers::keys_max));
    }
    provider_.keys.push_back(std::move(key));
  }

  void add_key(KeyConfig key, const Node* value, const Node& item, std::size_t index) {
    const std::string path = settings::item_path("keys", index);
    if (value == nullptr) {
      error(item.origin, path,
            "has no value; write {name: main, value: $OPENAI_API_KEY} or {name: main, command: ...}");
      bad_key_ = true;
      return;
    }
    if (value->bad) {
      bad_key_ = true;
      return;
    }
    if (value->text.empty()) {
      empty_keys_.push_back(value->shown());
      return;
    }
    // It becomes a header's value: a line end in it would become a header of its own.
    if (std::ranges::any_of(value->text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; })) {
      error(value->origin, path, "the key holds a blank, line end or control character");
      bad_key_ = true;
      return;
    }
    key.value = Secret(value->text);
    keep(std::move(key), item, path);
  }

  void build_headers() {
    constexpr std::array<std::string_view, 6> ours{"host",       "content-length", "transfer-encoding",
                                                   "connection", "upgrade",        "content-type"};
    for (const auto& [option, name] :
         {std::pair("organization", "OpenAI-Organization"), {"project", "OpenAI-Project"}}) {
      if (section_.has(option)) {
        const std::string& value = section_.text(option);
        if (!is_token(value, "._-")) {
          error(section_.origin(option), option, "consists of letters, digits, `.`, `_` and `-`");
        } else {
          provider_.headers.emplace_back(name, value);
        }
      }
    }
    const Node* headers = section_.node("headers");
    const std::vector<Entry> none;
    for (const Entry& header : headers == nullptr ? none : headers->entries) {
      const std::string path = settings::join_path("headers", header.key);
      std::string name = header.key;
      std::ranges::transform(name, name.begin(),
                             [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
      if (!is_token(name, "!#$%&'*+-.^_`|~")) {
        error(header.origin, path, "is no header name; it consists of letters, digits and `-`");
      } else if (std::ranges::find(ours, name) != ours.end()) {
        error(header.origin, path, "weir sets this header itself");
      } else if ((name == "openai-organization" && section_.has("organization")) ||
                 (name == "openai-project" && section_.has("project"))) {
        error(header.origin, path, fmt::format("`{}` sets this header already", name.substr(7)));
      } else if (!header.value.bad) {
        const std::string& value = header.value.text;
        if (std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; })) {
          error(header.value.origin, path, "the value holds a line end or control character");
        } else {
          provider_.headers.emplace_back(header.key, value);
        }
      }
    }
  }

  void build_choices() {
    const std::string choice = section_.text("key_choice");
    provider_.key_choice = choice == "priority"     ? KeyChoice::priority
                           : choice == "least_used" ? KeyChoice::least_used
                           : choice == "weighted"   ? KeyChoice::weighted
                                                    : KeyChoice::round_robin;
    if (section_.has("idempotency_key")) {
      provider_.quirks.idempotency_key = section_.boolean("idempotency_key");
    } else {
      provider_.quirks.idempotency_key = provider_.base_url.host == "api.openai.com";
    }
    provider_.quirks.max_completion_tokens = provider_.base_url.host == "api.openai.com";
    if (section_.has("max_in_flight")) {
      provider_.max_in_flight = section_.integer("max_in_flight");
    }
    const bool mock = provider_.dialect == "mock";
    const bool forward = section_.has("unknown_models") ? section_.text("unknown_models") == "forward" : mock;
    provider_.unknown_models = forward ? UnknownModels::forward : UnknownModels::refuse;
  }

  void build_mock() {
    const Section mock = section_.at("mock");
    if (mock.node() != nullptr && preset_ != nullptr && provider_.dialect != "mock") {
      error(mock.origin(), "mock",
            fmt::format("only a provider of dialect mock has these options; this one is {}", preset_->word));
    }
    provider_.mock = {.first_token = mock.duration("first_token"),
                      .tokens_per_second = mock.number("tokens_per_second"),
                      .text = mock.text("text"),
                      .echo = mock.boolean("echo"),
                      .event_tokens = mock.integer("event_tokens"),
                      .tool_calls = mock.boolean("tool_calls"),
                      .usage = mock.boolean("usage"),
                      .fault = build_fault(mock.at("fault"))};
  }

  MockFault build_fault(const Section& section) {
    constexpr std::array<std::pair<std::string_view, MockFaultKind>, 8> kinds{
        {{"none", MockFaultKind::none},
         {"status", MockFaultKind::status},
         {"reset", MockFaultKind::reset},
         {"stall", MockFaultKind::stall},
         {"cut", MockFaultKind::cut},
         {"malformed", MockFaultKind::malformed},
         {"no_done", MockFaultKind::no_done},
         {"error_event", MockFaultKind::error_event}}};
    MockFault fault;
    const std::string word = section.text("kind");
    for (const auto& [name, kind] : kinds) {
      if (name == word) {
        fault.kind = kind;
      }
    }
    fault.status = section.integer("status");
    fault.after_events = section.integer("after_events");
    if (section.has("retry_after")) {
      fault.retry_after = section.duration("retry_after");
    }
    if (section.has("every") && section.has("rate")) {
      error(section.origin("rate"), "mock.fault.rate",
            "`every` says already which calls go wrong; keep one of the two");
    }
    fault.rate = section.has("rate") ? section.number("rate") : 0;
    fault.every = section.has("every") ? section.integer("every") : section.has("rate") ? 0 : 1;
    return fault;
  }

  /// Why the provider cannot be used, if it cannot. An off provider is part of the config: it is named wherever it is
  /// missed.
  void switch_off() {
    if (preset_ == nullptr || bad_key_) {
      return;
    }
    std::string reason;
    if (!preset_->built) {
      reason = fmt::format("dialect {} is not built yet in this version", preset_->word);
    } else if (provider_.keys.empty() && !empty_keys_.empty()) {
      const std::string& shown = empty_keys_.front();
      reason =
          shown.empty() ? std::string("its key is empty") : fmt::format("its key is empty: {} has no value", shown);
    }
    if (!reason.empty()) {
      provider_.enabled = false;
      provider_.off_reason = std::move(reason);
      report_.notice(entry_.origin, section_.path(), fmt::format("off: {}", provider_.off_reason));
      return;
    }
    if (preset_->needs_key && entry_.value.find("keys") == nullptr && entry_.value.find("base_url") == nullptr) {
      error(entry_.origin, "",
            "has no keys; write keys: [$OPENAI_API_KEY] with the name of your variable, or keys: none");
    }
  }

  const Entry& entry_;
  Section section_;
  Report& report_;
  ProviderConfig provider_;
  const Preset* preset_ = nullptr;
  std::vector<std::string> empty_keys_;  // as written in the config
  bool bad_key_ = false;                 // an error about a key was reported
};

}  // namespace

std::vector<ProviderConfig> build_providers(const Section& root, Report& report) {
  std::vector<ProviderConfig> providers;
  const Node* node = root.node("providers");
  if (node == nullptr) {
    return providers;
  }
  for (const Entry& entry : node->entries) {
    providers.push_back(ProviderBuilder(entry, root, report).build());
  }
  return providers;
}

}  // namespace weir::app

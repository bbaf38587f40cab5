#include "app/discovery.hpp"

#include "app/config_builder.hpp"
#include "providers/presets.hpp"
#include "settings/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace weir::app {

namespace {

using settings::Node;
using settings::Origin;

/// The variable's value; nothing where it is unset or empty.
std::optional<std::string> value_of(const Environment& environment, std::string_view name) {
  auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
}

/// Collects providers as a file would write them.
class Finder {
 public:
  Finder(const Environment& environment, std::vector<std::string>& lines) : environment_(environment), lines_(lines) {
    root_.kind = Node::Kind::map;
  }

  void find_keys() {
    for (const providers::Preset& known : providers::all_presets()) {
      const std::string variable(known.key);
      const auto key = value_of(environment_, variable);
      if (!key) {
        continue;
      }
      const std::string preset(known.word);
      add(preset, variable, "dialect", preset);
      Node keys{.kind = Node::Kind::list, .origin = {.source = variable}};
      keys.items.push_back(settings::scalar(*key, {.source = variable}));
      settings::set_path(root_, {"providers", preset, "keys"}, std::move(keys));
      add(preset, variable, "unknown_models", "forward");
    }
  }

  /// OPENAI_BASE_URL: another address for openai, or a server of that format without a key.
  void find_openai_address() {
    const std::string variable = "OPENAI_BASE_URL";
    const auto text = value_of(environment_, variable);
    if (!text) {
      return;
    }
    const auto url = settings::parse_url(*text);
    if (!url) {
      lines_.push_back(fmt::format("skipped: OPENAI_BASE_URL: it {}", url.error().message));
      return;
    }
    // The very line that weir prints for clients to paste; this process must not become its own provider.
    const BaseUrl address{.text = *text,
                          .tls = url->tls,
                          .host = url->host,
                          .port = url->port,
                          .unix_path = url->unix_path,
                          .path = url->path};
    if (points_at(listen(), address)) {
      lines_.push_back("skipped: OPENAI_BASE_URL: it is where weir itself listens");
      return;
    }
    add("openai", variable, "dialect", "openai");
    add("openai", variable, "base_url", *text);
    add("openai", variable, "unknown_models", "forward");
  }

  void find_model_server(const std::function<bool()>& model_server_answers) {
    if (value_of(environment_, "MODEL_SERVER_URL")) {
      return;  // finish_config adds it, as it does beside a file
    }
    if (model_server_answers && model_server_answers()) {
      const std::string source = "127.0.0.1:11434";
      add("local", source, "dialect", "openai");
      add("local", source, "base_url", "http://127.0.0.1:11434/v1");
      add("local", source, "unknown_models", "forward");
    }
  }

  void add_mock() { add("mock", "built in", "dialect", "mock"); }

  /// Who only tries weir may do so anywhere. What the environment says of the store stands above this.
  void find_folder(const std::function<bool()>& takes_files) {
    if (!value_of(environment_, "WEIR_DATA_DIR") && !takes_files()) {
      settings::set_path(root_, "store.url", settings::scalar("none", {.source = "no configuration"}));
      lines_.push_back("records: in memory alone, as this folder cannot be written");
    }
  }

  Node take() { return std::move(root_); }

 private:
  void add(const std::string& provider, const std::string& source, const std::string& option, std::string text) {
    settings::set_path(root_, {"providers", provider, option}, settings::scalar(std::move(text), {.source = source}));
  }

  /// Where this start will listen: the default, or what WEIR_LISTEN says.
  [[nodiscard]] std::vector<Listen> listen() const {
    const auto text = value_of(environment_, "WEIR_LISTEN");
    if (!text) {
      return {Listen{}};
    }
    std::vector<Listen> addresses;
    for (std::string_view rest = *text; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      if (rest.starts_with("unix:")) {
        addresses.push_back({.host = "", .port = 0, .unix_path = std::string(rest.substr(0, comma).substr(5))});
      } else if (auto parsed = settings::parse_host_port(rest.substr(0, comma))) {
        addresses.push_back({.host = parsed->host, .port = parsed->port, .unix_path = ""});
      }
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return addresses;
  }

  const Environment& environment_;
  std::vector<std::string>& lines_;
  Node root_;
};

/// The name of what made weir take up the provider.
std::string source_of(const Node& root, const std::string& provider) {
  const Node* providers = root.find("providers");
  const Node* node = providers == nullptr ? nullptr : providers->find(provider);
  return node == nullptr ? "MODEL_SERVER_URL" : node->origin.source;
}

std::string line_for(const ProviderConfig& provider, const std::string& source) {
  if (!provider.enabled) {
    return fmt::format("skipped: {}: provider {} is off: {}", source, provider.name, provider.off_reason);
  }
  if (provider.dialect == "mock") {
    return fmt::format("found: the built-in provider {}", provider.name);
  }
  return fmt::format("found: {}: provider {} at {}{}", source, provider.name, provider.base_url.text,
                     provider.keys.empty() ? ", without a key" : "");
}

}  // namespace

Discovery discover(const Environment& environment, const std::function<bool()>& model_server_answers,
                   const std::function<bool()>& folder_takes_files, const AskStore& may_hold_keys) {
  Discovery found;
  Finder finder(environment, found.lines);
  finder.find_keys();
  finder.find_openai_address();
  finder.find_model_server(model_server_answers);
  finder.add_mock();
  finder.find_folder(folder_takes_files);
  Node root = finder.take();

  settings::Report report;
  found.outcome =
      finish_config(root, "", {.environment = environment, .read_file = read_small_file}, report, may_hold_keys);
  // What the notices say about providers stands in our lines already.
  std::erase_if(found.outcome.notices, [](const std::string& notice) { return !notice.starts_with("WEIR_"); });
  if (!found.outcome.config) {
    return found;
  }
  Config& config = *found.outcome.config;
  for (const ProviderConfig& provider : config.providers) {
    found.lines.push_back(line_for(provider, source_of(root, provider.name)));
  }
  for (const std::string_view name : {"openai", "local", "mock"}) {
    auto provider = std::ranges::find(config.providers, name, &ProviderConfig::name);
    // A key that was found says what the caller means, also where this version cannot reach its provider: an answer of
    // the mock in its place would be a lie, an error with the reason is not.
    if (provider != config.providers.end()) {
      config.models.bare_names_to = provider->name;
      break;
    }
  }
  return found;
}

}  // namespace weir::app

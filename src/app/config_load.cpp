#include "app/config_load.hpp"

#include "app/config_builder.hpp"
#include "app/config_model_list.hpp"
#include "app/options.hpp"
#include "settings/check.hpp"
#include "settings/dotenv.hpp"
#include "settings/environment.hpp"
#include "settings/yaml.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace weir::app {

namespace {

using settings::Node;
using settings::Report;

/// Gives options their first name, so that later steps know one spelling. Both in one place leave open which is meant.
void rename_aliases(Node& root, Report& report) {
  for (const auto& [alias, path] : option_aliases()) {
    const Node* first = settings::find_path(root, path);
    Node second = settings::take_path(root, alias);
    if (second.kind == Node::Kind::null) {
      continue;
    }
    if (first != nullptr) {
      report.error(second.origin, alias,
                   fmt::format("is another name of {}, which {} sets; keep one of the two", path,
                               settings::to_string(first->origin)));
    } else {
      settings::set_path(root, path, std::move(second));
    }
  }
}

/// MODEL_SERVER_URL (with MODEL_NAME) adds a provider `local` to what the file says.
void add_model_server(Node& root, const Environment& environment, Report& report) {
  const auto url = environment.find("MODEL_SERVER_URL");
  if (url == environment.end() || url->second.empty() || settings::find_path(root, "providers.local") != nullptr) {
    return;
  }
  const settings::Origin origin{.source = "MODEL_SERVER_URL"};
  const auto name = environment.find("MODEL_NAME");
  const std::string model = name != environment.end() && !name->second.empty() ? name->second : "tinyllama";
  settings::set_path(root, "providers.local.dialect", settings::scalar("ollama", origin));
  settings::set_path(root, "providers.local.base_url", settings::scalar(url->second, origin));
  settings::set_path(root, "providers.local.unknown_models", settings::scalar("forward", origin));
  const Node* models = root.find("models");
  if (models == nullptr || models->find(model) == nullptr) {
    settings::set_path(root, {"models", model}, settings::scalar("local/" + model, origin));
  }
  if (root.find("default_model") == nullptr) {
    settings::set_path(root, "default_model", settings::scalar(model, origin));
  }
  report.notice(origin, "providers.local", fmt::format("added, with the model {}", model));
}

/// Takes the sections development, staging and production out of the tree.
std::vector<std::pair<std::string, Node>> take_overlays(Node& root, const settings::Schema& schema,
                                                        std::string_view chosen, Report& report) {
  std::vector<std::pair<std::string, Node>> overlays;
  for (const std::string& name : overlay_names()) {
    Node overlay = settings::take_path(root, name);
    if (overlay.kind != Node::Kind::null) {
      settings::check_shape(overlay, schema, name, report, {.notices = name == chosen});
      rename_aliases(overlay, report);
      overlays.emplace_back(name, std::move(overlay));
    }
  }
  return overlays;
}

/// `app.environment` decides what the tree is, so it is read before everything else.
std::string chosen_environment(const Node& file, const settings::Sources& sources) {
  if (auto found = sources.environment.find("WEIR_APP__ENVIRONMENT");
      found != sources.environment.end() && !found->second.empty()) {
    return found->second;
  }
  const Node* node = settings::find_path(file, "app.environment");
  if (node == nullptr || node->kind != Node::Kind::scalar) {
    return {};
  }
  // An error in it is told when the whole tree is expanded.
  return settings::expand_text(node->text, sources).value_or("");
}

}  // namespace

ConfigOutcome finish_config(settings::Node root, const std::string& name, const settings::Sources& sources,
                            settings::Report& report, const AskStore& may_hold_keys) {
  ConfigOutcome outcome;
  static const std::unique_ptr<const settings::Schema> schema = option_schema();  // never changed: made once
  const Environment& environment = sources.environment;

  add_listed_models(root, report);
  const std::string chosen = chosen_environment(root, sources);
  const auto overlays = take_overlays(root, *schema, chosen, report);
  settings::check_shape(root, *schema, "", report);
  if (root.kind != Node::Kind::map) {
    root = Node{.kind = Node::Kind::map, .origin = {.source = name}};
  }
  rename_aliases(root, report);
  for (const auto& [overlay_name, overlay] : overlays) {
    if (overlay_name == chosen) {
      settings::merge(root, overlay);
    }
  }
  Node named = settings::read_named_variables(environment, option_variables(), *schema);
  settings::check_shape(named, *schema, "", report);
  settings::merge(root, named);
  Node variables = settings::read_prefixed_variables(environment, option_variables(), *schema, root, report);
  settings::check_shape(variables, *schema, "", report);
  rename_aliases(variables, report);
  settings::merge(root, variables);
  add_model_server(root, environment, report);

  settings::expand(root, "", sources, report);
  settings::check_values(root, *schema, report);
  Config config = build_config(settings::Section(root, *schema), report, outcome.models);
  check_listen(settings::Section(root, *schema), may_hold_keys, report, config);
  choose_proxies(settings::Section(root, *schema), environment, report, config);
  read_tls_files(settings::Section(root, *schema), sources.read_file, report, config);
  config.file = name;

  outcome.errors = report.errors();
  outcome.notices = report.notices();
  if (!report.failed()) {
    outcome.config = std::move(config);
  }
  return outcome;
}

ConfigOutcome parse_config(std::string_view text, const std::string& name, const Environment& environment,
                           const settings::ReadFile& read_file) {
  Report report;
  Node root = settings::parse_yaml(text, name, report);
  return finish_config(std::move(root), name, {.environment = environment, .read_file = read_file}, report);
}

Result<std::string> read_small_file(const std::string& path) {
  constexpr std::size_t bytes_max = std::size_t{16} << 20;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(Code::io_error, "it is a folder");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(Code::io_error, errno == 0 ? "it cannot be opened" : std::strerror(errno));
  }
  std::string text;
  std::array<char, 16384> part;
  while (file.read(part.data(), part.size()), file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > bytes_max) {
      return fail(Code::io_error, "it is larger than 16 MiB");
    }
  }
  return text;
}

ConfigOutcome load_config(const std::filesystem::path& file, const Environment& environment,
                          const AskStore& may_hold_keys) {
  const std::string name = file.string();
  const std::string models_name = (file.parent_path() / "models.yaml").string();
  std::vector<std::string> files{name, (file.parent_path() / ".env").string(), models_name};
  auto text = read_small_file(name);
  if (!text) {
    ConfigOutcome outcome;
    outcome.files = std::move(files);
    outcome.errors.push_back(fmt::format("{}: cannot be read: {}", name, text.error().message));
    return outcome;
  }
  std::vector<std::string> notices;
  const Environment merged = with_dotenv(file.parent_path(), environment, notices);
  Report report;
  Node root = settings::parse_yaml(*text, name, report);
  // `weir serve --config models.yaml` is the list alone.
  if (const auto models = name == models_name ? Result<std::string>() : read_small_file(models_name);
      models && !models->empty()) {
    add_models_file(root, settings::parse_yaml(*models, models_name, report), report);
  }
  const auto read_file = [&files](const std::string& path) {
    files.push_back(path);
    return read_small_file(path);
  };
  ConfigOutcome outcome =
      finish_config(std::move(root), name, {.environment = merged, .read_file = read_file}, report, may_hold_keys);
  outcome.files = std::move(files);
  outcome.notices.insert(outcome.notices.end(), notices.begin(), notices.end());
  return outcome;
}

Environment with_dotenv(const std::filesystem::path& folder, const Environment& environment,
                        std::vector<std::string>& notices) {
  Environment merged = environment;
  const std::string name = (folder / ".env").string();
  Report report;
  if (auto text = read_small_file(name)) {
    // merge() keeps what is there: the real environment is the stronger one.
    merged.merge(settings::parse_dotenv(*text, name, report));
  }
  for (std::string& notice : report.notices()) {
    notices.push_back(std::move(notice));
  }
  return merged;
}

}  // namespace weir::app

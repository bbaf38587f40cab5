#include "app/identity_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "app/admin_command.hpp"
#include "app/raw_document.hpp"
#include "base/result.hpp"
#include "text/json_value.hpp"

namespace weir::app {

namespace {

constexpr const char* url_help = "Where weir listens (default: WEIR_URL, else http://127.0.0.1:8000)";
constexpr const char* json_help = "Print the answer as JSON";

/// The options of one command; which of them it has, its CLI::App says.
struct Options {
  std::string url;
  bool json = false;
  std::string id;
  std::string body;
  // Of a document.
  std::string label, role, tenant, user, expires, metadata, name, parent;
  std::vector<std::string> models, endpoints, addresses, requests, tokens, budgets, soft_budgets, quotas, total_quotas;
  int in_flight = 0;
  bool activate = false, deactivate = false;
  std::string overlap;
  // Of a list.
  std::string after;
  int limit = 100;
  bool revoked = false;
};

int fail_with(std::string_view command, std::string_view message) {
  fmt::print(stderr, "weir {}: {}\n", command, message);
  return 2;
}

/// "1.00/day" as a budget or quota, the amount in the words in which it was given; `more` is another member of it.
Result<std::string> allowance(const std::string& text, std::string_view unit, std::string_view more) {
  const std::size_t slash = text.find('/');
  const std::string amount = text.substr(0, slash);
  const bool number = text::scan_document(amount) && std::string_view("-0123456789").contains(amount.front());
  if (slash == std::string::npos || !number) {
    return fail(Code::invalid_request, fmt::format("`{}` is no {}; write {}", text, unit == "usd" ? "budget" : "quota",
                                                   unit == "usd" ? "1.00/day" : "100000/month"));
  }
  std::string json = fmt::format(R"({{"{}":{},"period":)", unit, amount);
  text::append_json_string(json, std::string_view(text).substr(slash + 1));
  return json.append(",").append(more).append("}");
}

RawDocument limits_of(const Options& options) {
  RawDocument limits;
  for (const auto& [name, texts] : {std::pair{"requests", &options.requests}, {"tokens", &options.tokens}}) {
    if (texts->size() == 1) {
      limits.set_text(name, texts->front());
    } else if (!texts->empty()) {
      limits.set_texts(name, *texts);
    }
  }
  if (options.in_flight != 0) {
    limits.set("in_flight", std::to_string(options.in_flight));
  }
  return limits;
}

/// What the options say, on top of what `--body` says.
Result<RawDocument> document_of(const Options& options) {
  RawDocument document;
  const auto no_object = [](const char* option) {
    return fail(Code::invalid_request, fmt::format("{} is no JSON object", option));
  };
  if (!options.body.empty()) {
    auto body = RawDocument::parse(options.body);
    if (!body) {
      return no_object("--body");
    }
    document = *std::move(body);
  }
  for (const auto& [name, text] : {std::pair{"label", &options.label},
                                   {"role", &options.role},
                                   {"tenant", &options.tenant},
                                   {"user", &options.user},
                                   {"expires_at", &options.expires},
                                   {"name", &options.name},
                                   {"parent", &options.parent}}) {
    if (!text->empty()) {
      document.set_text(name, *text);
    }
  }
  for (const auto& [name, texts] :
       {std::pair{"models", &options.models}, {"endpoints", &options.endpoints}, {"ip_allow", &options.addresses}}) {
    if (!texts->empty()) {
      document.set_texts(name, *texts);
    }
  }
  if (const RawDocument limits = limits_of(options); !limits.empty()) {
    document.set("limits", limits.to_json());
  }
  std::string budgets;
  std::string quotas;
  for (const auto& [texts, unit, list, more] : {std::tuple{&options.budgets, "usd", &budgets, R"("hard":true)"},
                                                {&options.soft_budgets, "usd", &budgets, R"("hard":false)"},
                                                {&options.quotas, "tokens", &quotas, R"("count":"output")"},
                                                {&options.total_quotas, "tokens", &quotas, R"("count":"total")"}}) {
    for (const std::string& text : *texts) {
      auto read = allowance(text, unit, more);
      if (!read) {
        return std::unexpected(std::move(read.error()));
      }
      *list += (list->empty() ? "" : ",") + *read;
    }
  }
  for (const auto& [name, list] : {std::pair{"budgets", &budgets}, {"quotas", &quotas}}) {
    if (!list->empty()) {
      document.set(name, "[" + *list + "]");
    }
  }
  if (!options.metadata.empty()) {
    if (!RawDocument::parse(options.metadata)) {
      return no_object("--metadata");
    }
    document.set("metadata", options.metadata);
  }
  if (options.activate || options.deactivate) {
    document.set("active", options.activate ? "true" : "false");
  }
  return document;
}

/// One object, a line for each member that says something; `key` last, alone on its line.
int print_object(std::string_view command, const std::string& body, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", body);
    return 0;
  }
  if (const auto checked = check_object(body); !checked) {
    fmt::print(stderr, "weir {}: {}\n", command, checked.error().message);
    return 1;
  }
  fmt::print("{}", lines_of(body));
  for (const std::string& notice : notices_of(body)) {
    fmt::print(stderr, "Note: {}\n", notice);
  }
  if (const std::string key = cell(body, "key"); !key.empty()) {
    fmt::print("\nThe key, which is shown only now:\n{}\n", key);
  }
  return 0;
}

std::string state_of(std::string_view key) {
  if (!cell(key, "revoked_at").empty()) {
    return "revoked";
  }
  return cell(key, "active") == "true" ? "active" : "inactive";
}

/// A key of the configuration tells nothing of its text: it may be short.
std::string prefix_of(std::string_view key) {
  const std::string prefix = cell(key, "prefix");
  return prefix.empty() ? prefix : prefix + "...";
}

/// The id of the key that is named by its id or label; else that is told, and this is the exit status.
std::expected<std::string, int> key_id(std::string_view command, const Options& options) {
  if (options.id.starts_with("key_") || options.id.starts_with("config:")) {
    return options.id;
  }
  std::string path = "/admin/v1/keys?limit=2";
  add_parameter(path, "label", options.id);
  const auto body = ask_as_command(command, options.url, http::Method::get, path);
  if (!body) {
    return std::unexpected(body.error());
  }
  const auto rows = rows_of(*body);
  if (!rows) {
    fmt::print(stderr, "weir {}: {}\n", command, rows.error().message);
    return std::unexpected(1);
  }
  if (rows->size() != 1) {
    fmt::print(stderr, "weir {}: {} `{}`; `weir keys list` shows their ids.\n", command,
               rows->empty() ? "there is no key with the id or label" : "several keys have the label", options.id);
    return std::unexpected(1);
  }
  return cell(rows->front(), "id");
}

int send(std::string_view command, const Options& options, http::Method method, const std::string& path,
         const std::string& body) {
  const auto reply = ask_as_command(command, options.url, method, path, body);
  return reply ? print_object(command, *reply, options.json) : reply.error();
}

int send_document(std::string_view command, const Options& options, http::Method method, const std::string& path) {
  const auto document = document_of(options);
  return document ? send(command, options, method, path, document->to_json())
                  : fail_with(command, document.error().message);
}

int with_key(std::string_view command, const Options& options, http::Method method, std::string_view behind,
             const std::string& body) {
  const auto id = key_id(command, options);
  return id ? send(command, options, method, fmt::format("/admin/v1/keys/{}{}", url_escaped(*id), behind), body)
            : id.error();
}

int list_keys(const Options& options) {
  std::string path = "/admin/v1/keys";
  add_parameter(path, "tenant", options.tenant);
  add_parameter(path, "user", options.user);
  add_parameter(path, "label", options.label);
  add_parameter(path, "role", options.role);
  add_parameter(path, "revoked", options.revoked ? "true" : "");
  add_parameter(path, "after", options.after);
  add_parameter(path, "limit", std::to_string(options.limit));
  const auto body = ask_as_command("keys list", options.url, http::Method::get, path);
  return body ? print_list("keys list", *body, options.json,
                           {"ID", "LABEL", "ROLE", "TENANT", "USER", "KEY", "SOURCE", "STATE", "EXPIRES", "LAST USED"},
                           [](std::string_view key) -> std::vector<std::string> {
                             return {cell(key, "id"),          cell(key, "label"), cell(key, "role"),
                                     cell(key, "tenant"),      cell(key, "user"),  prefix_of(key),
                                     cell(key, "source"),      state_of(key),      cell(key, "expires_at"),
                                     cell(key, "last_used_at")};
                           })
              : body.error();
}

int list_tenants(const Options& options) {
  std::string path = "/admin/v1/tenants";
  add_parameter(path, "parent", options.parent);
  add_parameter(path, "after", options.after);
  add_parameter(path, "limit", std::to_string(options.limit));
  const auto body = ask_as_command("tenants list", options.url, http::Method::get, path);
  return body ? print_list("tenants list", *body, options.json, {"ID", "NAME", "PARENT", "LIMITS", "BUDGETS", "QUOTAS"},
                           [](std::string_view tenant) -> std::vector<std::string> {
                             return {cell(tenant, "id"),     cell(tenant, "name"),    cell(tenant, "parent"),
                                     cell(tenant, "limits"), cell(tenant, "budgets"), cell(tenant, "quotas")};
                           })
              : body.error();
}

void add_rules(CLI::App& command, Options& options) {
  command.add_option("--requests", options.requests, "At most so many in any such time: 100/60s; may be repeated");
  command.add_option("--tokens", options.tokens, "At most so many tokens in any such time: 50000/1m; may be repeated");
  command.add_option("--in-flight", options.in_flight, "At most so many calls at one time");
  command.add_option("--budget", options.budgets, "US dollars in each period, never more: 1.00/day; may be repeated");
  command.add_option("--soft-budget", options.soft_budgets, "The same, which the last calls may pass");
  command.add_option("--quota", options.quotas, "Output tokens in each period: 100000/month; may be repeated");
  command.add_option("--total-quota", options.total_quotas, "The same, input tokens too");
  command.add_option("--metadata", options.metadata, "A JSON object of your own");
  command.add_option("--body", options.body, "The document of the admin API as JSON; the other options win over it");
}

void add_key_members(CLI::App& command, Options& options) {
  command.add_option("--label", options.label, "What logs and `weir explain` call it");
  command.add_option("--role", options.role, "user (default), operator, admin or bootstrap");
  command.add_option("--tenant", options.tenant, "Whose it is (default: default)");
  command.add_option("--user", options.user, "Who uses it");
  command.add_option("--model", options.models, "A model, or a pattern of models, that it may use; may be repeated");
  command.add_option("--endpoint", options.endpoints, "A path, or a pattern of paths, likewise");
  command.add_option("--ip", options.addresses, "An address or network that it may be used from, likewise");
  command.add_option("--expires", options.expires, "The moment from which it is refused: 2027-01-31, RFC 3339");
  add_rules(command, options);
}

/// Makes commands whose options live as long as they do.
class Commands {
 public:
  Commands(CLI::App& parent, std::string noun, std::function<int()>& run)
      : parent_(parent), noun_(std::move(noun)), run_(run) {}

  std::pair<CLI::App*, Options*> add(const std::string& verb, const std::string& help,
                                     int (*action)(std::string_view, const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* command = parent_.add_subcommand(verb, help);
    command->add_option("--url", options->url, url_help);
    command->add_flag("--json", options->json, json_help);
    command->callback([&run = run_, options, action, name = noun_ + " " + verb] {
      run = [options, action, name] { return action(name, *options); };
    });
    return {command, options.get()};
  }

 private:
  CLI::App& parent_;
  const std::string noun_;
  std::function<int()>& run_;
};

void add_key_commands(Commands keys) {
  const auto [create, created] =
      keys.add("create", "Make a key; its text is shown once", [](auto name, const Options& options) {
        return send_document(name, options, http::Method::post, "/admin/v1/keys");
      });
  add_key_members(*create, *created);

  const auto [list, listed] =
      keys.add("list", "List keys, the newest first", [](auto, const Options& options) { return list_keys(options); });
  list->add_option("--tenant", listed->tenant, "Of this tenant");
  list->add_option("--user", listed->user, "Of this user");
  list->add_option("--label", listed->label, "With this label");
  list->add_option("--role", listed->role, "With this role");
  list->add_flag("--revoked", listed->revoked, "Those that were revoked too");
  list->add_option("--after", listed->after, "Go on behind this id");
  list->add_option("--limit", listed->limit, "How many, up to 1000")->capture_default_str();

  const auto [show, shown] = keys.add("show", "Show a key, without its text", [](auto name, const Options& options) {
    return with_key(name, options, http::Method::get, "", "");
  });
  const auto [update, updated] = keys.add("update", "Change what is given", [](auto name, const Options& options) {
    const auto document = document_of(options);
    return document ? with_key(name, options, http::Method::patch, "", document->to_json())
                    : fail_with(name, document.error().message);
  });
  add_key_members(*update, *updated);
  auto* activate = update->add_flag("--activate", updated->activate, "Let it open again");
  update->add_flag("--deactivate", updated->deactivate, "Have it refused until it is activated")->excludes(activate);

  const auto [revoke, revoked] = keys.add(
      "revoke", "End a key, at once and for good",
      [](auto name, const Options& options) { return with_key(name, options, http::Method::delete_, "", ""); });
  const auto [rotate, rotated] =
      keys.add("rotate", "Give a key a new text, which is shown once", [](auto name, const Options& options) {
        RawDocument overlap;
        if (!options.overlap.empty()) {
          overlap.set_text("overlap", options.overlap);
        }
        return with_key(name, options, http::Method::post, "/rotate", overlap.empty() ? "" : overlap.to_json());
      });
  rotate->add_option("--overlap", rotated->overlap, "How long the one before opens too (default: 1h)");
  for (const auto& [command, options] :
       {std::pair{show, shown}, {update, updated}, {revoke, revoked}, {rotate, rotated}}) {
    command->add_option("key", options->id, "Its id, or its label where only one has it")->required();
  }
}

void add_tenant_commands(Commands tenants) {
  const auto [create, created] = tenants.add("create", "Make a tenant", [](auto name, const Options& options) {
    Options given = options;
    if (!given.id.empty()) {
      auto body = RawDocument::parse(given.body.empty() ? "{}" : std::string_view(given.body));
      if (!body) {
        return fail_with(name, "--body is no JSON object");
      }
      body->set_text("id", given.id);
      given.body = body->to_json();
    }
    return send_document(name, given, http::Method::post, "/admin/v1/tenants");
  });
  create->add_option("id", created->id, "What keys name it by: letters, digits, dots, dashes, underscores")->required();

  const auto [list, listed] =
      tenants.add("list", "List tenants by id", [](auto, const Options& options) { return list_tenants(options); });
  list->add_option("--parent", listed->parent, "Those below this one");
  list->add_option("--after", listed->after, "Go on behind this id");
  list->add_option("--limit", listed->limit, "How many, up to 1000")->capture_default_str();

  const auto [show, shown] = tenants.add("show", "Show a tenant", [](auto name, const Options& options) {
    return send(name, options, http::Method::get, "/admin/v1/tenants/" + url_escaped(options.id), "");
  });
  const auto [update, updated] = tenants.add("update", "Change what is given", [](auto name, const Options& options) {
    return send_document(name, options, http::Method::patch, "/admin/v1/tenants/" + url_escaped(options.id));
  });
  const auto [remove, removed] =
      tenants.add("delete", "Remove a tenant that nothing belongs to", [](auto name, const Options& options) {
        return send(name, options, http::Method::delete_, "/admin/v1/tenants/" + url_escaped(options.id), "");
      });
  for (const auto& [command, options] : {std::pair{show, shown}, {update, updated}, {remove, removed}}) {
    command->add_option("id", options->id, "Its id")->required();
  }
  for (const auto& [command, options] : {std::pair{create, created}, {update, updated}}) {
    command->add_option("--name", options->name, "For people");
    command->add_option("--parent", options->parent, "The tenant above, whose limits and budgets hold too");
    add_rules(*command, *options);
  }
}

}  // namespace

void add_identity_commands(CLI::App& program, CLI::App& keys, std::function<int()>& run) {
  add_key_commands(Commands(keys, "keys", run));
  auto* tenants = program.add_subcommand("tenants", "Tenants: who shares limits, budgets and a bill");
  tenants->require_subcommand(1);
  add_tenant_commands(Commands(*tenants, "tenants", run));
}

}  // namespace weir::app

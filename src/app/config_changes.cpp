#include "app/config_changes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "auth/key_rules.hpp"

namespace weir::app {

namespace {

const ProviderConfig* find(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.providers, name, &ProviderConfig::name);
  return found == config.providers.end() ? nullptr : &*found;
}

std::string addresses(const std::vector<Listen>& listen) {
  std::vector<std::string> texts;
  for (const Listen& one : listen) {
    texts.push_back(to_string(one));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool is_same_key(const CallerKey& one, const CallerKey& other) {
  auth::Key compared = one.key;
  compared.rules = other.key.rules;
  const auth::KeyRules none;
  return one.value == other.value && compared == other.key &&
         (one.key.rules ? *one.key.rules : none) == (other.key.rules ? *other.key.rules : none);
}

/// Keys by name; a key with another value is another one.
void describe_keys(const AuthConfig& before, const AuthConfig& after, std::vector<std::string>& lines) {
  const auto missing_in = [](const AuthConfig& where, const AuthConfig& of) {
    std::vector<std::string> names;
    for (const CallerKey& key : of.keys) {
      if (std::ranges::none_of(where.keys, [&](const CallerKey& there) { return is_same_key(there, key); })) {
        names.push_back(key.key.label);
      }
    }
    return names;
  };
  if (const auto names = missing_in(before, after); !names.empty()) {
    lines.push_back(fmt::format("keys added or changed: {}", fmt::join(names, ", ")));
  }
  auto gone = missing_in(after, before);
  std::erase_if(gone, [&](const std::string& name) {
    return std::ranges::any_of(after.keys, [&](const CallerKey& key) { return key.key.label == name; });
  });
  if (!gone.empty()) {
    lines.push_back(fmt::format("keys removed: {}", fmt::join(gone, ", ")));
  }
  if (before.mode != after.mode || before.admin_key != after.admin_key) {
    lines.emplace_back("auth.mode or the admin key changed");
  }
}

void describe_providers(const Config& before, const Config& after, std::vector<std::string>& lines) {
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  for (const ProviderConfig& provider : after.providers) {
    const ProviderConfig* old_one = find(before, provider.name);
    if (old_one == nullptr) {
      added.push_back(provider.name);
    } else if (!same_provider(before, *old_one, after, provider)) {
      changed.push_back(provider.name);
    }
  }
  for (const ProviderConfig& provider : before.providers) {
    if (find(after, provider.name) == nullptr) {
      removed.push_back(provider.name);
    }
  }
  const auto tell = [&](std::string_view what, const std::vector<std::string>& names) {
    if (!names.empty()) {
      lines.push_back(fmt::format("providers {}: {}", what, fmt::join(names, ", ")));
    }
  };
  tell("added", added);
  tell("changed", changed);
  tell("removed", removed);
}

/// What a provider has beside its connections.
bool is_tried_alike(const Config& before, const Config& after) {
  return std::ranges::all_of(after.providers, [&](const ProviderConfig& provider) {
    const ProviderConfig* old_one = find(before, provider.name);
    return old_one == nullptr || *old_one == provider || !same_provider(before, *old_one, after, provider);
  });
}

void describe_tenants(const gateway::Allowances& before, const gateway::Allowances& after,
                      std::vector<std::string>& lines) {
  std::vector<std::string> names;
  for (const auto& [name, tenant] : after.tenants) {
    const auto old_one = before.tenants.find(name);
    if (old_one == before.tenants.end() || old_one->second != tenant) {
      names.push_back(name);
    }
  }
  if (!names.empty()) {
    lines.push_back(fmt::format("tenants added or changed: {}", fmt::join(names, ", ")));
  }
  names.clear();
  for (const auto& [name, tenant] : before.tenants) {
    if (!after.tenants.contains(name)) {
      names.push_back(name);
    }
  }
  if (!names.empty()) {
    lines.push_back(fmt::format("tenants removed: {}", fmt::join(names, ", ")));
  }
}

enum class Part : std::uint8_t { limits, budgets };

/// One half of what holds for all. A member that is in neither half by name is in both, so that it is told.
gateway::Allowances only(Part part, gateway::Allowances all) {
  const auto strip = [&](gateway::Allowance& one) {
    if (part == Part::limits) {
      one.budgets = {};
    } else {
      one.limits = {};
    }
  };
  for (gateway::Allowance* one : {&all.global, &all.per_key, &all.per_user, &all.per_tenant}) {
    strip(*one);
  }
  for (auto& [name, model] : all.by_model) {
    strip(model);
  }
  std::erase_if(all.by_model, [](const auto& model) { return model.second.empty(); });
  all.tenants.clear();
  if (part == Part::limits) {
    all.max_output_tokens = 0;
  } else {
    all.without_key = all.per_ip = {};
    all.by_role.clear();
  }
  return all;
}

/// `after`, with what stays as it was until a restart.
Config without_restart(Config after, const Config& before) {
  after.server.workers = before.server.workers;
  after.server.unix_socket_mode = before.server.unix_socket_mode;
  after.server.head_max = before.server.head_max;
  after.log.file = before.log.file;
  return after;
}

class Restart {
 public:
  template <class T>
  void compare(std::string_view option, const T& running, const T& wanted) {
    if (running != wanted) {
      lines_.push_back(
          fmt::format("{}: {} stays until a restart; the configuration now says {}", option, running, wanted));
    }
  }
  std::vector<std::string> lines() && { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

}  // namespace

bool same_provider(const Config& before, const ProviderConfig& old_one, const Config& after,
                   const ProviderConfig& new_one) {
  ProviderConfig compared = old_one;
  compared.timeouts = new_one.timeouts;
  compared.retry = new_one.retry;
  compared.recovery = new_one.recovery;
  compared.breaker = new_one.breaker;
  compared.max_in_flight = new_one.max_in_flight;
  return compared == new_one && (new_one.dialect == "mock" || before.http_client == after.http_client);
}

std::vector<std::string> needs_restart(const Config& started, const Config& now) {
  Restart restart;
  restart.compare("listen", addresses(started.listen), addresses(now.listen));
  restart.compare<std::string_view>("tls", started.listen_tls ? "on" : "off", now.listen_tls ? "on" : "off");
  restart.compare("server.workers", started.server.workers, now.server.workers);
  restart.compare("server.unix_socket_mode", fmt::format("{:04o}", started.server.unix_socket_mode),
                  fmt::format("{:04o}", now.server.unix_socket_mode));
  restart.compare("server.head_max", started.server.head_max, now.server.head_max);
  restart.compare<std::string_view>("log.file", started.log.file.empty() ? "standard error" : started.log.file,
                                    now.log.file.empty() ? "standard error" : now.log.file);
  restart.compare("data_dir", started.data_dir, now.data_dir);
  restart.compare<std::string_view>("store.url", started.store.file.empty() ? "none" : started.store.file,
                                    now.store.file.empty() ? "none" : now.store.file);
  restart.compare("store.journal_segment", started.store.journal_segment, now.store.journal_segment);
  restart.compare("store.retention.age", started.store.retention.age.count(), now.store.retention.age.count());
  restart.compare("store.retention.size", started.store.retention.bytes, now.store.retention.bytes);
  restart.compare("store.retention.audit", started.store.retention.audit.count(), now.store.retention.audit.count());
  return std::move(restart).lines();
}

std::vector<std::string> describe_changes(const Config& before, const Config& after) {
  std::vector<std::string> lines;
  describe_providers(before, after, lines);
  if (before.listen_tls && after.listen_tls && before.listen_tls != after.listen_tls) {
    lines.emplace_back("tls: new connections get the certificate that is in its file now");
  }
  describe_keys(before.auth, after.auth, lines);
  const Config now = without_restart(after, before);
  const auto compare = [&](std::string_view what, const auto& old_one, const auto& next) {
    if (!(old_one == next)) {
      lines.push_back(fmt::format("{} changed", what));
    }
  };
  compare("models, timeouts or retry", std::tie(before.models, before.timeouts, before.retry),
          std::tie(after.models, after.timeouts, after.retry));
  if (before.models == after.models && before.timeouts == after.timeouts && before.retry == after.retry &&
      !is_tried_alike(before, after)) {
    lines.emplace_back("timeouts, retry or recovery of providers changed");
  }
  compare("limits", only(Part::limits, before.allowances), only(Part::limits, after.allowances));
  compare("budgets or quotas", only(Part::budgets, before.allowances), only(Part::budgets, after.allowances));
  describe_tenants(before.allowances, after.allowances, lines);
  static const std::vector<ledger::PriceBook::Rule> no_prices;
  compare("prices", before.prices ? before.prices->rules() : no_prices,
          after.prices ? after.prices->rules() : no_prices);
  compare("app", std::tie(before.environment, before.reload_on_change),
          std::tie(after.environment, after.reload_on_change));
  compare("server", before.server, now.server);
  compare("http_client", before.http_client, after.http_client);
  compare("keep_alive", before.keep_alive, after.keep_alive);
  compare("health", before.health, after.health);
  compare("log", before.log, now.log);
  return lines;
}

}  // namespace weir::app

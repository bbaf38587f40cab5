#include "app/config_changes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

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

/// Keys by name; a key with another value is another one.
void describe_keys(const AuthConfig& before, const AuthConfig& after, std::vector<std::string>& lines) {
  const auto missing_in = [](const AuthConfig& where, const AuthConfig& of) {
    std::vector<std::string> names;
    for (const CallerKey& key : of.keys) {
      const auto same = std::ranges::find(where.keys, key.value, &CallerKey::value);
      if (same == where.keys.end() || same->key != key.key) {
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
  std::vector<std::string> lines;
  const auto tell = [&](std::string_view what, const std::vector<std::string>& names) {
    if (!names.empty()) {
      lines.push_back(fmt::format("providers {}: {}", what, fmt::join(names, ", ")));
    }
  };
  tell("added", added);
  tell("changed", changed);
  tell("removed", removed);
  if (before.listen_tls && after.listen_tls && before.listen_tls != after.listen_tls) {
    lines.emplace_back("tls: new connections get the certificate that is in its file now");
  }
  describe_keys(before.auth, after.auth, lines);
  if (before.models != after.models) {
    lines.emplace_back("models, limits or retry changed");
  }
  return lines;
}

}  // namespace weir::app

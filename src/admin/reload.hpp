#pragma once

#include <functional>
#include <string>
#include <vector>

#include "admin/identities.hpp"
#include "api/registry.hpp"

namespace weir::admin {

/// What came of an attempt to load the configuration anew.
struct ReloadOutcome {
  bool applied = false;              // false: it was rejected, and nothing changed
  std::vector<std::string> errors;   // why it was rejected
  std::vector<std::string> changes;  // what is different now
  std::vector<std::string> restart;  // what is different in the files and stays as it is until a restart
  std::vector<std::string> notices;  // about the configuration that was read
};
std::string to_json(const ReloadOutcome& outcome);

/// Loads the configuration anew. Callable from any thread; `done` is called once, on any thread.
class Reloading {
 public:
  virtual ~Reloading() = default;
  virtual void reload(std::function<void(const ReloadOutcome&)> done) = 0;
};

/// Adds `POST /admin/v1/reload`. `reloading` is asked when a request comes; it may be null where there is nothing to
/// reload, and outlives the registry; so it is with `identities`, for the audit log.
void add_reload_endpoint(api::Registry& registry, Reloading* const& reloading, Identities* const& identities);

}  // namespace weir::admin

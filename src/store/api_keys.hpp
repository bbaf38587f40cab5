#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::store {

/// A caller key, as analysts see it. Times are RFC 3339, UTC, as observe::rfc3339 writes them, so that they sort as
/// text; an empty time, hash or user is null. Lists and objects are JSON texts, given back with the same meaning.
struct ApiKey {
  std::string id;    // sorts by the time at which it was made
  std::string hash;  // bytes, opaque here: auth/ makes and compares them
  std::string previous_hash;
  std::string previous_expires_at;  // until then previous_hash opens too
  std::string prefix;               // the first characters, for people
  std::string label;
  std::string role;
  std::string tenant;
  std::string user;
  bool active = true;
  std::string models = R"(["*"])";
  std::string endpoints = R"(["*"])";
  std::string ip_allow = "[]";
  std::string limits = "{}";
  std::string budgets = "[]";
  std::string quotas = "[]";
  std::string metadata = "{}";
  std::string expires_at;
  std::string expires_at_written;  // the same moment in the words of whoever set it; empty: nobody's
  std::string created_at;
  std::string updated_at;
  std::string last_used_at;  // coarse: see ApiKeys::note_used()
  std::string revoked_at;    // from then on it opens nothing; the row stays for the ledger
  friend bool operator==(const ApiKey&, const ApiKey&) = default;
};

/// Which keys: all that a member names must be so.
struct KeyQuery {
  std::string tenant;
  std::string user;
  std::string label;
  std::string role;
  std::optional<bool> active;
  bool revoked = false;  // those too
  std::string after;     // go on behind this id, towards older ones; empty: from the newest
  int limit = 100;
};

struct KeyUse {
  std::string id;
  std::string time;
};

/// The keys of callers.
class ApiKeys {
 public:
  virtual ~ApiKeys() = default;
  /// False, and nothing changed: a key with this id or hash is there.
  virtual Result<bool> add(const ApiKey& key) = 0;
  /// The whole row of that id. False: there is none.
  virtual Result<bool> update(const ApiKey& key) = 0;
  virtual Result<std::optional<ApiKey>> find(std::string_view id) = 0;
  /// Whose hash or previous hash it is; the former where both are there. Whether it still opens is not asked here.
  virtual Result<std::optional<ApiKey>> find_by_hash(std::string_view hash) = 0;
  /// The newest first. A page that is not full is the last.
  virtual Result<std::vector<ApiKey>> list(const KeyQuery& query) = 0;
  /// When keys were last used; what is older than that which is known changes nothing.
  virtual Result<void> note_used(std::span<const KeyUse> uses) = 0;
};

}  // namespace weir::store

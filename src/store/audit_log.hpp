#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace weir::store {

/// A change that somebody made. Empty texts but `actor`, `action`, `object` and `object_id` are null in the database.
struct AuditEntry {
  std::int64_t id = 0;  // given by the database, rising
  std::string time;     // RFC 3339, UTC
  std::string actor;    // a key's label; "local" where no key was asked for
  std::string actor_key_id;
  std::string actor_role;
  std::string address;     // the client's
  std::string request_id;  // of the change
  std::string action;      // create, update, rotate, revoke, delete ...
  std::string object;      // key, tenant ...
  std::string object_id;
  std::string before;  // JSON, without secrets
  std::string after;
  friend bool operator==(const AuditEntry&, const AuditEntry&) = default;
};

/// Which changes: all that a member names must be so.
struct AuditQuery {
  std::string actor;
  std::string action;
  std::string object;
  std::string object_id;
  std::string from;        // a time
  std::string to;          // the first time that is not part of it
  std::int64_t after = 0;  // go on behind this id, towards older ones; 0: from the newest
  int limit = 100;
};

/// Who did what. Grows, and loses what is too old.
class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual Result<void> add(const AuditEntry& entry) = 0;
  /// The newest first. A page that is not full is the last.
  virtual Result<std::vector<AuditEntry>> list(const AuditQuery& query) = 0;
  /// Removes entries before that time, at most `entries_max` of the oldest; how many went.
  virtual Result<std::int64_t> remove_oldest(const std::string& before, std::int64_t entries_max) = 0;
};

}  // namespace weir::store

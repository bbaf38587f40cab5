#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/api_keys.hpp"

/// A caller key as the admin API shows and takes it. Pure.
namespace weir::admin {

/// A key as POST begins with it: what a document does not name.
[[nodiscard]] store::ApiKey default_key();

/// Puts the members of a document into `key`: those of POST into a default_key(), those of PATCH into the key that is
/// there. A null is the default. Errors: invalid_request, beginning with the member's path; `key` is then half changed.
Result<void> read_key_document(std::string_view json, store::ApiKey& key);

/// What is wrong with the name of a role: which there are, and which was meant. Empty where there is one of that name.
[[nodiscard]] std::string wrong_role(std::string_view word);

/// How long the key before a rotation opens too: `{"overlap": "10m"}`, in seconds; an empty text: one hour.
Result<std::chrono::milliseconds> read_rotation(std::string_view json);

/// The key without anything secret, as an open JSON object: the caller may add members and closes it.
[[nodiscard]] std::string open_key_json(const store::ApiKey& key);
[[nodiscard]] inline std::string key_to_json(const store::ApiKey& key) {
  return open_key_json(key) + "}";
}

}  // namespace weir::admin

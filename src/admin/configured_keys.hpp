#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "auth/key.hpp"
#include "base/result.hpp"
#include "store/api_keys.hpp"

/// Keys of the configuration beside those of the store. Pure.
namespace weir::admin {

inline constexpr std::string_view configured_key_prefix =
    "config:";  // of their ids; sorts before every id of the store

/// A key of the configuration as a row; its text is no part of it, and neither is a hash.
[[nodiscard]] store::ApiKey row_of_configured(const auth::Key& key);

/// Ends `page`, what the store answered to `query`, with those of `configured` that are asked for too: lists go down by
/// id, and theirs are the lowest. `configured` goes down by id as well.
void add_configured(std::vector<store::ApiKey>& page, const store::KeyQuery& query,
                    const std::vector<store::ApiKey>& configured);

/// The key of the configuration with this id.
[[nodiscard]] std::optional<store::ApiKey> find_configured(const std::vector<store::ApiKey>& configured,
                                                           std::string_view id);

/// Why a key with this id cannot be changed here: conflict, with what to do instead. Nothing where it is not
/// configured.
[[nodiscard]] std::optional<Error> refuse_configured(const std::vector<store::ApiKey>& configured, std::string_view id);

}  // namespace weir::admin

#pragma once

#include <cstdint>
#include <string_view>

#include "http/headers.hpp"

namespace weir::auth {

/// The key that a request brings: `Authorization: Bearer`, `X-API-Key` or `api-key`; none of them is ever passed on.
struct Credential {
  enum class State : std::uint8_t {
    none,
    no_bearer,  // only an Authorization of another scheme
    differ,     // several keys, and not all the same
    one,
  };
  State state = State::none;
  std::string_view key;  // where one; lives as long as the request's head. Never to be shown
};
[[nodiscard]] Credential read_credential(const http::Headers& headers);

}  // namespace weir::auth

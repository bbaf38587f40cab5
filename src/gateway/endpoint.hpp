#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dialects/openai/operation.hpp"

namespace weir::gateway {

/// Who may call it. `page`: a file of the live page, which holds nothing but asks for what `admin` guards: as `admin`
/// while a loopback name is what guards it, open where a key does.
enum class AuthClass : std::uint8_t { open, caller, admin, page };
/// What its calls are counted against.
enum class LimitsClass : std::uint8_t { none, inference, admin };

/// One endpoint, as tests, docs and the router read it. Added to the api::Registry by the files that implement them.
struct Endpoint {
  std::string_view method;  // "POST"; GET answers HEAD too
  std::string_view path;  // "/v1/chat/completions"; a last `{id}` takes the rest of the path, one before that a segment
  std::string_view upstream_path;                // behind the provider's base URL; empty: answered here
  const openai::Operation* operation = nullptr;  // what its calls are; null: answered here
  AuthClass auth = AuthClass::caller;
  LimitsClass limits = LimitsClass::inference;
  std::string_view summary;  // one sentence
  /// The names that its query may have; outlive it. Of those that administer any other is refused before they are
  /// asked.
  std::span<const std::string_view> parameters{};
};

}  // namespace weir::gateway

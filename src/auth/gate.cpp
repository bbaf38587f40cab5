#include "auth/gate.hpp"

#include <fmt/format.h>

#include "auth/key_text.hpp"
#include "observe/json_time.hpp"

namespace weir::auth {

namespace {

constexpr std::size_t key_bytes_max = 1024;  // what is longer is no key, and is not hashed

Error no_key(const Credential& credential) {
  constexpr std::string_view cure = "Send your key as `Authorization: Bearer KEY`, or in the header X-API-Key.";
  switch (credential.state) {
    case Credential::State::differ:
      return {.code = Code::unauthenticated,
              .message = "Two different API keys were sent with one request. Send one, or the same in each header."};
    case Credential::State::no_bearer:
      return {.code = Code::missing_api_key,
              .message = fmt::format("The Authorization header holds no Bearer key. {}", cure)};
    case Credential::State::none:
    case Credential::State::one: break;
  }
  return {.code = Code::missing_api_key, .message = fmt::format("No API key was sent. {}", cure)};
}

Error cannot_be_found_out(std::string_view what) {
  return {.code = Code::store_unavailable,
          .message = fmt::format("{} cannot be found out at the moment: the store of this gateway does not answer. Try "
                                 "again.",
                                 what)};
}

Error unknown_key(std::string_view text) {
  return {.code = Code::unauthenticated,
          .message = is_mistyped(text)
                         ? "The API key is mistyped: it is not one that weir made. Copy it whole, once more."
                         : "The API key is not known here. It was never made on this gateway, or was taken back."};
}

}  // namespace

/// The holder of the key that was sent; its role is judged by whoever asks.
Result<Principal> Gate::holder(const Credential& credential, const Asked& asked) const {
  if (credential.state != Credential::State::one) {
    return std::unexpected(no_key(credential));
  }
  if (credential.key.size() > key_bytes_max) {
    return std::unexpected(unknown_key(credential.key));
  }
  const KeySource::Lookup found = keys_->find((*hasher_)(credential.key));
  if (found.state == KeySource::State::unavailable && !is_mistyped(credential.key)) {
    return std::unexpected(cannot_be_found_out("Whether the API key is good"));
  }
  if (found.state != KeySource::State::found) {
    return std::unexpected(unknown_key(credential.key));
  }
  const Key& key = *found.key;
  if (!key.active) {
    return fail(Code::inactive_api_key, fmt::format("The API key `{}` is switched off.", key.label));
  }
  if (key.expires_at && *key.expires_at <= asked.now) {
    return fail(Code::expired_api_key,
                fmt::format("The API key `{}` expired at {}.", key.label, observe::rfc3339(*key.expires_at)));
  }
  if (found.until <= asked.now) {
    return fail(Code::expired_api_key,
                fmt::format("The API key `{}` was replaced by a new one, and this one was good until {}.", key.label,
                            observe::rfc3339(found.until)));
  }
  if (!key.may_come_from(asked.client)) {
    return fail(Code::ip_not_allowed,
                fmt::format("The API key `{}` may not be used from {}.", key.label, asked.client));
  }
  return Principal{.tenant = key.tenant,
                   .user = key.user,
                   .key_id = key.id,
                   .key_label = key.label,
                   .role = key.role,
                   .anonymous = false,
                   .key = &key};
}

Result<Principal> Gate::caller(const Credential& credential, const Asked& asked) const {
  // While nobody needs a key, what clients send because they must send something is nobody's.
  if (options_.open || options_.mode == Mode::none) {
    return Principal{};
  }
  // A key that is wrong is never taken for none: its holder would not learn it.
  const bool sent = credential.state != Credential::State::none && credential.state != Credential::State::no_bearer;
  if (options_.mode == Mode::optional && !sent) {
    return Principal{};
  }
  if (options_.caller_keys_unknown && !sent) {
    return std::unexpected(cannot_be_found_out("Whether a call needs an API key"));
  }
  auto principal = holder(credential, asked);
  if (!principal) {
    return principal;
  }
  if (principal->role == Role::bootstrap) {
    return fail(Code::forbidden,
                fmt::format("The key `{}` opens /admin alone. A call needs a caller's key.", principal->key_label));
  }
  if (!principal->key->may_use_endpoint(asked.endpoint)) {
    return fail(Code::endpoint_not_allowed,
                fmt::format("The API key `{}` may not use {}.", principal->key_label, asked.endpoint));
  }
  return principal;
}

Result<Principal> Gate::administrator(const Credential& credential, const Asked& asked) const {
  if (options_.admin_keys_unknown && credential.state == Credential::State::none) {
    return std::unexpected(cannot_be_found_out("Whether /admin needs a key"));
  }
  auto principal = holder(credential, asked);
  if (principal && principal->role == Role::user) {
    return fail(Code::forbidden, fmt::format("The API key `{}` has the role user; {} wants one of the role admin or "
                                             "operator, or the admin key.",
                                             principal->key_label, asked.endpoint));
  }
  return principal;
}

std::optional<Error> refuse_model(const Principal& principal, std::string_view model) {
  if (principal.key == nullptr || principal.key->may_use_model(model)) {
    return std::nullopt;
  }
  return Error{.code = Code::model_not_allowed,
               .message = fmt::format("The API key `{}` may not use the model `{}`. GET /v1/models lists those that it "
                                      "may.",
                                      principal.key_label, model)};
}

}  // namespace weir::auth

#include "auth/credential.hpp"

namespace weir::auth {

namespace {

using http::KnownHeader;

/// Whether the field is an Authorization of the scheme Bearer; `value` becomes what follows. Source: RFC 6750 section
/// 2.1; the scheme's case does not count (RFC 9110 section 11.1).
bool take_bearer(std::string_view& value) {
  constexpr std::string_view scheme = "bearer";
  if (value.size() < scheme.size() || !http::iequals(value.substr(0, scheme.size()), scheme) ||
      (value.size() > scheme.size() && value[scheme.size()] != ' ')) {
    return false;
  }
  value = http::trim(value.substr(scheme.size()));
  return true;
}

void take(Credential& credential, const http::Header& header) {
  using enum Credential::State;
  std::string_view key = header.value;
  if (header.known == KnownHeader::authorization && !take_bearer(key)) {
    if (credential.state == none && !key.empty()) {
      credential.state = no_bearer;
    }
  } else if (key.empty() || credential.state == differ) {
    // Clients without a key send an empty one.
  } else if (credential.state == one && credential.key != key) {
    credential = {.state = differ, .key = {}};
  } else {
    credential = {.state = one, .key = key};
  }
}

}  // namespace

Credential read_credential(const http::Headers& headers) {
  Credential credential;
  constexpr KnownHeader places[] = {KnownHeader::authorization, KnownHeader::x_api_key, KnownHeader::api_key};
  for (const KnownHeader place : places) {
    const http::Header* header = headers.find(place);
    if (header == nullptr) {
      continue;
    }
    if (!headers.repeated(place)) {
      take(credential, *header);
      continue;
    }
    for (const http::Header& each : headers) {
      if (each.known == place) {
        take(credential, each);
      }
    }
  }
  return credential;
}

}  // namespace weir::auth

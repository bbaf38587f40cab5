#pragma once

#include <memory>

#include "app/config.hpp"
#include "app/key_pools.hpp"
#include "app/provider_slots.hpp"
#include "app/tls_material.hpp"
#include "http/connector.hpp"
#include "net/dialer.hpp"
#include "platform/loop.hpp"
#include "providers/provider.hpp"

namespace weir::app {

/// What a connection to this provider is made by. `dialer` outlives it.
http::Connector::Options connector_options(const ProviderConfig& config, const TlsMaterial& tls, net::Dialer& dialer);

/// What the providers of all cores share.
struct ProviderParts {
  const TlsMaterial& tls;
  ProviderSlots& slots;
  const KeyPools& keys;
};

/// A provider on this loop, with the settings of `general` that hold for all. `dialer` outlives it.
std::unique_ptr<providers::Provider> make_provider(platform::Loop& loop, net::Dialer& dialer, const Config& general,
                                                   const ProviderConfig& config, const ProviderParts& shared);

}  // namespace weir::app

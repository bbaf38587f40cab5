#include "app/tls_material.hpp"

#include "app/machine_roots.hpp"

namespace weir::app {

Result<TlsMaterial> read_tls(const Config& config, const TlsMaterial& known, const net::TlsTicketKeys& ticket_keys,
                             observe::Log& log) {
  TlsMaterial tls;
  for (const ProviderConfig& provider : config.providers) {
    if (!provider.enabled || !provider.base_url.tls || !provider.tls.verify ||
        tls.roots.contains(provider.tls.ca_pem)) {
      continue;
    }
    const std::string& pem = provider.tls.ca_pem;
    // Shared by all cores, and kept: to read the authorities of a machine takes some 20 ms.
    if (const auto found = known.roots.find(pem); found != known.roots.end()) {
      tls.roots.insert(*found);
      continue;
    }
    auto made = pem.empty() ? machine_roots() : net::TlsRoots::from_pem(pem);
    if (made) {
      tls.roots.emplace(pem, std::move(*made));
    } else {
      // The provider's calls say so too.
      log.message(observe::Level::warn, "tls", made.error().message + "; a provider's own is its tls.ca_file");
    }
  }
  if (config.listen_tls) {
    auto identity = net::TlsIdentity::from_pem(config.listen_tls->cert_pem, config.listen_tls->key_pem.reveal());
    if (!identity) {
      return std::unexpected(std::move(identity.error()));
    }
    tls.server = {.identity = std::move(*identity), .minimum = config.listen_tls->minimum, .ticket_keys = ticket_keys};
  }
  return tls;
}

}  // namespace weir::app

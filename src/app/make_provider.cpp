#include "app/make_provider.hpp"

#include <fmt/format.h>

#include "providers/mock_provider.hpp"
#include "providers/openai_provider.hpp"

namespace weir::app {

http::Connector::Options connector_options(const ProviderConfig& config, const TlsMaterial& tls, net::Dialer& dialer) {
  http::Connector::Options options{
      .peer = {.host = config.base_url.host, .port = config.base_url.port, .unix_path = config.base_url.unix_path},
      .tls = std::nullopt,
      .proxy = std::nullopt,
      .dialer = &dialer};
  if (config.proxy) {
    platform::Peer proxy{.host = config.proxy->host, .port = config.proxy->port};
    if (config.base_url.tls) {
      options.proxy = {.peer = std::move(proxy), .credentials = config.proxy->credentials};
    } else {
      options.peer = std::move(proxy);
    }
  }
  if (config.base_url.tls) {
    const auto roots = tls.roots.find(config.tls.ca_pem);
    options.tls = {.server_name = config.tls.server_name,
                   .roots = roots == tls.roots.end() ? nullptr : roots->second,
                   .verify = config.tls.verify,
                   .minimum = config.tls.minimum};
  }
  return options;
}

std::unique_ptr<providers::Provider> make_provider(platform::Loop& loop, net::Dialer& dialer, const Config& general,
                                                   const ProviderConfig& config, const ProviderParts& shared) {
  if (config.dialect == "mock") {
    return std::make_unique<providers::MockProvider>(loop, config.mock);
  }
  http::Connector::Options connect = connector_options(config, shared.tls, dialer);
  providers::OpenAiProvider::Options options{
      .name = config.name,
      .peer = std::move(connect.peer),
      .tls = std::move(connect.tls),
      .proxy = std::move(connect.proxy),
      .dialer = &dialer,
      .slots = shared.slots.of(config.name, static_cast<std::size_t>(general.http_client.max_connections)),
      .host = config.base_url.host.find(':') == std::string::npos ? config.base_url.host
                                                                  : fmt::format("[{}]", config.base_url.host),
      .base_path = config.base_url.path,
      .base_query = config.base_url.query,
      .keys = shared.keys.of(config),
      .headers = config.headers,
      .quirks = config.quirks,
      .idle_max = static_cast<std::size_t>(general.http_client.max_keepalive_connections),
      .idle_timeout = general.http_client.keepalive_timeout};
  if (config.proxy && !config.base_url.tls) {
    // Plain HTTP needs no tunnel: the proxy is asked, with the whole address as the target (RFC 9112 section 3.2.2).
    options.base_path = fmt::format("http://{}:{}{}", options.host, config.base_url.port, config.base_url.path);
    if (!config.proxy->credentials.empty()) {
      options.headers.emplace_back("Proxy-Authorization", http::basic_authorization(config.proxy->credentials));
    }
  }
  if (config.base_url.port != (config.base_url.tls ? 443 : 80)) {
    options.host += fmt::format(":{}", config.base_url.port);
  }
  return std::make_unique<providers::OpenAiProvider>(loop, std::move(options));
}

}  // namespace weir::app

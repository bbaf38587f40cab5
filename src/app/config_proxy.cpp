#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "app/config_builder.hpp"
#include "platform/address.hpp"
#include "settings/url.hpp"

namespace weir::app {

namespace {

using settings::Environment;
using settings::Report;
using settings::Section;

/// The value of the first of two variables that is set and not empty; `name` tells which.
std::string value_of(const Environment& environment, std::array<std::string_view, 2> names, std::string_view& name) {
  for (const std::string_view candidate : names) {
    if (const auto found = environment.find(candidate); found != environment.end() && !found->second.empty()) {
      name = candidate;
      return found->second;
    }
  }
  return {};
}

/// "%40" as "@": credentials in an address are escaped.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      const char c = at < text.size() ? static_cast<char>(std::tolower(static_cast<unsigned char>(text[at]))) : 'x';
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      plain += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// An error's message follows the name of what held the text, and never shows it: it may hold a password.
Result<ProxyConfig> parse_proxy(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  ProxyConfig proxy;
  if (text.starts_with(scheme)) {
    text.remove_prefix(scheme.size());
  } else if (const std::size_t end = text.find("://"); end != std::string_view::npos) {
    return fail(Code::invalid_request,
                fmt::format("names a proxy of the kind {}://, and weir speaks to proxies by http:// only; write "
                            "http://host:port, or http_client.proxy: none to reach providers directly",
                            text.substr(0, end)));
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    proxy.credentials = Secret(unescape(text.substr(0, at)));
    text.remove_prefix(at + 1);
  }
  const std::string address = std::string(scheme) + std::string(text);
  const auto url = settings::parse_url(address);
  if (!url || !url->path.empty() || !url->query.empty()) {
    return fail(Code::invalid_request, "holds no address of a proxy; write http://host:port");
  }
  proxy.host = url->host;
  proxy.port = url->port;
  return proxy;
}

/// Whether an entry of NO_PROXY means `host`: itself, a name below it, a network that it is in, `*`, with or without a
/// port.
bool is_excepted(std::string_view list, std::string_view host, std::uint16_t port) {
  const auto address = platform::parse_bare_address(host);
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view entry = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!entry.empty() && is_blank(entry.front())) {
      entry.remove_prefix(1);
    }
    while (!entry.empty() && is_blank(entry.back())) {
      entry.remove_suffix(1);
    }
    if (const std::string suffix = fmt::format(":{}", port); entry.ends_with(suffix) && !host.contains(':')) {
      entry.remove_suffix(suffix.size());
    }
    if (entry == "*") {
      return true;
    }
    if (entry.starts_with("*.")) {
      entry.remove_prefix(1);
    }
    if (entry.starts_with('[') && entry.ends_with(']')) {
      entry = entry.substr(1, entry.size() - 2);
    }
    if (address) {
      if (const auto network = platform::parse_network(entry); network && network->contains(*address)) {
        return true;
      }
      continue;  // the end of an address is no name above it
    }
    const std::string_view bare = entry.starts_with('.') ? entry.substr(1) : entry;
    if (bare.empty() || bare.size() > host.size()) {
      continue;
    }
    const std::string_view end = host.substr(host.size() - bare.size());
    const bool same = std::ranges::equal(end, bare, [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    });
    if (same && (end.size() == host.size() || host[host.size() - end.size() - 1] == '.')) {
      return true;
    }
  }
  return false;
}

}  // namespace

void choose_proxies(const Section& root, const Environment& environment, Report& report, Config& config) {
  const Section client = root.at("http_client");
  const std::string written = client.text("proxy");
  if (written == "none") {
    return;
  }
  std::string_view except_name;
  const std::string except = value_of(environment, {"no_proxy", "NO_PROXY"}, except_name);
  std::vector<std::string_view> told;
  for (ProviderConfig& provider : config.providers) {
    const BaseUrl& url = provider.base_url;
    if (!provider.enabled || url.text.empty() || settings::is_loopback_host(url.host) ||
        is_excepted(except, url.host, url.port)) {
      continue;
    }
    std::string_view name = "http_client.proxy";
    std::string text = written;
    if (text.empty()) {
      text = url.tls ? value_of(environment, {"https_proxy", "HTTPS_PROXY"}, name)
                     : value_of(environment, {"http_proxy", "HTTP_PROXY"}, name);
    }
    if (text.empty()) {
      continue;
    }
    auto proxy = parse_proxy(text);
    if (proxy) {
      provider.proxy = std::move(*proxy);
    } else if (std::ranges::find(told, name) == told.end()) {
      told.push_back(name);
      const bool option = !written.empty();
      report.error(option ? client.origin("proxy") : settings::Origin{.source = std::string(name)},
                   option ? "http_client.proxy" : "", proxy.error().message);
    }
  }
}

}  // namespace weir::app

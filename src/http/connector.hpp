#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/secret.hpp"
#include "net/dialer.hpp"
#include "net/tls.hpp"
#include "platform/loop.hpp"
#include "platform/stream.hpp"

namespace weir::http {

/// Makes connections to one server: dials it, or its proxy and asks that for a tunnel (CONNECT, RFC 9110 section
/// 9.3.6), and secures what it got. Belongs to one loop.
class Connector {
 public:
  struct Proxy {
    platform::Peer peer;
    Secret credentials;  // "user:password"; empty: none are sent
  };
  struct Options {
    platform::Peer peer;
    std::optional<net::TlsClient::Options> tls;  // https
    std::optional<Proxy> proxy;
    net::Dialer* dialer = nullptr;  // outlives the connector; null: the loop dials
  };
  Connector(platform::Loop& loop, Options options);
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// Errors: those of Loop::dial and of TlsClient::secure; unreachable: the proxy refused, in words that name it.
  Task<Result<std::unique_ptr<platform::Stream>>> connect(platform::Until until);
  /// All zero where the connections are plain.
  [[nodiscard]] net::TlsStatistics tls_statistics() const;

 private:
  WEIR_OWN_FRAME Task<Result<std::unique_ptr<platform::Stream>>> connect_in_layers(platform::Until until);
  WEIR_OWN_FRAME Task<Result<std::unique_ptr<platform::Stream>>> tunnel(platform::Until until);
  Task<Result<std::unique_ptr<platform::Stream>>> dial(const platform::Peer& peer, platform::Until until) {
    return options_.dialer != nullptr ? options_.dialer->dial(peer, until) : loop_.dial(peer, until);
  }

  platform::Loop& loop_;
  Options options_;
  std::unique_ptr<net::TlsClient> tls_;  // null: plain
};

/// "user:password" as the value of Proxy-Authorization: "Basic dXNlcjpwYXNzd29yZA==".
std::string basic_authorization(const Secret& credentials);

}  // namespace weir::http

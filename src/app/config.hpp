#pragma once

#include "auth/gate.hpp"
#include "base/secret.hpp"
#include "gateway/allowances.hpp"
#include "ledger/price_book.hpp"
#include "net/tls_version.hpp"
#include "providers/key_pool.hpp"
#include "providers/mock_options.hpp"
#include "providers/presets.hpp"
#include "routing/policy.hpp"
#include "store/retention.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::app {

/// An address to listen on: host and port, or a Unix socket.
struct Listen {
  std::string host = "127.0.0.1";  // an IP address; IPv6 without brackets; empty where `unix_path` is set
  std::uint16_t port = 8000;       // 0: the system chooses
  std::string unix_path;           // not empty: a Unix socket; host and port mean nothing
  friend bool operator==(const Listen&, const Listen&) = default;
};
std::string to_string(const Listen& listen);
/// True for 127.0.0.0/8, ::1 and Unix sockets.
bool is_loopback(const Listen& listen);

/// A credential of ours at a provider.
struct KeyConfig {
  std::string name;  // for logs and explain; `key-1`, `key-2` ... where the config gives none
  Secret value;      // never empty, unless a command prints it
  int weight = 1;
  int priority = 0;                            // lower first
  std::string command;                         // prints the key; empty: `value` is it
  std::chrono::milliseconds refresh{300'000};  // how often the command runs
  friend bool operator==(const KeyConfig&, const KeyConfig&) = default;
};

enum class UnknownModels : std::uint8_t { refuse, forward };

using providers::KeyChoice;
using providers::MockFault;
using providers::MockFaultKind;
using providers::MockOptions;

/// A parsed base URL: what is dialed, and what stands before `/chat/completions`.
struct BaseUrl {
  std::string text;  // as configured, without a trailing slash; empty for dialect mock
  bool tls = false;  // https
  std::string host;  // IPv6 without brackets; "localhost" for a Unix socket
  std::uint16_t port = 80;
  std::string unix_path;  // not empty: dialed instead of host and port
  std::string path;       // "" or "/v1": no trailing slash
  std::string query;      // "api-version=1"; sent with every request, before the caller's own
  friend bool operator==(const BaseUrl&, const BaseUrl&) = default;
};

/// True where that address is one that we listen on.
bool points_at(const std::vector<Listen>& listen, const BaseUrl& url);

/// How an https provider is believed.
struct ProviderTls {
  bool verify = true;
  net::TlsVersion minimum = net::TlsVersion::tls_1_2;
  std::string server_name;  // whom its certificate must name
  std::string ca_file;      // empty: the authorities of this machine
  std::string ca_pem;       // what ca_file held
  friend bool operator==(const ProviderTls&, const ProviderTls&) = default;
};

/// TLS towards clients, on every listening address but Unix sockets.
struct ListenTls {
  std::string cert_file;
  std::string key_file;
  std::string cert_pem;
  Secret key_pem;
  net::TlsVersion minimum = net::TlsVersion::tls_1_2;
  friend bool operator==(const ListenTls&, const ListenTls&) = default;
};

/// A proxy on the way to a provider.
struct ProxyConfig {
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 80;
  Secret credentials;  // "user:password"; may be empty
  friend bool operator==(const ProxyConfig&, const ProxyConfig&) = default;
};

/// One company or server that answers. Life: part of Config.
struct ProviderConfig {
  std::string name;
  std::string dialect;  // the wire format: openai, mock; others are kept but off
  std::string preset;   // "groq", "vllm" ... where the config named a preset, else empty
  providers::Quirks quirks;
  BaseUrl base_url;
  ProviderTls tls;                   // where base_url is https
  std::optional<ProxyConfig> proxy;  // nothing: reached directly
  std::vector<KeyConfig> keys;       // empty: no key is sent
  KeyChoice key_choice = KeyChoice::round_robin;
  std::vector<std::pair<std::string, std::string>> headers;  // added to each request to this provider
  int max_in_flight = 0;                                     // 0: no bound
  UnknownModels unknown_models = UnknownModels::refuse;
  MockOptions mock;            // dialect mock only
  routing::Timeouts timeouts;  // general and provider options merged
  routing::Retry retry;
  routing::Recovery recovery;
  routing::BreakerOptions breaker;
  bool enabled = true;
  std::string off_reason;  // why it is not enabled; a whole clause, safe to show
  friend bool operator==(const ProviderConfig&, const ProviderConfig&) = default;
};

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };
struct LogConfig {
  LogLevel level = LogLevel::info;
  std::map<std::string, LogLevel, std::less<>> components;
  std::string file;      // empty: standard error
  bool requests = true;  // the one JSON line per request
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

/// A caller's key that the configuration gives.
struct CallerKey {
  auth::Key key;
  Secret value;  // never empty
};
using AuthMode = auth::Mode;
struct AuthConfig {
  AuthMode mode = AuthMode::required;
  std::vector<CallerKey> keys;
  Secret admin_key;  // opens /admin alone; may be empty
};
/// True where a key of it, or one that the admin key can make, lets callers in: weir may be reached from elsewhere.
bool has_keys(const AuthConfig& auth);
/// What stops a start that listens on an address beyond loopback while no key is there, with the cure.
std::string without_keys(const Listen& listen);

/// Cores, and the bounds of what a client may send.
struct ServerConfig {
  int workers = 0;                           // cores; 0: as many as the machine grants
  int worker_connections = 10'000;           // open client connections per core
  int connections_per_ip = 0;                // 0: no bound
  std::vector<std::string> trusted_proxies;  // addresses or networks (10.0.0.0/8)
  std::size_t body_max = std::size_t{32} << 20;
  std::size_t head_max = std::size_t{64} << 10;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{60'000};       // silence while a body is being read
  std::chrono::milliseconds idle_timeout{75'000};       // keep-alive without a request
  std::chrono::milliseconds write_timeout{60'000};      // a client that takes nothing
  std::chrono::milliseconds drain_timeout{30'000};      // after SIGTERM: for what is still running
  std::chrono::milliseconds drain_idle_timeout{2'000};  // idle_timeout while draining
  std::chrono::milliseconds drain_delay{0};             // after SIGTERM: goes on accepting with /readyz at 503
  unsigned unix_socket_mode = 0660;                     // of the files of Unix sockets that are listened on
  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

/// Connections to providers.
struct HttpClientConfig {
  int max_connections = 100;  // per core and provider
  int max_keepalive_connections = 30;
  std::chrono::milliseconds keepalive_timeout{30'000};
  std::chrono::milliseconds dns_cache_ttl{300'000};
  bool tcp_keepalive = true;
  std::chrono::milliseconds tcp_keepalive_idle{60'000};
  std::chrono::milliseconds tcp_keepalive_interval{30'000};
  int tcp_keepalive_count = 3;
  friend bool operator==(const HttpClientConfig&, const HttpClientConfig&) = default;
};

/// Comments in a stream before its first content.
struct KeepAliveConfig {
  bool enabled = true;
  std::chrono::milliseconds after{20'000};
  std::chrono::milliseconds every{20'000};
  friend bool operator==(const KeepAliveConfig&, const KeepAliveConfig&) = default;
};

/// Free checks of the providers' addresses, and paid probes.
struct HealthConfig {
  enum class Check : std::uint8_t { none, connect, tls };
  Check check = Check::none;
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds timeout{5'000};
  bool probe = false;  // paid, of targets that are due for a trial
  int probes_per_day = 50;
  friend bool operator==(const HealthConfig&, const HealthConfig&) = default;
};

/// Where calls are kept over the end of the process.
struct StoreConfig {
  std::string file;    // SQLite, inside data_dir unless absolute; empty: memory alone
  bool named = false;  // the configuration says where; else it is the default
  std::size_t journal_segment = std::size_t{4} << 20;
  store::Retention retention;
  friend bool operator==(const StoreConfig&, const StoreConfig&) = default;
};

/// The whole configuration, checked: names that refer to each other exist and numbers are inside their bounds.
///
/// A plain value without I/O; `load_config` and `discover` build it. Share it as `std::shared_ptr<const Config>`.
struct Config {
  std::string file;              // empty: no config file
  std::string environment;       // app.environment; empty: none chosen
  bool reload_on_change = true;  // app.reload_on_change
  std::vector<Listen> listen{Listen{}};
  std::optional<ListenTls> listen_tls;    // nothing: plain HTTP
  std::vector<ProviderConfig> providers;  // in file order, those that are off included
  routing::ModelTable models;
  routing::Timeouts timeouts;  // the general ones
  routing::Retry retry;
  AuthConfig auth;
  ServerConfig server;
  HttpClientConfig http_client;
  KeepAliveConfig keep_alive;
  HealthConfig health;
  LogConfig log;
  gateway::Allowances allowances;                   // what callers may use
  std::shared_ptr<const ledger::PriceBook> prices;  // null: no target has one
  std::string data_dir = "./weir-data";
  StoreConfig store;
};

}  // namespace weir::app

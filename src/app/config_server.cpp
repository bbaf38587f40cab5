#include "app/config_builder.hpp"
#include "settings/url.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::app {

namespace {

using settings::Node;
using settings::Report;
using settings::Section;

LogLevel log_level(std::string_view word) {
  if (word == "debug") {
    return LogLevel::debug;
  }
  if (word == "warn") {
    return LogLevel::warn;
  }
  if (word == "error") {
    return LogLevel::error;
  }
  return word == "off" ? LogLevel::off : LogLevel::info;
}

/// What is wrong with an address to listen on, in words that follow it; empty where `listen` was filled.
std::string parse_listen(std::string_view text, Listen& listen) {
  if (text.starts_with("unix:")) {
    listen = {.host = "", .port = 0, .unix_path = std::string(text.substr(5))};
    return listen.unix_path.empty()             ? "has no path after unix:"
           : !listen.unix_path.starts_with('/') ? "has no absolute path after unix:"
           : listen.unix_path.size() > 107      ? "has a path of more than the 107 bytes that a Unix socket may have"
                                                : "";
  }
  auto parsed = settings::parse_host_port(text);
  if (!parsed) {
    return parsed.error().message;
  }
  if (!parsed->host.empty() && parsed->host != "localhost" && !settings::is_address_or_network(parsed->host)) {
    return "names a host; write an IP address of this machine, or localhost";
  }
  listen.host = parsed->host.empty() ? "0.0.0.0" : parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
  listen.port = parsed->port;
  return "";
}

void build_listen(const Section& root, Report& report, Config& config) {
  const Node* node = root.node("listen");
  if (node == nullptr) {
    return;
  }
  config.listen.clear();
  const bool list = node->kind == Node::Kind::list;
  const std::size_t count = list ? node->items.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const Node& item = list ? node->items[i] : *node;
    if (item.bad || item.kind != Node::Kind::scalar) {
      continue;
    }
    const std::string path = list ? settings::item_path("listen", i) : "listen";
    Listen listen;
    if (const std::string wrong = parse_listen(item.text, listen); !wrong.empty()) {
      report.error(item.origin, path, fmt::format("\"{}\" {}", item.shown(), wrong));
    } else if (std::ranges::find(config.listen, listen) != config.listen.end() &&
               (listen.port != 0 || !listen.unix_path.empty())) {
      report.error(item.origin, path, fmt::format("{} is listed twice", to_string(listen)));
    } else {
      config.listen.push_back(std::move(listen));
    }
  }
  if (count == 0) {
    report.error(node->origin, "listen", "an empty list; name at least one address, for example 127.0.0.1:8000");
  }
}

void build_log(const Section& root, Config& config) {
  const Section log = root.at("log");
  config.log.level = log_level(log.text("level"));
  config.log.file = log.text("file");
  config.log.requests = log.boolean("requests");
  if (const Node* components = log.node("components")) {
    for (const settings::Entry& entry : components->entries) {
      if (!entry.value.bad) {
        config.log.components[entry.key] = log_level(entry.value.text);
      }
    }
  }
}

}  // namespace

std::string to_string(const Listen& listen) {
  if (!listen.unix_path.empty()) {
    return "unix:" + listen.unix_path;
  }
  return listen.host.contains(':') ? fmt::format("[{}]:{}", listen.host, listen.port)
                                   : fmt::format("{}:{}", listen.host, listen.port);
}

bool is_loopback(const Listen& listen) {
  return !listen.unix_path.empty() || settings::is_loopback_host(listen.host);
}

bool points_at(const std::vector<Listen>& listen, const BaseUrl& url) {
  if (url.text.empty() || !settings::is_loopback_host(url.host)) {
    return false;
  }
  return std::ranges::any_of(listen, [&url](const Listen& own) {
    if (!url.unix_path.empty()) {
      return own.unix_path == url.unix_path;
    }
    const bool same_host = own.host == url.host || url.host == "localhost";
    return own.unix_path.empty() && own.port != 0 && own.port == url.port && same_host;
  });
}

void build_server(const Section& root, Report& report, Config& config) {
  build_listen(root, report, config);
  build_log(root, config);
  config.environment = root.at("app").text("environment");
  config.reload_on_change = root.at("app").boolean("reload_on_change");
  config.data_dir = root.text("data_dir");
  if (config.data_dir.empty()) {
    report.error(root.origin("data_dir"), "data_dir", "an empty text; name a folder, for example ./weir-data");
  }

  const Section server = root.at("server");
  config.server = {.workers = server.integer("workers"),
                   .worker_connections = server.integer("worker_connections"),
                   .connections_per_ip = server.integer("connections_per_ip"),
                   .trusted_proxies = server.texts("trusted_proxies"),
                   .body_max = server.bytes("body_max"),
                   .head_max = server.bytes("head_max"),
                   .head_timeout = server.duration("head_timeout"),
                   .body_timeout = server.duration("body_timeout"),
                   .idle_timeout = server.duration("idle_timeout"),
                   .write_timeout = server.duration("write_timeout"),
                   .drain_timeout = server.duration("drain_timeout"),
                   .drain_idle_timeout = server.duration("drain_idle_timeout"),
                   .drain_delay = server.duration("drain_delay")};
  const std::string mode = server.text("unix_socket_mode");
  const bool octal = mode.size() >= 3 && mode.size() <= 4 &&
                     std::ranges::all_of(mode, [](char digit) { return digit >= '0' && digit <= '7'; });
  if (octal && std::stoul(mode, nullptr, 8) <= 0777) {
    config.server.unix_socket_mode = static_cast<unsigned>(std::stoul(mode, nullptr, 8));
  } else {
    report.error(server.origin("unix_socket_mode"), "server.unix_socket_mode",
                 fmt::format("\"{}\" is no file mode; write three octal digits in quotes, for example \"0660\"", mode));
  }
  for (const std::string& proxy : config.server.trusted_proxies) {
    if (proxy != "unix" && !settings::is_address_or_network(proxy)) {
      report.error(server.origin("trusted_proxies"), "server.trusted_proxies",
                   fmt::format("\"{}\" is neither an IP address nor a network such as 10.0.0.0/8, nor unix", proxy));
    }
  }

  const Section client = root.at("http_client");
  const Section pool = client.at("pool_limits");
  config.http_client = {.max_connections = pool.integer("max_connections"),
                        .max_keepalive_connections = pool.integer("max_keepalive_connections"),
                        .keepalive_timeout = pool.duration("keepalive_timeout"),
                        .dns_cache_ttl = client.duration("dns_cache_ttl"),
                        .tcp_keepalive = client.boolean("tcp_keepalive"),
                        .tcp_keepalive_idle = client.duration("tcp_keepalive_idle"),
                        .tcp_keepalive_interval = client.duration("tcp_keepalive_interval"),
                        .tcp_keepalive_count = client.integer("tcp_keepalive_count")};

  const Section keep_alive = root.at("keep_alive");
  config.keep_alive = {.enabled = keep_alive.boolean("enabled"),
                       .after = keep_alive.duration("after"),
                       .every = keep_alive.duration("every")};
  const Section health = root.at("health");
  const std::string check = health.text("check");
  config.health = {.check = check == "connect" ? HealthConfig::Check::connect
                            : check == "tls"   ? HealthConfig::Check::tls
                                               : HealthConfig::Check::none,
                   .interval = health.duration("interval"),
                   .timeout = health.duration("timeout"),
                   .probe = health.boolean("probe"),
                   .probes_per_day = health.integer("probes_per_day")};
}

}  // namespace weir::app

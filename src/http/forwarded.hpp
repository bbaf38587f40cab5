#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/headers.hpp"
#include "platform/address.hpp"

namespace weir::http {

/// Stands for who comes over a Unix socket, among trusted proxies: no connection comes from `::`.
inline constexpr platform::IpAddress unix_peer{};

/// Whose request it is, where the peer is a trusted proxy: the rightmost entry of X-Forwarded-For that is not one
/// itself. What stands further left was written by whoever sends it. An entry that is no address ends the walk: then it
/// is the proxy that wrote it. Nothing where the peer is not trusted, or no proxy wrote anything.
std::optional<std::string> forwarded_for(std::string_view peer, const Headers& headers,
                                         std::span<const platform::IpNetwork> trusted);

}  // namespace weir::http

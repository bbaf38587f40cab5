#pragma once

#include <string_view>

#include "http/headers.hpp"
#include "platform/recycled_memory.hpp"

namespace weir::gateway {

/// The caller's header fields that go up to a provider: all but hop-by-hop, host, cookies, credentials, forwarding and
/// what weir writes itself (design.md section 2, rule 2).
void select_request_headers(const http::Headers& headers, RecycledVector<http::Header>& out);

/// The provider's header fields that go down to the caller: all but hop-by-hop and framing, and `x-weir-*`, which are
/// ours.
void select_reply_headers(const http::Headers& headers, RecycledVector<http::Header>& out);

}  // namespace weir::gateway

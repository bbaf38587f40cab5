#pragma once

#include <memory>

#include "providers/provider.hpp"

namespace weir::providers {

/// The reply itself where it carries no Content-Encoding, and else one that decodes it as it comes: weir asks for
/// identity, but some servers and what stands before them encode anyway, and what stays encoded can be neither judged
/// nor mended.
///
/// A coding that weir does not know leaves status and headers readable; reading the body then fails.
[[nodiscard]] std::unique_ptr<UpstreamReply> decoded(platform::Loop& loop, std::unique_ptr<UpstreamReply> reply);

}  // namespace weir::providers

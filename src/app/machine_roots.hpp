#pragma once

#include "net/tls.hpp"

namespace weir::app {

/// The authorities that this machine believes: those of $SSL_CERT_FILE, or of the bundle of its distribution. Blocking.
/// An error's message says what is missing and what to do.
Result<std::shared_ptr<const net::TlsRoots>> machine_roots();

}  // namespace weir::app

#include "app/machine_roots.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "app/config_load.hpp"

namespace weir::app {

namespace {

constexpr std::array<const char*, 4> bundles{
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine, BSD
};

}  // namespace

Result<std::shared_ptr<const net::TlsRoots>> machine_roots() {
  // The name that OpenSSL and nearly every client honour. An empty one counts as absent.
  const char* named = std::getenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  if (named != nullptr && *named != '\0') {
    const auto text = read_small_file(named);
    if (!text) {
      return fail(Code::io_error, fmt::format("SSL_CERT_FILE: {} cannot be read: {}", named, text.error().message));
    }
    auto roots = net::TlsRoots::from_pem(*text);
    return roots ? std::move(roots)
                 : fail(Code::io_error, fmt::format("SSL_CERT_FILE: {} {}", named, roots.error().message));
  }
  for (const char* bundle : bundles) {
    if (const auto text = read_small_file(bundle)) {
      if (auto roots = net::TlsRoots::from_pem(*text)) {
        return roots;
      }
    }
  }
  return fail(Code::io_error,
              "this machine names no authorities for certificates, so no https address can be believed: install the "
              "package ca-certificates, or name a file in SSL_CERT_FILE");
}

}  // namespace weir::app

#include <fmt/format.h>

#include "app/config_builder.hpp"
#include "net/tls.hpp"

namespace weir::app {

namespace {

using settings::Report;
using settings::Section;

net::TlsVersion version_of(const Section& section) {
  return section.text("min_version") == "1.3" ? net::TlsVersion::tls_1_3 : net::TlsVersion::tls_1_2;
}

/// The file that an option names; an error and nothing where it cannot be read.
std::optional<std::string> read_named(const Section& section, std::string_view option,
                                      const settings::ReadFile& read_file, Report& report) {
  const std::string file = section.text(option);
  auto text = read_file(file);
  if (!text) {
    report.error(section.origin(option), settings::join_path(section.path(), option),
                 fmt::format("{} cannot be read: {}", file, text.error().message));
    return std::nullopt;
  }
  return std::move(*text);
}

/// The authorities of one provider, where it names a file.
void read_ca_file(const Section& section, const settings::ReadFile& read_file, Report& report, ProviderTls& tls) {
  if (tls.ca_file.empty()) {
    return;
  }
  if (auto pem = read_named(section, "ca_file", read_file, report)) {
    tls.ca_pem = std::move(*pem);
    if (const auto roots = net::TlsRoots::from_pem(tls.ca_pem); !roots) {
      report.error(section.origin("ca_file"), settings::join_path(section.path(), "ca_file"),
                   fmt::format("{} {}", tls.ca_file, roots.error().message));
    }
  }
}

std::optional<ListenTls> build_listen_tls(const Section& root, const settings::ReadFile& read_file, Report& report) {
  const Section section = root.at("tls");
  const bool certificate = section.has("cert_file");
  const bool key = section.has("key_file");
  if (!certificate && !key) {
    return std::nullopt;
  }
  if (certificate != key) {
    report.error(
        section.origin(), section.path(),
        fmt::format("has no {}; a certificate and its key are needed both", certificate ? "key_file" : "cert_file"));
    return std::nullopt;
  }
  auto cert_pem = read_named(section, "cert_file", read_file, report);
  auto key_pem = read_named(section, "key_file", read_file, report);
  if (!cert_pem || !key_pem) {
    return std::nullopt;
  }
  ListenTls tls{.cert_file = section.text("cert_file"),
                .key_file = section.text("key_file"),
                .cert_pem = std::move(*cert_pem),
                .key_pem = Secret(std::move(*key_pem)),
                .minimum = version_of(section)};
  if (const auto identity = net::TlsIdentity::from_pem(tls.cert_pem, tls.key_pem.reveal()); !identity) {
    const bool about_key = identity.error().message.starts_with("key_file");
    report.error(section.origin(about_key ? "key_file" : "cert_file"),
                 settings::join_path(section.path(), about_key ? "key_file" : "cert_file"),
                 fmt::format("{}: {}", about_key ? tls.key_file : tls.cert_file, identity.error().message));
  }
  return tls;
}

}  // namespace

ProviderTls build_provider_tls(const Section& provider, const BaseUrl& url, Report& report) {
  const Section section = provider.at("tls");
  ProviderTls tls{.verify = section.boolean("verify"),
                  .minimum = version_of(section),
                  .server_name = section.has("server_name") ? section.text("server_name") : url.host,
                  .ca_file = section.text("ca_file"),
                  .ca_pem = {}};
  if (section.node() == nullptr) {
    return tls;
  }
  if (!url.tls) {
    if (!url.text.empty()) {
      report.error(
          section.origin(), section.path(),
          fmt::format("{} is no https:// address: write https:// in base_url, or remove this section", url.text));
    }
    return tls;
  }
  if (!tls.verify) {
    report.notice(section.origin("verify"), settings::join_path(section.path(), "verify"),
                  "its certificate is not checked: anybody on the way can read the key and all calls");
  }
  return tls;
}

void read_tls_files(const Section& root, const settings::ReadFile& read_file, Report& report, Config& config) {
  config.listen_tls = build_listen_tls(root, read_file, report);
  for (ProviderConfig& provider : config.providers) {
    read_ca_file(root.at("providers").named(provider.name).at("tls"), read_file, report, provider.tls);
  }
}

}  // namespace weir::app

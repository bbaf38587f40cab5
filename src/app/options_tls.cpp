#include "app/options_table.hpp"

namespace weir::app {

using settings::Type;

void add_tls_options(OptionTable& table) {
  const OptionTable options = {
      {.path = "tls", .sentence = "TLS towards clients, on every listening address but Unix sockets."},
      {.path = "tls.cert_file",
       .type = Type::text,
       .form = "file",
       .sentence = "The server's certificate in PEM form, followed by those of its authorities.",
       .example = "/etc/weir/cert.pem"},
      {.path = "tls.key_file",
       .type = Type::text,
       .form = "file",
       .sentence = "Its private key in PEM form, without a passphrase.",
       .example = "/etc/weir/key.pem"},
      {.path = "tls.min_version",
       .type = Type::choice,
       .fallback = "1.2",
       .words = {"1.2", "1.3"},
       .sentence = "The oldest version of TLS that clients may speak.",
       .example = "1.3"},
      {.path = "providers.*.tls", .sentence = "How a provider with an https:// address is believed."},
      {.path = "providers.*.tls.ca_file",
       .type = Type::text,
       .form = "file",
       .sentence =
           "Certificates of the authorities that may have signed its certificate, in PEM form; without it those "
           "of this machine.",
       .example = "/etc/weir/ca.pem"},
      {.path = "providers.*.tls.verify",
       .type = Type::boolean,
       .fallback = "true",
       .sentence =
           "Whether its certificate is checked; without that anybody on the way can read the key and all calls.",
       .example = "false"},
      {.path = "providers.*.tls.min_version",
       .type = Type::choice,
       .fallback = "1.2",
       .words = {"1.2", "1.3"},
       .sentence = "The oldest version of TLS that is spoken to it.",
       .example = "1.3"},
      {.path = "providers.*.tls.server_name",
       .type = Type::text,
       .form = "host name or address",
       .sentence = "Whom its certificate must name, where that is not the host of base_url.",
       .example = "api.internal"},
  };
  table.insert(table.end(), options.begin(), options.end());
}

}  // namespace weir::app

#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/config.hpp"
#include "net/tls.hpp"
#include "observe/log.hpp"

namespace weir::app {

/// What is made from the files of certificates and authorities, for all cores.
struct TlsMaterial {
  std::map<std::string, std::shared_ptr<const net::TlsRoots>, std::less<>> roots;  // by PEM; "": the machine's
  net::TlsServer::Options server;
};

/// What `config` needs; the authorities that are `known` are taken over. Blocking.
Result<TlsMaterial> read_tls(const Config& config, const TlsMaterial& known, const net::TlsTicketKeys& ticket_keys,
                             observe::Log& log);

}  // namespace weir::app

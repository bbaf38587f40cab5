#pragma once

#include <string>

#include "base/result.hpp"
#include "http/head_parser.hpp"

namespace weir::app {

struct AdminReply {
  int status = 0;
  std::string body;
};

/// Asks a running weir, for the command line: blocks until the answer is whole. `url`: "http://127.0.0.1:8000"; with
/// https:// nothing is sent to one whose certificate the machine's authorities (SSL_CERT_FILE) do not vouch for. Errors
/// say where nothing answered and what to do.
Result<AdminReply> ask_weir(const std::string& url, http::Method method, const std::string& path,
                            const std::string& json_body = {});

/// The exit status of a command that was not answered well: 2 where its words were wrong, else 1.
[[nodiscard]] int exit_status_of(const Result<AdminReply>& reply);

/// Where it listens: `option`, else WEIR_URL, else http://127.0.0.1:8000.
std::string weir_url(const std::string& option);

}  // namespace weir::app

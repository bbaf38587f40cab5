#pragma once

#include <string>

#include "base/result.hpp"

namespace weir::app {

struct AdminReply {
  int status = 0;
  std::string body;
};

/// GET from a running weir, for the command line: blocks until the answer is whole. `url`: "http://127.0.0.1:8000".
/// Errors say where nothing answered and what to do.
Result<AdminReply> get_from_weir(const std::string& url, const std::string& path);

}  // namespace weir::app

#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "base/result.hpp"

namespace weir::platform {

/// Runs a command in the shell and gives what it printed, without the white space at the end. Its standard error goes
/// where ours goes; it reads nothing. Blocking: never on a thread that serves calls.
///
/// Errors: timeout (it is killed, with all that it started), io_error (it failed, printed nothing or more than
/// 64 KiB), cancelled (`stop`). No error holds what it printed: that may be a secret.
Result<std::string> run_command(const std::string& command, std::chrono::milliseconds patience,
                                std::stop_token stop = {});

}  // namespace weir::platform

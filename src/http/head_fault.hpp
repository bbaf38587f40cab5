#pragma once

#include <cstdint>

namespace weir::http {

/// Why a head is refused. describe() has the words and the status.
enum class HeadFault : std::uint8_t {
  none,
  // Lines.
  bare_line_feed,
  bare_carriage_return,
  blank_lines_first,
  folded_line,
  head_too_large,
  too_many_fields,
  // The first line.
  request_line_too_long,
  bad_request_line,
  bad_method,
  method_refused,
  bad_target,
  bad_version,
  version_unsupported,
  bad_status_line,
  // Fields.
  space_before_colon,
  missing_colon,
  bad_name,
  bad_value,
  // Meaning.
  host_missing,
  host_repeated,
  host_invalid,
  length_invalid,
  length_repeated,
  length_and_coding,
  coding_invalid,
  coding_repeated,
  coding_unknown,
  coding_in_http_1_0,
  connection_invalid,
  expectation_unknown,
  count_,
};

struct FaultDescription {
  /// What a server answers; for a response head the fault is the upstream's (502) whatever it says.
  std::uint16_t status;
  const char* reason;  // our words, safe to show
};

FaultDescription describe(HeadFault fault);

}  // namespace weir::http

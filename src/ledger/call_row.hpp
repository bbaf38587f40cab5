#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/store.hpp"

namespace weir::ledger {

/// The row of a call for the store, from its record as RequestRecord::append_to() wrote it.
[[nodiscard]] Result<store::InferenceLog> row_of(std::string record);

/// True for the record of a call that had not ended when it was written.
[[nodiscard]] bool is_open(std::string_view record);
/// The record of a call whose end nobody saw: what was open is `unknown`.
[[nodiscard]] std::string as_unknown(std::string_view record);
/// The call's id, without reading the rest; empty where there is none.
[[nodiscard]] std::string_view id_of(std::string_view record);

}  // namespace weir::ledger

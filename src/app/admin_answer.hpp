#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// What a running weir answered, read for people. Values keep the words in which they stand in the JSON, whatever a
/// number can hold and UTF-8 can express: what is stored is shown.
namespace weir::app {

/// Whether a body is a JSON object, as all below expect. An error's message says where it is none, and shows nothing of
/// it that could be a key.
Result<void> check_object(std::string_view body);

/// A member as it stands in a table: the text of a string, all else as it is written. Empty where it is not there or
/// null.
[[nodiscard]] std::string cell(std::string_view object, std::string_view name);

/// The rows of a list, objects each; views into `body`. Errors: those of check_object(); it is no list.
Result<std::vector<std::string_view>> rows_of(std::string_view body);

/// A line for each member that says something, but `object`, `notices` and `key`.
[[nodiscard]] std::string lines_of(std::string_view object);
/// What `notices` has to say, one each.
[[nodiscard]] std::vector<std::string> notices_of(std::string_view object);

/// The first words of a refusal that is none of ours.
[[nodiscard]] std::string beginning_of(std::string_view body);

}  // namespace weir::app

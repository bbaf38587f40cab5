#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin_answer.hpp"
#include "http/head_parser.hpp"

/// What the commands have in common that ask a running weir.
namespace weir::app {

/// A part of a path or query, escaped as a URL wants it.
[[nodiscard]] std::string url_escaped(std::string_view text);
/// `name=value` behind a path; nothing where the value is empty.
void add_parameter(std::string& path, std::string_view name, std::string_view value);

/// What weir answered, where it answered well; else it is told on standard error, and this is the exit status.
/// `command`: "keys create"; `url`: as the option says.
std::expected<std::string, int> ask_as_command(std::string_view command, const std::string& url, http::Method method,
                                               const std::string& path, const std::string& json_body = {});

/// Prints an answer that is a list: as it came, or as a table with a line for each row and how to ask for more of them.
/// The exit code.
int print_list(std::string_view command, const std::string& body, bool as_json, std::vector<std::string> titles,
               const std::function<std::vector<std::string>(std::string_view row)>& line);

}  // namespace weir::app

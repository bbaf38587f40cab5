#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// The data of each event of a body, read as a client would; what comes without its empty line is told apart.
struct Events {
  std::vector<std::string> data;
  std::string rest;
};
Events events_of(std::string_view body);

/// That event is an error.
bool is_error(const std::string& data);
/// The gateway's own words, begun: no upstream's error is passed on.
bool is_error_in_part(std::string_view rest);

/// The text of one event or of a whole answer; nothing if it is not JSON.
std::optional<std::string> text_of(const std::string& json);

/// The words of an answer: `w<serial>.<number>;` and filler.
struct Words {
  std::set<std::uint64_t> serials;
  std::vector<std::uint64_t> numbers;
};
/// Appends those of a text.
void read_words(std::string_view text, Words& words);

}  // namespace weir::sim

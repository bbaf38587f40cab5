#include "sim/answer_text.hpp"

#include <boost/json.hpp>

namespace weir::sim {

Events events_of(std::string_view body) {
  Events events;
  std::string data;
  bool has_data = false;
  std::size_t event_begin = 0;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find_first_of("\r\n", at);
    if (end == std::string_view::npos) {
      break;
    }
    const std::string_view line = body.substr(at, end - at);
    at = end + (body.substr(end).starts_with("\r\n") ? 2 : 1);
    if (line.empty()) {
      if (has_data) {
        events.data.push_back(data);
      }
      data.clear();
      has_data = false;
      event_begin = at;
    } else if (line.starts_with("data: ")) {
      data += (has_data ? "\n" : "") + std::string(line.substr(6));
      has_data = true;
    } else if (!line.starts_with(':')) {
      events.data.push_back(
          std::string(line));  // no field that an upstream sends: judged as an event, and fails as one
    }
  }
  events.rest = body.substr(event_begin);
  return events;
}

bool is_error(const std::string& data) {
  return data.starts_with("{\"error\":");
}

bool is_error_in_part(std::string_view rest) {
  return rest.starts_with("data: {\"error\":");
}

void read_words(std::string_view text, Words& words) {
  for (std::size_t at = text.find('w'); at != std::string_view::npos; at = text.find('w', at + 1)) {
    const std::size_t dot = text.find('.', at);
    const std::size_t end = text.find(';', at);
    if (dot == std::string_view::npos || end == std::string_view::npos || dot > end) {
      words.serials.insert(0);  // half a word: nobody has the serial 0
      return;
    }
    words.serials.insert(std::stoull(std::string(text.substr(at + 1, dot - at - 1))));
    words.numbers.push_back(std::stoull(std::string(text.substr(dot + 1, end - dot - 1))));
  }
}

std::optional<std::string> text_of(const std::string& json) {
  boost::system::error_code broken;
  const boost::json::value value = boost::json::parse(json, broken);
  if (broken || !value.is_object()) {
    return std::nullopt;
  }
  std::string text;
  if (const auto* choices = value.as_object().if_contains("choices"); choices != nullptr && choices->is_array()) {
    for (const auto& choice : choices->as_array()) {
      for (const char* place : {"delta", "message"}) {
        const auto* holder = choice.is_object() ? choice.as_object().if_contains(place) : nullptr;
        const auto* content =
            holder != nullptr && holder->is_object() ? holder->as_object().if_contains("content") : nullptr;
        if (content != nullptr && content->is_string()) {
          text += content->as_string();
        }
      }
    }
  }
  return text;
}

}  // namespace weir::sim

#include "load/event_reader.hpp"

#include <charconv>

namespace weir::load {

EventKind kind_of(std::string_view event) {
  if (event.starts_with("data: [DONE]") || event.starts_with("data:[DONE]")) {
    return EventKind::done;
  }
  if (event.starts_with("event: error") || event.starts_with("data: {\"error\"") ||
      event.starts_with("data:{\"error\"")) {
    return EventKind::error;
  }
  return event.starts_with(":") ? EventKind::comment : EventKind::data;
}

std::optional<std::chrono::nanoseconds> sent_at(std::string_view event) {
  constexpr std::string_view mark = "sent_ns=";
  constexpr std::size_t digits = 18;
  auto found = event.find(mark);
  if (found == std::string_view::npos || event.size() < found + mark.size() + digits) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const char* first = event.data() + found + mark.size();
  auto [end, error] = std::from_chars(first, first + digits, number);
  if (error != std::errc{} || end != first + digits) {
    return std::nullopt;
  }
  return std::chrono::nanoseconds(number);
}

std::optional<std::string_view> EventReader::next(std::string_view& input) {
  if (partial_returned_) {
    partial_.clear();
    partial_returned_ = false;
  }
  if (partial_.empty()) {
    auto end = input.find("\n\n");
    if (end != std::string_view::npos) {
      auto event = input.substr(0, end);
      input.remove_prefix(end + 2);
      return event;
    }
    partial_.assign(input);
    input = {};
    return std::nullopt;
  }
  // The blank line may itself be cut in two: search from the last byte held.
  auto held = partial_.size();
  partial_.append(input);
  auto end = partial_.find("\n\n", held - 1);
  if (end == std::string::npos) {
    input = {};
    return std::nullopt;
  }
  input.remove_prefix(end + 2 - held);
  partial_.resize(end);
  partial_returned_ = true;
  return partial_;
}

void EventReader::reset() {
  partial_.clear();
  partial_returned_ = false;
}

}  // namespace weir::load

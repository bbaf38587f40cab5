#include "providers/mock_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "dialects/openai/errors.hpp"
#include "text/json_value.hpp"

namespace weir::providers {

using platform::Duration;

namespace {
constexpr std::string_view told_to_fail = "The mock was told to fail.";
}  // namespace

MockWriter::MockWriter(std::string_view id, std::string_view body, std::string_view model, const MockOptions& options,
                       bool fails)
    : options_(options), fault_(fails ? options.fault.kind : MockFaultKind::none) {
  // From the request alone, so that the same request gets the same id.
  id_ = fmt::format("{}-mock{:016x}", id, std::hash<std::string_view>()(body));
  model_ = json(model.empty() ? "mock" : model);
}

MockScript MockWriter::write() {
  if (fault_ == MockFaultKind::status) {
    script_.status = options_.fault.status;
    if (options_.fault.retry_after) {
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(*options_.fault.retry_after);
      script_.headers.emplace_back("retry-after", fmt::format_int(seconds.count()).str());
      script_.headers.emplace_back("retry-after-ms", fmt::format_int(options_.fault.retry_after->count()).str());
    }
    add(openai::error_body(
            told_to_fail, options_.fault.status == 429 ? "requests" : "server_error", std::nullopt,
            options_.fault.status == 429 ? std::optional<std::string_view>("rate_limit_exceeded") : std::nullopt),
        {});
  } else {
    write_answer();
  }
  return std::move(script_);
}

void MockWriter::add(std::string bytes, Duration delay) {
  script_.steps.push_back({.delay = delay, .bytes = std::move(bytes)});
}

void MockWriter::end_with(MockStep::Kind kind) {
  script_.steps.push_back({.kind = kind, .delay = {}, .bytes = {}});
}

Duration MockWriter::time_of(std::size_t tokens) const {
  if (options_.tokens_per_second == 0) {
    return {};
  }
  constexpr double longest = 1e6;  // seconds; beyond, the number would not fit
  return Duration(
      static_cast<std::int64_t>(std::min(static_cast<double>(tokens) / options_.tokens_per_second, longest) * 1e9));
}

void MockWriter::add_whole(std::string body, std::size_t tokens) {
  const Duration delay = options_.first_token + time_of(tokens);
  if (fault_ == MockFaultKind::error_event) {
    add(openai::error_body(told_to_fail, "server_error", std::nullopt, std::nullopt), delay);
    return;
  }
  if (fault_ == MockFaultKind::stall) {
    end_with(MockStep::Kind::stall);
    return;
  }
  if (fault_ == MockFaultKind::malformed || fault_ == MockFaultKind::cut) {
    body.resize(body.size() / 2);
  }
  add(std::move(body), delay);
  if (fault_ == MockFaultKind::cut) {
    end_with(MockStep::Kind::cut);
  }
}

bool MockWriter::fault_after(int events) {
  if (events != options_.fault.after_events) {
    return false;
  }
  switch (fault_) {
    case MockFaultKind::cut: end_with(MockStep::Kind::cut); return true;
    case MockFaultKind::stall: end_with(MockStep::Kind::stall); return true;
    case MockFaultKind::malformed: add("data: {\"id\":\"mock\",\"choices\":[{\"delta\":\n\n", {}); return true;
    case MockFaultKind::error_event:
      add(openai::error_event(told_to_fail, "server_error", std::nullopt, std::nullopt), {});
      return true;
    default: return false;
  }
}

void MockWriter::add_done() {
  if (fault_ != MockFaultKind::no_done) {
    add("data: [DONE]\n\n", {});
  }
}

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    words += !blank && !inside ? 1 : 0;
    inside = !blank;
  }
  return words;
}

/// Words with the blanks before them: what a stream sends one after the other.
std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find_first_not_of(" \n\t", begin);
    end = end == std::string_view::npos ? text.size() : std::min(text.size(), text.find_first_of(" \n\t", end));
    tokens.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return tokens;
}

std::string json(std::string_view text) {
  std::string out;
  text::append_json_string(out, text);
  return out;
}

std::string completion_usage(std::size_t prompt_tokens, std::size_t completion_tokens) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})", prompt_tokens,
                     completion_tokens, prompt_tokens + completion_tokens);
}

}  // namespace weir::providers

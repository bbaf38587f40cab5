#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/clock.hpp"
#include "providers/mock_options.hpp"

namespace weir::providers {

/// A part of an answer that comes at its time, or the way in which the answer ends.
struct MockStep {
  enum class Kind : std::uint8_t { bytes, cut, stall };
  Kind kind = Kind::bytes;
  platform::Duration delay{};  // after the step before
  std::string bytes;
};

struct MockScript {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<MockStep> steps;  // after the last the body is at its end
};

/// What the mock answers to a request behind `path` ("/chat/completions", "/completions", "/embeddings", "/models"):
/// the same request and options give the same answer, in OpenAI's wire format. `fails`: whether this call is one of
/// those on which the configured fault falls.
MockScript make_script(std::string_view path, std::string_view body, std::string_view model, const MockOptions& options,
                       bool fails);

}  // namespace weir::providers

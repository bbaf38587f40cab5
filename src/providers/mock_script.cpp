#include "providers/mock_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "dialects/openai/errors.hpp"
#include "dialects/openai/request.hpp"
#include "text/json_value.hpp"

namespace weir::providers {

namespace {

using platform::Duration;

/// What the mock reads of a request beside what the gateway does.
struct Asked {
  std::string last_user_text;
  std::string first_tool;
  std::size_t prompt_words = 0;
  bool stream = false;
  bool include_usage = false;
};

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

/// The text of a message: a string, or the text parts of an array.
std::string text_of(const text::JsonValue& content) {
  if (content.kind == text::JsonKind::string) {
    return text::unescape_lossy(content.string_raw());
  }
  std::string all;
  if (content.kind == text::JsonKind::array) {
    text::for_each_element(content.raw, [&](const text::JsonValue& part) {
      if (part.kind != text::JsonKind::object) {
        return;
      }
      if (const auto words = text::find_member(part.raw, "text"); words && words->kind == text::JsonKind::string) {
        all += text::unescape_lossy(words->string_raw());
      }
    });
  }
  return all;
}

Asked read(std::string_view body) {
  Asked asked;
  if (const auto request = openai::read_chat_request(body)) {
    asked.stream = request->stream;
    asked.include_usage = request->include_usage;
  }
  if (const auto messages = text::find_member(body, "messages"); messages && messages->kind == text::JsonKind::array) {
    text::for_each_element(messages->raw, [&](const text::JsonValue& message) {
      if (message.kind != text::JsonKind::object) {
        return;
      }
      const auto content = text::find_member(message.raw, "content");
      if (!content) {
        return;
      }
      std::string words = text_of(*content);
      asked.prompt_words += count_words(words);
      const auto role = text::find_member(message.raw, "role");
      if (role && role->raw == "\"user\"") {
        asked.last_user_text = std::move(words);
      }
    });
  }
  if (const auto tools = text::find_member(body, "tools"); tools && tools->kind == text::JsonKind::array) {
    text::for_each_element(tools->raw, [&](const text::JsonValue& tool) {
      if (!asked.first_tool.empty() || tool.kind != text::JsonKind::object) {
        return;
      }
      const auto function = text::find_member(tool.raw, "function");
      if (!function || function->kind != text::JsonKind::object) {
        return;
      }
      if (const auto name = text::find_member(function->raw, "name"); name && name->kind == text::JsonKind::string) {
        asked.first_tool = text::unescape_lossy(name->string_raw());
      }
    });
  }
  return asked;
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

/// Builds one answer, whole or streamed.
class Writer {
 public:
  Writer(std::string_view body, std::string_view model, const MockOptions& options, bool fails)
      : options_(options), asked_(read(body)), fault_(fails ? options.fault.kind : MockFaultKind::none) {
    // From the request alone, so that the same request gets the same id.
    id_ = fmt::format("chatcmpl-mock{:016x}", std::hash<std::string_view>()(body));
    model_ = json(model.empty() ? "mock" : model);
    calls_tool_ = options.tool_calls && !asked_.first_tool.empty();
    tokens_ =
        calls_tool_ ? std::vector<std::string>{"{}"} : tokens_of(options.echo ? asked_.last_user_text : options.text);
  }

  MockScript write() {
    if (fault_ == MockFaultKind::status) {
      script_.status = options_.fault.status;
      if (options_.fault.retry_after) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(*options_.fault.retry_after);
        script_.headers.emplace_back("retry-after", fmt::format_int(seconds.count()).str());
        script_.headers.emplace_back("retry-after-ms", fmt::format_int(options_.fault.retry_after->count()).str());
      }
      add(openai::error_body(
              "The mock was told to fail.", options_.fault.status == 429 ? "requests" : "server_error", std::nullopt,
              options_.fault.status == 429 ? std::optional<std::string_view>("rate_limit_exceeded") : std::nullopt),
          {});
    } else if (asked_.stream) {
      stream();
    } else {
      whole();
    }
    return std::move(script_);
  }

 private:
  void add(std::string bytes, Duration delay) { script_.steps.push_back({.delay = delay, .bytes = std::move(bytes)}); }

  [[nodiscard]] Duration time_of(std::size_t tokens) const {
    if (options_.tokens_per_second == 0) {
      return {};
    }
    constexpr double longest = 1e6;  // seconds; beyond, the number would not fit
    return Duration(
        static_cast<std::int64_t>(std::min(static_cast<double>(tokens) / options_.tokens_per_second, longest) * 1e9));
  }

  [[nodiscard]] std::string usage() const {
    return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})", asked_.prompt_words,
                       tokens_.size(), asked_.prompt_words + tokens_.size());
  }

  void whole() {
    const Duration delay = options_.first_token + time_of(tokens_.size());
    if (fault_ == MockFaultKind::error_event) {
      add(openai::error_body("The mock was told to fail.", "server_error", std::nullopt, std::nullopt), delay);
      return;
    }
    if (fault_ == MockFaultKind::stall) {
      script_.steps.push_back({.kind = MockStep::Kind::stall, .delay = {}, .bytes = {}});
      return;
    }
    std::string all;
    for (const std::string& token : tokens_) {
      all += token;
    }
    const std::string message =
        calls_tool_
            ? fmt::format(
                  R"({{"role":"assistant","content":null,"refusal":null,"tool_calls":[{{"id":"call_mock","type":"function",)"
                  R"("function":{{"name":{},"arguments":"{{}}"}}}}]}})",
                  json(asked_.first_tool))
            : fmt::format(R"({{"role":"assistant","content":{},"refusal":null}})", json(all));
    std::string body = fmt::format(
        R"({{"id":"{}","object":"chat.completion","created":0,"model":{},"choices":[{{"index":0,"message":{},"logprobs":null,)"
        R"("finish_reason":"{}"}}]{}}})",
        id_, model_, message, calls_tool_ ? "tool_calls" : "stop", options_.usage ? ",\"usage\":" + usage() : "");
    if (fault_ == MockFaultKind::malformed || fault_ == MockFaultKind::cut) {
      body.resize(body.size() / 2);
    }
    add(std::move(body), delay);
    if (fault_ == MockFaultKind::cut) {
      script_.steps.push_back({.kind = MockStep::Kind::cut, .delay = {}, .bytes = {}});
    }
  }

  void chunk(std::string_view choices, Duration delay, std::string_view tail = {}) {
    add(fmt::format(
            "data: "
            "{{\"id\":\"{}\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":{},\"choices\":[{}]{}}}\n\n",
            id_, model_, choices, tail),
        delay);
  }
  void delta(std::string_view delta, Duration delay) {
    chunk(fmt::format(R"({{"index":0,"delta":{},"logprobs":null,"finish_reason":null}})", delta), delay);
  }

  /// True where the stream has gone wrong as it was told to, and ends.
  bool fault_after(int events) {
    if (events != options_.fault.after_events) {
      return false;
    }
    switch (fault_) {
      case MockFaultKind::cut:
        script_.steps.push_back({.kind = MockStep::Kind::cut, .delay = {}, .bytes = {}});
        return true;
      case MockFaultKind::stall:
        script_.steps.push_back({.kind = MockStep::Kind::stall, .delay = {}, .bytes = {}});
        return true;
      case MockFaultKind::malformed:
        add("data: {\"id\":\"chatcmpl-mock\",\"choices\":[{\"delta\":\n\n", {});
        return true;
      case MockFaultKind::error_event:
        add(openai::error_event("The mock was told to fail.", "server_error", std::nullopt, std::nullopt), {});
        return true;
      default: return false;
    }
  }

  void stream() {
    script_.content_type = "text/event-stream; charset=utf-8";
    delta(
        calls_tool_ ? R"({"role":"assistant","content":null})" : R"({"role":"assistant","content":"","refusal":null})",
        {});
    int events = 0;
    if (fault_after(events)) {
      return;
    }
    const auto group = static_cast<std::size_t>(options_.event_tokens);
    for (std::size_t at = 0; at < tokens_.size(); at += group) {
      std::string words;
      const std::size_t end = std::min(tokens_.size(), at + group);
      for (std::size_t i = at; i < end; ++i) {
        words += tokens_[i];
      }
      const Duration delay = at == 0 ? Duration(options_.first_token) : time_of(end - at);
      if (calls_tool_) {
        delta(
            fmt::format(
                R"({{"tool_calls":[{{"index":0,"id":"call_mock","type":"function","function":{{"name":{},"arguments":""}}}}]}})",
                json(asked_.first_tool)),
            delay);
        delta(fmt::format(R"({{"tool_calls":[{{"index":0,"function":{{"arguments":{}}}}}]}})", json(words)), {});
      } else {
        delta(fmt::format(R"({{"content":{}}})", json(words)), delay);
      }
      if (fault_after(++events)) {
        return;
      }
    }
    chunk(fmt::format(R"({{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{}"}})",
                      calls_tool_ ? "tool_calls" : "stop"),
          {});
    if (asked_.include_usage && options_.usage) {
      chunk("", {}, ",\"usage\":" + usage());
    }
    if (fault_ != MockFaultKind::no_done) {
      add("data: [DONE]\n\n", {});
    }
  }

  const MockOptions& options_;
  Asked asked_;
  MockFaultKind fault_;
  std::string id_;
  std::string model_;
  bool calls_tool_ = false;
  std::vector<std::string> tokens_;
  MockScript script_;
};

}  // namespace

MockScript make_script(std::string_view request_body, std::string_view model, const MockOptions& options, bool fails) {
  return Writer(request_body, model, options, fails).write();
}

}  // namespace weir::providers

#include "providers/mock_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "dialects/openai/request.hpp"
#include "providers/mock_writer.hpp"
#include "text/json_value.hpp"

namespace weir::providers {

namespace {

using platform::Duration;

// The mock takes any name. These are the ones that mean something.
constexpr const char* mock_models =
    R"({"object":"list","data":[{"id":"hello","object":"model","created":0,"owned_by":"weir"},)"
    R"({"id":"echo","object":"model","created":0,"owned_by":"weir"}]})";

/// What the mock reads of a request beside what the gateway does.
struct Asked {
  std::string last_user_text;
  std::string first_tool;
  std::size_t prompt_words = 0;
  bool stream = false;
  bool include_usage = false;
};

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

/// Builds the answer to a chat completion, whole or streamed.
class ChatWriter final : public MockWriter {
 public:
  ChatWriter(std::string_view body, std::string_view model, const MockOptions& options, bool fails)
      : MockWriter("chatcmpl", body, model, options, fails), asked_(read(body)) {
    calls_tool_ = options.tool_calls && !asked_.first_tool.empty();
    tokens_ =
        calls_tool_ ? std::vector<std::string>{"{}"} : tokens_of(options.echo ? asked_.last_user_text : options.text);
  }

 private:
  void write_answer() override {
    if (asked_.stream) {
      stream();
    } else {
      whole();
    }
  }

  [[nodiscard]] std::string usage() const { return completion_usage(asked_.prompt_words, tokens_.size()); }

  void whole() {
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
    add_whole(std::move(body), tokens_.size());
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
    add_done();
  }

  Asked asked_;
  bool calls_tool_ = false;
  std::vector<std::string> tokens_;
};

}  // namespace

MockScript make_script(std::string_view path, std::string_view body, std::string_view model, const MockOptions& options,
                       bool fails) {
  if (path == "/embeddings") {
    return make_embeddings(body, model, options, fails);
  }
  if (path == "/completions") {
    return make_completion(body, model, options, fails);
  }
  if (path == "/models") {
    MockScript script;
    script.steps.push_back({.delay = {}, .bytes = mock_models});
    return script;
  }
  return ChatWriter(body, model, options, fails).write();
}

}  // namespace weir::providers

// The mock's answers to legacy completions.
#include <fmt/format.h>

#include <algorithm>

#include "dialects/openai/request.hpp"
#include "providers/mock_writer.hpp"
#include "text/json_value.hpp"

namespace weir::providers {
namespace {

constexpr std::size_t choices_max = 512;  // of one answer: more would be no trial but a burden

class CompletionWriter final : public MockWriter {
 public:
  CompletionWriter(std::string_view body, std::string_view model, const MockOptions& options, bool fails)
      : MockWriter("cmpl", body, model, options, fails) {
    if (const auto request = openai::read_completion_request(body)) {
      stream_ = request->stream;
      include_usage_ = request->include_usage;
      repeats_ = static_cast<std::size_t>(std::clamp<std::int64_t>(request->n.value_or(1), 1, choices_max));
    }
    if (const auto prompt = text::find_member(body, "prompt")) {
      read_prompts(*prompt);
    }
    if (prompts_.empty()) {
      add_prompt({}, 0);
    }
    for (const auto& tokens : prompts_) {
      tokens_out_ += tokens.size() * repeats_;
    }
  }

 private:
  void add_prompt(std::string_view text, std::size_t words) {
    if ((prompts_.size() + 1) * repeats_ <= choices_max) {
      prompts_.push_back(tokens_of(options_.echo ? text : options_.text));
    }
    tokens_in_ += words;
  }

  void read_prompts(const text::JsonValue& prompt) {
    if (prompt.kind == text::JsonKind::string) {
      const std::string text = text::unescape_lossy(prompt.string_raw());
      add_prompt(text, count_words(text));
    } else if (prompt.kind == text::JsonKind::array) {
      std::size_t numbers = 0;
      text::for_each_element(prompt.raw, [&](const text::JsonValue& element) {
        if (element.kind == text::JsonKind::string || element.kind == text::JsonKind::array) {
          read_prompts(element);
        } else {
          ++numbers;
        }
      });
      if (numbers > 0) {
        add_prompt("(tokens)", numbers);
      }
    }
  }

  static std::string choice(std::size_t index, std::string_view text, std::string_view reason) {
    return fmt::format(R"({{"text":{},"index":{},"logprobs":null,"finish_reason":{}}})", json(text), index, reason);
  }

  [[nodiscard]] std::string answer(std::string_view choices, std::string_view tail) const {
    return fmt::format(R"({{"id":"{}","object":"text_completion","created":0,"model":{},"choices":[{}]{}}})", id_,
                       model_, choices, tail);
  }

  [[nodiscard]] std::string usage() const { return ",\"usage\":" + completion_usage(tokens_in_, tokens_out_); }

  void whole() {
    std::string choices;
    for (std::size_t index = 0; index < prompts_.size() * repeats_; ++index) {
      std::string all;
      for (const std::string& token : prompts_[index / repeats_]) {
        all += token;
      }
      choices += (index == 0 ? "" : ",") + choice(index, all, R"("stop")");
    }
    add_whole(answer(choices, options_.usage ? usage() : ""), tokens_out_);
  }

  void event(std::string_view choices, platform::Duration delay, std::string_view tail = {}) {
    add("data: " + answer(choices, tail) + "\n\n", delay);
  }

  void stream() {
    script_.content_type = "text/event-stream; charset=utf-8";
    int events = 0;
    if (fault_after(events)) {
      return;
    }
    for (std::size_t index = 0; index < prompts_.size() * repeats_; ++index) {
      const std::vector<std::string>& tokens = prompts_[index / repeats_];
      const auto group = static_cast<std::size_t>(options_.event_tokens);
      for (std::size_t at = 0; at < tokens.size(); at += group) {
        const std::size_t end = std::min(tokens.size(), at + group);
        std::string words;
        for (std::size_t i = at; i < end; ++i) {
          words += tokens[i];
        }
        event(choice(index, words, "null"), events == 0 ? platform::Duration(options_.first_token) : time_of(end - at));
        if (fault_after(++events)) {
          return;
        }
      }
      event(choice(index, "", R"("stop")"), {});
    }
    if (include_usage_ && options_.usage) {
      event("", {}, usage());
    }
    add_done();
  }

  void write_answer() override {
    if (stream_) {
      stream();
    } else {
      whole();
    }
  }

  bool stream_ = false;
  bool include_usage_ = false;
  std::size_t repeats_ = 1;
  std::vector<std::vector<std::string>> prompts_;  // the tokens that each is answered with
  std::size_t tokens_in_ = 0;
  std::size_t tokens_out_ = 0;
};

}  // namespace

MockScript make_completion(std::string_view body, std::string_view model, const MockOptions& options, bool fails) {
  return CompletionWriter(body, model, options, fails).write();
}

}  // namespace weir::providers

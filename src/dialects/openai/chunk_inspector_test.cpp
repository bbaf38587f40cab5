#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "dialects/openai/stream.hpp"

namespace weir::openai {
namespace {

void expect_same(const ChunkFacts& quick, const ChunkFacts& full, std::string_view data) {
  EXPECT_EQ(quick.done, full.done) << data;
  EXPECT_EQ(quick.malformed, full.malformed) << data;
  EXPECT_EQ(quick.content_bearing, full.content_bearing) << data;
  EXPECT_EQ(quick.choices, full.choices) << data;
  EXPECT_EQ(quick.finished, full.finished) << data;
  EXPECT_EQ(quick.error.has_value(), full.error.has_value()) << data;
  EXPECT_EQ(quick.usage, full.usage) << data;
  EXPECT_EQ(quick.usage_only, full.usage_only) << data;
  EXPECT_EQ(quick.usage_member, full.usage_member) << data;
  EXPECT_EQ(quick.id_raw, full.id_raw) << data;
  EXPECT_EQ(quick.model_raw, full.model_raw) << data;
}

/// Events of a stream as servers send them, and broken ones, in any order.
std::vector<std::string> material() {
  const std::vector<std::string> texts = {"Hel",
                                          "lo",
                                          "",
                                          " a longer piece of text than the others",
                                          "caf\xc3\xa9",
                                          "\xc3",
                                          "\\n",
                                          "a\\u00e9b\\/c\\b\\f\\n\\r\\t",
                                          "\\ud83d\\ude00 and half: \\ud83d",
                                          "\\u12g4",
                                          "\\u123",
                                          "\\x",
                                          "caf\xc3\xa9 \\u00e9 \xc3",
                                          "\\\\",
                                          "\\\\\\",
                                          "\\\"quoted\\\"",
                                          "\",\"finish_reason\":\"stop",
                                          "\\",
                                          "a\tb",
                                          "\x01"};
  const std::vector<std::pair<std::string, std::string>> frames = {
      {R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":")", R"("},"finish_reason":null}]})"},
      {R"({"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":")",
       R"("},"finish_reason":null}],"usage":null})"},
      {R"({"id":"c1","usage":null,"model":"m","choices":[{"index":0,"delta":{"content":")",
       R"("},"finish_reason":null}]})"},
      {R"({"choices":[{"index":1,"delta":{"reasoning_content":")", R"("}}],"id":"c2","model":"m"})"},
      {R"({"id":"c1","choices":[{"index":0,"delta":{"content":")", R"(","refusal":"no"}}]})"},
      {R"({"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":")",
       R"("},"finish_reason":"stop"}]})"},
      {R"({"id":"c1","choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":")", R"("}}]})"},
      {R"({"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":")",
       R"("}}]}}]})"},
      {R"({"error":{"message":")", R"("}})"},
      {R"({"id":"c1","model":"other","obfuscation":"x\"y","choices":[{"index":0,"delta":{"content":")",
       R"("}}],"usage" : null })"},
      {R"({"usage":"none","id":"c1","choices":[{"index":0,"delta":{"content":")", R"("}}]})"},
      {R"({"id":")", R"(","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]})"},
      {R"({"id":"c1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":")", R"("}]})"},
  };
  std::vector<std::string> all = {"[DONE]", "", "{}", R"({"choices":[],"usage":{"prompt_tokens":1}})"};
  for (const auto& [before, behind] : frames) {
    for (const std::string& text : texts) {
      all.push_back(before + text + behind);
    }
  }
  return all;
}

TEST(ChunkInspector, says_of_every_event_after_every_other_what_a_full_reading_says) {
  const std::vector<std::string> events = material();
  for (const std::string& first : events) {
    for (const std::string& second : events) {
      ChunkInspector inspector;
      expect_same(inspector.inspect(first), inspect_chunk(first), first);
      expect_same(inspector.inspect(second), inspect_chunk(second), second);
    }
  }
}

/// An event with escapes that is changed, cut off or grown at any of its bytes.
TEST(ChunkInspector, steps_over_escapes_and_sees_what_is_wrong_at_every_byte) {
  const std::string first = R"({"id":"c\/1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})";
  const std::string event =
      R"({"id":"c1","choices":[{"index":0,"delta":{"content":"a\"b\\\u00e9\n"},"finish_reason":null}]})";
  for (std::size_t at = 0; at <= event.size(); ++at) {
    std::vector<std::string> changed = {event.substr(0, at)};
    for (const char byte : std::string("\"\\{}u0g\n\x01\xc3 ,")) {
      changed.push_back(event.substr(0, at) + byte + event.substr(at));
      if (at < event.size()) {
        changed.push_back(event);
        changed.back()[at] = byte;
      }
    }
    for (const std::string& second : changed) {
      ChunkInspector inspector;
      static_cast<void>(inspector.inspect(first));
      expect_same(inspector.inspect(second), inspect_chunk(second), second);
    }
  }
}

TEST(ChunkInspector, gives_the_marked_text_with_its_escapes) {
  const std::string before = R"({"id":"c1","choices":[{"index":0,"delta":{"content":")";
  const std::string behind = R"("},"finish_reason":null}]})";
  ChunkInspector inspector;
  static_cast<void>(inspector.inspect(before + "Hi" + behind));
  inspector.mark(before.size());
  for (const std::string text : {"plain", R"(a\n)", R"(\")", R"(\\)", R"(\ud83d\ude00)", "caf\xc3\xa9\\t"}) {
    const std::string event = before + text + behind;
    static_cast<void>(inspector.inspect(event));
    EXPECT_EQ(inspector.marked(event), text) << "not read in full";
  }
}

TEST(ChunkInspector, keeps_its_word_over_long_random_streams) {
  const std::vector<std::string> events = material();
  std::mt19937 random(20261121);
  ChunkInspector inspector;
  for (int i = 0; i < 20'000; ++i) {
    const std::string& event = events[random() % events.size()];
    expect_same(inspector.inspect(event), inspect_chunk(event), event);
  }
}

}  // namespace
}  // namespace weir::openai

#include "gateway/continuation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/stream_checker.hpp"
#include "text/json_value.hpp"

namespace weir::gateway {
namespace {

using Verdict = Continuation::Verdict;
using Events = std::vector<std::string>;

struct Source {
  std::string id = "a";
  int created = 1;
  std::string model = "m";
};

std::string chunk(const Source& source, std::string_view choices) {
  return fmt::format(R"({{"id":"{}","object":"chat.completion.chunk","created":{},"model":"{}","choices":[{}]}})",
                     source.id, source.created, source.model, choices);
}
std::string delta(const Source& source, std::string_view members, std::string_view finish = "null", int index = 0) {
  return chunk(source, fmt::format(R"({{"index":{},"delta":{{{}}},"finish_reason":{}}})", index, members, finish));
}
std::string content(const Source& source, std::string_view raw, std::string_view field = "content", int index = 0) {
  return delta(source, fmt::format(R"("{}":"{}")", field, raw), "null", index);
}

const Source first{};
const Source second{.id = "b", .created = 2, .model = "n"};

/// What the caller has after these events.
Delivered delivered(const Events& events, std::size_t bytes_max = 1 << 20) {
  Delivered kept(bytes_max, nullptr);
  openai::ChunkInspector inspector;
  for (const std::string& event : events) {
    static_cast<void>(inspector.inspect(event));
    kept.note(event, &inspector);
  }
  return kept;
}

/// How the events of a second answer end: those that pass, or why it differs.
struct Outcome {
  Events passed;
  std::string why;
  bool proven = false;
  std::size_t same = 0;
};
Outcome outcome(const Delivered& kept, const Events& events, Resume how = Resume::proven) {
  Continuation continuation(kept, how);
  Outcome result;
  for (const std::string& event : events) {
    const Verdict verdict = continuation.take(event);
    if (verdict == Verdict::differs) {
      result.why = continuation.why();
      break;
    }
    if (verdict == Verdict::pass) {
      result.passed.insert(result.passed.end(), continuation.events().begin(), continuation.events().end());
    }
  }
  result.proven = continuation.proven();
  result.same = continuation.same_bytes();
  return result;
}

/// The text of a field that a client puts together.
std::string text_of(const Events& events, openai::TextField field = openai::TextField::content,
                    std::size_t choice = 0) {
  text::StringPieces pieces;
  std::string out;
  for (const std::string& event : events) {
    for (const openai::TextPiece& piece : openai::read_delta_texts(event).pieces) {
      if (piece.field == field && piece.choice == choice) {
        EXPECT_TRUE(pieces.append(piece.raw.of(event), out));
      }
    }
  }
  return out;
}

TEST(Delivered, keeps_the_texts_of_all_fields_and_choices) {
  const Delivered kept = delivered(
      {content(first, "Hm", "reasoning_content"), content(first, " so", "reasoning_content"), content(first, "A"),
       content(first, "b\\n"), content(first, "\\u00e9c"), content(first, "x", "content", 1), content(first, "d")});
  ASSERT_EQ(kept.texts().size(), 3U);
  EXPECT_EQ(kept.texts()[0].bytes, "Hm so");
  EXPECT_EQ(kept.texts()[1].bytes,
            "Ab\n\xc3\xa9"
            "cd");
  EXPECT_EQ(kept.texts()[2].bytes, "x");
  EXPECT_EQ(kept.texts()[2].choice, 1U);
  EXPECT_EQ(kept.id(), "\"a\"");
  EXPECT_EQ(kept.created(), "1");
  EXPECT_EQ(kept.obstacle(), "");
  EXPECT_FALSE(kept.is_content_alone());
}

TEST(Delivered, what_the_inspector_recognises_is_kept_like_what_is_read_in_full) {
  // One form alternating with others, texts of all kinds; with and without the inspector's help.
  std::mt19937 random(7);
  const std::vector<std::string> texts = {"a", " the", "\\n", "\xc3\xa9", "\\\"", "x\\u0041", "long long long text"};
  for (int round = 0; round < 200; ++round) {
    Events events;
    std::string expected;
    for (int i = 0; i < 30; ++i) {
      const std::string& text = texts[random() % texts.size()];
      const bool reasoning = random() % 8 == 0;
      const bool with_role = random() % 16 == 0;
      events.push_back(with_role ? delta(first, fmt::format(R"("role":"assistant","content":"{}")", text))
                                 : content(first, text, reasoning ? "reasoning" : "content"));
    }
    Delivered plain(1 << 20, nullptr);
    for (const std::string& event : events) {
      plain.note(event, nullptr);
    }
    const Delivered helped = delivered(events);
    ASSERT_EQ(helped.texts().size(), plain.texts().size());
    for (std::size_t i = 0; i < plain.texts().size(); ++i) {
      EXPECT_EQ(helped.texts()[i].bytes, plain.texts()[i].bytes);
      EXPECT_EQ(helped.texts()[i].field, plain.texts()[i].field);
    }
    EXPECT_EQ(helped.texts()[0].bytes, text_of(events, helped.texts()[0].field));
  }
}

TEST(Delivered, gives_up_on_what_no_text_can_prove) {
  const auto obstacle = [](std::string_view members) {
    return std::string(delivered({content(first, "A"), delta(first, members)}).obstacle());
  };
  EXPECT_EQ(obstacle(R"("tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}])"),
            "more than text had left");
  EXPECT_EQ(obstacle(R"("tool_calls":[{"index":0,"function":{"arguments":"{"}}])"), "more than text had left");
  EXPECT_EQ(obstacle(R"("function_call":{"name":"f"})"), "more than text had left");
  EXPECT_EQ(obstacle(R"("audio":{"data":"AAAA"})"), "more than text had left");
  EXPECT_EQ(obstacle(R"("images":[{}])"), "more than text had left");
  EXPECT_EQ(obstacle(R"("content":[{"type":"text","text":"x"}])"), "more than text had left");
  EXPECT_EQ(obstacle(R"("reasoning_details":[{}])"), "more than text had left");
  EXPECT_EQ(obstacle(R"("content":"\ud83d")"), "it broke off inside a character");
  EXPECT_EQ(obstacle(R"("content":"\ude00")"), "half a character stands in it");
  EXPECT_EQ(obstacle(R"("content":"","tool_calls":[],"refusal":null)"), "");
  EXPECT_EQ(delivered({}).obstacle(), "nothing of its text had left");
  EXPECT_EQ(delivered({chunk(first, R"({"index":0,"delta":{"content":"A"},"logprobs":{"content":[{}]}})")}).obstacle(),
            "more than text had left");
  EXPECT_EQ(delivered({content(first, "A"), content(first, "A", "content", 128)}).obstacle(),
            "more than text had left");
}

TEST(Delivered, is_bounded_in_bytes_and_charged) {
  EXPECT_EQ(delivered({content(first, "abc"), content(first, "abc")}, 6).obstacle(), "");
  EXPECT_EQ(delivered({content(first, "abc"), content(first, "abcd")}, 6).obstacle(),
            "it is longer than what weir keeps of an answer");

  platform::MemoryBudget budget(10'000);
  {
    Delivered kept(1 << 20, &budget);
    kept.note(content(first, "abc"), nullptr);
    EXPECT_EQ(budget.used(), 4096U);
    kept.note(content(first, std::string(5000, 'x')), nullptr);
    EXPECT_EQ(budget.used(), 8192U);
    kept.note(content(first, std::string(5000, 'x')), nullptr);
    EXPECT_EQ(kept.obstacle(), "weir had no memory left to keep it");
    EXPECT_EQ(budget.used(), 0U);
    kept.note(content(first, "abc"), nullptr);
    EXPECT_TRUE(kept.texts().empty());
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Continuation, passes_what_lies_behind_the_text_that_the_caller_has) {
  const Delivered kept = delivered({content(first, "Hello"), content(first, " wor")});
  const Outcome same = outcome(
      kept, {delta(second, R"("role":"assistant","content":"")"), content(second, "Hel"), content(second, "lo wo"),
             content(second, "rld"), content(second, "!"), delta(second, "", R"("stop")")});
  EXPECT_EQ(same.why, "");
  EXPECT_EQ(same.same, 9U);
  EXPECT_EQ(same.passed, (Events{content(first, "ld"), content(first, "!"), delta(first, "", R"("stop")")}));
}

TEST(Continuation, an_event_that_ends_exactly_there_is_dropped) {
  const Delivered kept = delivered({content(first, "Hello")});
  const Outcome same = outcome(kept, {content(second, "Hello"), content(second, " you")});
  EXPECT_TRUE(same.proven);
  EXPECT_EQ(same.passed, (Events{content(first, " you")}));
  // And when it is all there was, its end is the answer's end.
  EXPECT_EQ(outcome(kept, {content(second, "Hello"), delta(second, "", R"("length")")}).passed,
            (Events{delta(first, "", R"("length")")}));
  EXPECT_EQ(outcome(kept, {delta(second, R"("role":"assistant","content":"Hello")", R"("stop")")}).passed,
            (Events{delta(first, R"("content":"")", R"("stop")")}));
}

TEST(Continuation, no_second_role_wherever_it_stands_in_the_delta) {
  const Delivered kept = delivered({content(first, "He")});
  for (const std::string_view members :
       {R"("role":"assistant","content":"Hello")", R"("content":"Hello","role":"assistant")",
        R"( "role" : "assistant" , "content":"Hello")", R"("refusal":null,"role":"assistant","content":"Hello")"}) {
    const Outcome same = outcome(kept, {delta(second, members)});
    ASSERT_EQ(same.passed.size(), 1U) << members;
    EXPECT_TRUE(text::scan_document(same.passed[0])) << same.passed[0];
    EXPECT_FALSE(same.passed[0].contains("role")) << same.passed[0];
    EXPECT_EQ(text_of(same.passed), "llo");
  }
}

TEST(Continuation, usage_passes_behind_the_proof_and_not_before) {
  const Delivered kept = delivered({content(first, "Hello")});
  const std::string usage =
      R"({"id":"b","object":"chat.completion.chunk","created":2,"model":"n","choices":[],"usage":{"total_tokens":3}})";
  const Outcome same = outcome(kept, {usage, content(second, "Hello"), delta(second, "", R"("stop")"), usage});
  ASSERT_EQ(same.passed.size(), 2U);
  EXPECT_EQ(
      same.passed[1],
      R"({"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"total_tokens":3}})");
}

TEST(Continuation, differs_at_any_byte) {
  const std::string text = "Hello, \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 end";
  const Delivered kept = delivered({content(first, text)});
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      continue;  // only whole characters can stand in an event: see below
    }
    const std::string other = text.substr(0, at) + "#" + text.substr(at + 1);
    const Outcome differs = outcome(kept, {content(second, other)});
    EXPECT_EQ(differs.why, fmt::format("its content differs at byte {} from the text that had left", at));
    EXPECT_EQ(differs.same, at);
    EXPECT_TRUE(differs.passed.empty());
    EXPECT_FALSE(differs.proven);
  }
}

TEST(Continuation, differs_inside_a_character) {
  const Delivered kept = delivered({content(first, "a\xe2\x82\xac")});
  for (const std::string_view other : {"a\xe2\x82\xad", "a\\u20ad"}) {  // two of three bytes are the same
    const Outcome differs = outcome(kept, {content(second, other)});
    EXPECT_EQ(differs.why, "its content differs at byte 3 from the text that had left");
    EXPECT_TRUE(differs.passed.empty());
  }
  const Delivered smile = delivered({content(first, "a\xf0\x9f\x98\x80")});
  for (const Events& other :
       {Events{content(second, "a\\ud83d\\ude01")}, Events{content(second, "a\\ud83d"), content(second, "\\ude01")},
        Events{content(second, "a\xf0\x9f\x98\x81")}}) {
    EXPECT_EQ(outcome(smile, other).why, "its content differs at byte 4 from the text that had left");
  }
  EXPECT_EQ(outcome(smile, {content(second, "a\\ud83d"), content(second, "x")}).why,
            "its content differs at byte 1 from the text that had left");
}

TEST(Continuation, the_same_text_in_other_escapes_is_the_same) {
  const Delivered kept = delivered({content(first, "a\xf0\x9f\x98\x80\\n\xc3\xa9\\\"/")});
  for (const std::string_view other :
       {R"(\u0061\ud83d\ude00\u000a\u00e9\u0022\/z)", "a\xf0\x9f\x98\x80\\n\xc3\xa9\\\"/z"}) {
    const Outcome same = outcome(kept, {content(second, other)});
    EXPECT_EQ(same.passed, (Events{content(first, "z")})) << same.why;
  }
  const Outcome halves = outcome(kept, {content(second, "a\\ud83d"), content(second, "\\ude00\\n"),
                                        content(second, "\xc3\xa9\\u0022\\u002f\\ud83d"), content(second, "\\ude00")});
  EXPECT_EQ(halves.passed, (Events{content(first, "\\ud83d"), content(first, "\\ude00")})) << halves.why;
}

TEST(Continuation, any_split_and_any_cut_give_the_text_once) {
  // The same text, cut at every place and split at random; what left and what passes make it up again.
  const std::vector<std::string> plain = {"T", "h", "e", " ", "\xc3\xa9", "\\n", "\xf0\x9f\x98\x80", "\\\"", "t", "!"};
  const std::vector<std::string> escaped = {"\\u0054",        "h",       "\\u0065", " ", "\\u00e9", "\\u000a",
                                            "\\ud83d\\ude00", "\\u0022", "t",       "!"};
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const auto cut = 1 + random() % (plain.size() - 1);
    Events left{delta(first, R"("role":"assistant","content":"")")};
    for (std::size_t i = 0; i < cut; ++i) {
      left.push_back(content(first, random() % 2 == 0 ? plain[i] : escaped[i]));
    }
    Events again{delta(second, R"("role":"assistant","content":"")")};
    for (std::size_t i = 0; i < plain.size();) {
      std::string piece;
      for (std::size_t n = 1 + random() % 4; n > 0 && i < plain.size(); --n, ++i) {
        piece += random() % 2 == 0 ? plain[i] : escaped[i];
      }
      again.push_back(content(second, piece));
    }
    again.push_back(delta(second, "", R"("stop")"));
    Delivered kept = delivered(left);
    const Outcome same = outcome(kept, again);
    ASSERT_EQ(same.why, "");
    Events all = left;
    all.insert(all.end(), same.passed.begin(), same.passed.end());
    EXPECT_EQ(text_of(all), "The \xc3\xa9\n\xf0\x9f\x98\x80\"t!");
    openai::StreamChecker checker(openai::StreamChecker::Usage::not_asked);
    for (const std::string& event : all) {
      checker.feed(event);
    }
    checker.feed("[DONE]");
    checker.end();
    EXPECT_EQ(checker.violations(), std::vector<std::string>());
  }
}

TEST(Continuation, reasoning_is_proven_like_content) {
  const Delivered kept = delivered({content(first, "think", "reasoning_content"), content(first, "say")});
  EXPECT_EQ(outcome(kept, {content(second, "thi", "reasoning_content"), content(second, "nk", "reasoning_content"),
                           content(second, "saying")})
                .passed,
            (Events{content(first, "ing")}));
  EXPECT_EQ(outcome(kept, {content(second, "thinking", "reasoning_content")}).why,
            "its reasoning_content goes on where the answer that had left has another text");
  EXPECT_EQ(outcome(kept, {content(second, "saying")}).why,
            "its content goes on where the answer that had left has another text");
  EXPECT_EQ(outcome(kept, {content(second, "thank", "reasoning_content")}).why,
            "its reasoning_content differs at byte 2 from the text that had left");
  // The caller has nothing but thoughts yet: the answer itself is new.
  const Delivered thoughts = delivered({content(first, "think", "reasoning_content")});
  EXPECT_EQ(outcome(thoughts, {content(second, "thinking", "reasoning_content"), content(second, "say")}).passed,
            (Events{content(first, "ing", "reasoning_content"), content(first, "say")}));
}

TEST(Continuation, an_answer_that_ends_too_early_is_another_one) {
  const Delivered kept = delivered({content(first, "Hello")});
  EXPECT_EQ(outcome(kept, {content(second, "Hell"), delta(second, "", R"("stop")")}).why,
            "it ended before it had repeated the text that had left");
  EXPECT_EQ(outcome(kept, {delta(second, R"("content":"Hell")", R"("stop")")}).why,
            "it ended before it had repeated the text that had left");
}

TEST(Continuation, a_tool_call_may_come_behind_the_proof_only) {
  const Delivered kept = delivered({content(first, "Hello")});
  const std::string_view call = R"("tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}])";
  EXPECT_EQ(outcome(kept, {content(second, "Hel"), delta(second, call)}).why,
            "it answered with more than text before it had repeated the text that had left");
  EXPECT_EQ(outcome(kept, {content(second, "Hello"), delta(second, call)}).passed, (Events{delta(first, call)}));
}

TEST(Continuation, several_choices_pass_together_once_all_are_proven) {
  const Delivered kept = delivered({content(first, "A"), content(first, "BB", "content", 1)});
  const Events again{content(second, "Aa"), content(second, "a"), content(second, "B", "content", 1),
                     content(second, "Bb", "content", 1)};
  EXPECT_TRUE(outcome(kept, {again[0], again[1], again[2]}).passed.empty());
  EXPECT_EQ(outcome(kept, again).passed,
            (Events{content(first, "a"), content(first, "a"), content(first, "b", "content", 1)}));
  EXPECT_EQ(outcome(kept, {again[0], again[1], content(second, "C", "content", 1)}).why,
            "its content differs at byte 0 from the text that had left");
  // A choice that had ended: its end is not told twice.
  const Delivered ended =
      delivered({content(first, "A"), content(first, "B", "content", 1), delta(first, "", R"("stop")", 1)});
  EXPECT_EQ(outcome(ended, {content(second, "B", "content", 1), delta(second, "", R"("stop")", 1),
                            content(second, "Aa"), delta(second, "", R"("stop")")})
                .passed,
            (Events{content(first, "a"), delta(first, "", R"("stop")")}));
  EXPECT_EQ(outcome(ended, {content(second, "Bb", "content", 1)}).why,
            "it goes on behind the end of the answer that had left");
}

TEST(Continuation, two_choices_in_one_event) {
  const auto both = [](const Source& source, std::string_view a, std::string_view b) {
    return chunk(
        source,
        fmt::format(R"({{"index":0,"delta":{{"content":"{}"}}}},{{"index":1,"delta":{{"content":"{}"}}}})", a, b));
  };
  const Delivered kept = delivered({both(first, "A", "B")});
  EXPECT_EQ(outcome(kept, {both(second, "Aa", "Bb")}).passed, (Events{both(first, "a", "b")}));
  EXPECT_EQ(outcome(kept, {both(second, "Aa", "B")}).passed, (Events{both(first, "a", "")}));
}

TEST(Continuation, legacy_completions) {
  const auto event = [](const Source& source, std::string_view raw, std::string_view finish = "null") {
    return chunk(source, fmt::format(R"({{"text":"{}","index":0,"logprobs":null,"finish_reason":{}}})", raw, finish));
  };
  const Delivered kept = delivered({event(first, "Hel"), event(first, "lo")});
  EXPECT_EQ(outcome(kept, {event(second, "Hello you"), event(second, "", R"("stop")")}).passed,
            (Events{event(first, " you"), event(first, "", R"("stop")")}));
}

TEST(Continuation, prefilled_goes_on_at_once_unless_it_begins_anew) {
  const std::string text = "This is the beginning of a rather long answer";
  const Delivered kept = delivered({content(first, text)});
  EXPECT_TRUE(kept.is_content_alone());
  EXPECT_EQ(outcome(kept,
                    {delta(second, R"("role":"assistant","content":"")"), content(second, ", and"),
                     content(second, " so on"), delta(second, "", R"("stop")")},
                    Resume::prefill)
                .passed,
            (Events{content(first, ", and"), content(first, " so on"), delta(first, "", R"("stop")")}));
  // What looks like the beginning is held until it is clear.
  EXPECT_TRUE(outcome(kept, {content(second, "This is")}, Resume::prefill).passed.empty());
  EXPECT_EQ(text_of(outcome(kept, {content(second, "This is"), content(second, " it.")}, Resume::prefill).passed),
            "This is it.");
  EXPECT_EQ(
      text_of(outcome(kept, {content(second, "This is"), delta(second, "", R"("stop")")}, Resume::prefill).passed),
      "This is");
  EXPECT_EQ(
      outcome(kept, {content(second, text.substr(0, 20)), content(second, text.substr(20, 15))}, Resume::prefill).why,
      "it began anew in place of going on with the text that it was given");
  EXPECT_EQ(outcome(kept, {content(second, "Hm", "reasoning_content")}, Resume::prefill).why,
            "it did not go on with the text that it was given");
}

TEST(Continuation, what_passed_can_be_gone_on_with_again) {
  Delivered kept = delivered({content(first, "Hello")});
  Continuation one(kept, Resume::proven);
  for (const std::string& event : {content(second, "Hello wor"), content(second, "ld")}) {
    ASSERT_EQ(one.take(event), Verdict::pass);
    for (const std::string& passed : one.events()) {
      kept.note(passed, nullptr);
    }
  }
  const Source third{.id = "c", .created = 3, .model = "o"};
  const Outcome again = outcome(kept, {content(third, "Hello wor"), content(third, "ld and"), content(third, " all")});
  EXPECT_EQ(again.passed, (Events{content(first, " and"), content(first, " all")}));
}

}  // namespace
}  // namespace weir::gateway

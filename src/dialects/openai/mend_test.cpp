#include "dialects/openai/mend.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "dialects/openai/stream_checker.hpp"
#include "text/json_value.hpp"

namespace weir::openai {
namespace {

struct Mended {
  std::string data;
  MendSet set;
};

Mended mend_one(StreamMender& mender, ChunkInspector& inspector, std::string_view data) {
  const ChunkFacts facts = inspector.inspect(data);
  EXPECT_FALSE(facts.malformed) << facts.malformed_why << ": " << data;
  if (facts.done || !mender.wants(facts)) {
    return {std::string(data), {}};
  }
  std::vector<Edit> edits;
  const MendSet set = mender.mend(data, false, edits);
  EXPECT_EQ(set.any(), !edits.empty()) << data;
  std::vector<std::string_view> parts;
  slices(data, edits, parts);
  std::string text;
  for (const std::string_view part : parts) {
    text += part;
  }
  return {text, set};
}

std::string chunk(std::string_view rest) {
  return fmt::format(R"({{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m"{}}})", rest);
}
std::string choice(std::string_view members) {
  return chunk(fmt::format(R"(,"choices":[{{{}}}])", members));
}
std::string delta(std::string_view members, std::string_view finish_reason = "null") {
  return choice(fmt::format(R"("index":0,"delta":{{{}}},"finish_reason":{})", members, finish_reason));
}

/// Mends them as one stream; what was mended is appended to each after a blank.
std::vector<std::string> mend_all(const std::vector<std::string>& events) {
  StreamMender mender("seed");
  ChunkInspector inspector;
  std::vector<std::string> out;
  for (const std::string& event : events) {
    Mended mended = mend_one(mender, inspector, event);
    for (std::size_t i = 0; i < mended.set.size(); ++i) {
      if (mended.set.test(i)) {
        mended.data.append(" ").append(to_string(static_cast<Mend>(i)));
      }
    }
    out.push_back(mended.data);
  }
  return out;
}

TEST(StreamMender, leaves_a_well_formed_stream_alone) {
  const std::vector<std::string> events{
      delta(R"("role":"assistant","content":null)"),
      delta(R"( "content" : "Hi" , "extra":[1,2] )"),
      delta(R"("role":"assistant","content":"again")"),
      delta(R"("tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])"),
      delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}])"),
      delta(R"("tool_calls":[{"index":0,"id":"","function":{"name":null,"arguments":":1}"}}])"),
      delta(R"("tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}])"),
      delta("", R"("tool_calls")"),
      chunk(R"(,"choices":[],"usage":{"prompt_tokens":1})"),
      "[DONE]",
  };
  EXPECT_EQ(mend_all(events), events);
}

TEST(StreamMender, what_only_one_text_differs_in_is_looked_at_all_the_same) {
  // The inspector recognises the second event by the first; its new id begins another call.
  const auto call = [](std::string_view id) {
    return delta(fmt::format(
        R"("tool_calls":[{{"index":0,"id":"{}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}])",
        id));
  };
  const auto mended = mend_all({delta(R"("role":"assistant")"), call("a"), call("b"), call("b")});
  EXPECT_TRUE(mended[1].ends_with("}]}")) << mended[1];
  EXPECT_TRUE(mended[2].contains(R"({"index":1,"id":"b",)")) << mended[2];
  EXPECT_TRUE(mended[2].ends_with(" tool_index")) << mended[2];
  EXPECT_FALSE(mended[3].contains(R"("id":"b")")) << "the same call said again: " << mended[3];
}

TEST(StreamMender, puts_right_what_clients_stumble_over_and_nothing_else) {
  struct Case {
    std::vector<std::string> before;
    std::string event;
    std::string mended;  // its choices, and what was mended
  };
  const std::string begun = delta(R"("role":"assistant","content":"")");
  const std::string called =
      delta(R"("role":"assistant","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}])");
  for (
      const Case& c : {
          Case{{}, chunk(""), R"([],"id":"c1",)"},
          Case{{}, chunk(R"(,"choices":null)"), "[]} choices"},
          Case{{}, chunk(R"(,"usage":{"total_tokens":1})"), R"([],"id":)"},
          Case{{begun},
               choice(R"("delta":{},"finish_reason":null)"),
               R"([{"index":0,"delta":{},"finish_reason":null}]} choice_index)"},
          Case{{begun},
               choice(R"("index":0,"finish_reason":"stop")"),
               R"([{"delta":{},"index":0,"finish_reason":"stop"}]} delta)"},
          Case{{begun},
               choice(R"("index":0,"delta":null,"finish_reason":"stop")"),
               R"([{"index":0,"delta":{},"finish_reason":"stop"}]} delta)"},
          Case{{},
               delta(R"("role":"","content":"Hi")"),
               R"([{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]} role)"},
          Case{{begun},
               delta(R"("role":"","content":"Hi")"),
               R"([{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]} role)"},
          Case{{begun},
               delta(R"("content":"Hi")", R"("")"),
               R"([{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]} finish_reason)"},
          Case{{called},
               delta("", R"("stop")"),
               R"([{"index":0,"delta":{},"finish_reason":"tool_calls"}]} finish_reason)"},
          Case{{called}, delta("", R"("length")"), R"([{"index":0,"delta":{},"finish_reason":"length"}]})"},
          Case{{begun}, delta("", R"("stop")"), R"([{"index":0,"delta":{},"finish_reason":"stop"}]})"},
          Case{{called},
               delta(R"("tool_calls":[{"function":{"arguments":"{}"}}])"),
               R"([{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},)"},
          Case{{called},
               delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}])"),
               R"([{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},)"},
          Case{{called},
               delta(R"("tool_calls":[{"index":0,"function":{"name":"g","arguments":{"a": [1]}}}])"),
               R"([{"index":0,"delta":{"tool_calls":[{"id":"call_)"},
          Case{
              {begun},
              delta(R"("tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":{"a": "1"}}}])"),
              R"([{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\": \"1\"}"}}]},)"},
      }) {
    std::vector<std::string> events = c.before;
    events.push_back(c.event);
    const auto mended = mend_all(events);
    for (std::size_t i = 0; i < c.before.size(); ++i) {
      EXPECT_EQ(mended[i], c.before[i]);
    }
    const std::string text = mended.back().substr(mended.back().find("\"choices\":") + 10);
    EXPECT_TRUE(text.starts_with(c.mended)) << c.event << "\n" << text << "\n" << c.mended;
  }
}

TEST(StreamMender, an_event_without_choices_stays_json_when_its_usage_is_cut) {
  for (const auto& [data, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"({"usage":null})", R"({"choices":[]"usage":null})"},
           {R"({"usage":null,"id":"1"})", R"({"choices":[],"usage":null,"id":"1"})"}}) {
    StreamMender mender("");
    std::vector<Edit> edits;
    mender.mend(data, true, edits);
    ASSERT_EQ(edits.size(), 1U);
    EXPECT_EQ(data.substr(0, edits[0].offset) + edits[0].replacement + data.substr(edits[0].offset), expected);
  }
}

TEST(StreamMender, the_number_of_calls_it_keeps_is_bounded) {
  StreamMender mender("");
  ChunkInspector inspector;
  for (std::size_t i = 0; i < StreamMender::calls_max + 10; ++i) {
    const auto mended =
        mend_one(mender, inspector,
                 delta(fmt::format(R"("tool_calls":[{{"id":"{}","function":{{"name":"f","arguments":"{{}}"}}}}])", i)));
    EXPECT_EQ(mended.set.test(static_cast<std::size_t>(Mend::tool_index)), i < StreamMender::calls_max) << i;
  }
}

// --- streams of sloppy servers, made by seed
// ---------------------------------------------------------------------------

struct Call {
  std::string id;
  std::string name;
  std::string arguments;
  friend bool operator==(const Call&, const Call&) = default;
};
void PrintTo(const Call& call, std::ostream* out) {
  *out << call.id << ' ' << call.name << ' ' << call.arguments;
}

struct Habits {
  enum class Index { right, absent, zero, from_one } index = Index::right;
  bool no_ids = false;
  bool repeats = false;      // id and name with each part
  bool whole_calls = false;  // each in one entry
  bool one_event = false;    // all calls of a choice in it
  bool object_arguments = false;
  enum class Role { right, empty, absent, always } role = Role::right;
  bool no_delta_at_the_end = false;
  bool stop_after_calls = false;
  bool empty_finish_reason = false;
  bool no_choice_index = false;
  bool no_choices_with_usage = false;
  [[nodiscard]] bool sloppy() const {
    return index != Index::right || no_ids || repeats || object_arguments || role == Role::empty ||
           no_delta_at_the_end || stop_after_calls || empty_finish_reason || no_choice_index || no_choices_with_usage;
  }
};

class SloppyServer {
 public:
  explicit SloppyServer(std::uint64_t seed, bool sloppy) : random_(seed) {
    habits.whole_calls = chance(40);
    habits.one_event = habits.whole_calls && chance(50);
    choices_ = chance(30) ? 2 : 1;
    if (sloppy) {
      habits.index = static_cast<Habits::Index>(random_() % 4);
      habits.no_ids = chance(30);
      habits.repeats = !habits.whole_calls && !habits.no_ids && chance(40);
      habits.object_arguments = habits.whole_calls && chance(50);
      habits.role = static_cast<Habits::Role>(random_() % 4);
      habits.no_delta_at_the_end = chance(30);
      habits.stop_after_calls = chance(50);
      habits.empty_finish_reason = chance(30);
      habits.no_choice_index = choices_ == 1 && chance(30);
      habits.no_choices_with_usage = chance(50);
    }
  }

  Habits habits;
  std::map<std::size_t, std::vector<Call>> calls;  // what was meant; an id that was not sent is empty
  std::map<std::size_t, std::string> text;

  std::vector<std::string> stream() {
    std::vector<std::string> events;
    for (std::size_t place = 0; place < choices_; ++place) {
      add_choice(place, events);
    }
    events.push_back(with_usage(habits.no_choices_with_usage ? "" : R"(,"choices":[])",
                                R"({"prompt_tokens":1,"completion_tokens":2,"total_tokens":3})"));
    events.emplace_back("[DONE]");
    return events;
  }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  static std::string with_usage(std::string_view rest, std::string_view usage) {
    return chunk(fmt::format(R"({},"usage":{})", rest, usage));
  }

  std::string event(std::size_t place, std::string members, bool first, std::string_view finish_reason = "") {
    if (first ? habits.role != Habits::Role::absent : habits.role == Habits::Role::always) {
      const std::string role = habits.role == Habits::Role::empty ? R"("role":"")" : R"("role":"assistant")";
      members = members.empty() ? role : role + "," + members;
    }
    const std::string index = habits.no_choice_index ? "" : fmt::format("\"index\":{},", place);
    const std::string reason =
        finish_reason.empty() ? (habits.empty_finish_reason ? "\"\"" : "null") : fmt::format("\"{}\"", finish_reason);
    const std::string delta = !finish_reason.empty() && habits.no_delta_at_the_end && members.empty()
                                  ? ""
                                  : fmt::format("\"delta\":{{{}}},", members);
    return with_usage(fmt::format(R"(,"choices":[{{{}{}"finish_reason":{}}}])", index, delta, reason), "null");
  }

  std::string entry(std::size_t number, const Call& call, std::string_view part, bool first) {
    std::string members;
    const auto add = [&members](std::string text) { members += (members.empty() ? "" : ",") + text; };
    if (habits.index != Habits::Index::absent) {
      add(fmt::format("\"index\":{}", habits.index == Habits::Index::zero       ? 0
                                      : habits.index == Habits::Index::from_one ? number + 1
                                                                                : number));
    }
    if (first || habits.repeats) {
      if (!habits.no_ids) {
        add(fmt::format("\"id\":\"{}\"", call.id));
      }
      add("\"type\":\"function\"");
    }
    std::string quoted(part);
    if (!habits.object_arguments) {
      quoted.clear();
      text::append_json_string(quoted, part);
    }
    const std::string name = first || habits.repeats ? fmt::format("\"name\":\"{}\",", call.name) : "";
    add(fmt::format("\"function\":{{{}\"arguments\":{}}}", name, quoted));
    return "{" + members + "}";
  }

  void add_choice(std::size_t place, std::vector<std::string>& events) {
    bool first = true;
    const std::size_t words = random_() % 4;
    for (std::size_t i = 0; i < words; ++i) {
      const std::string word = fmt::format("w{} ", random_() % 100);
      text[place] += word;
      events.push_back(event(place, fmt::format("\"content\":\"{}\"", word), std::exchange(first, false)));
    }
    std::vector<Call>& mine = calls[place];
    for (std::size_t i = random_() % 4; i > 0; --i) {
      // Where neither id nor index tells calls apart, only their names do.
      const std::string name = fmt::format("f{}", habits.no_ids && !habits.whole_calls ? mine.size() : random_() % 2);
      mine.push_back({.id = fmt::format("id_{}_{}", place, mine.size()),
                      .name = name,
                      .arguments = fmt::format(R"({{"n": {}, "t": "\"{}"}})", random_() % 10, random_() % 1000)});
    }
    if (habits.no_ids && habits.index == Habits::Index::zero && !habits.one_event) {
      for (std::size_t i = 0; i < mine.size(); ++i) {
        mine[i].name = fmt::format("f{}", i);
      }
    }
    std::string together;
    for (std::size_t number = 0; number < mine.size(); ++number) {
      Call& call = mine[number];
      if (habits.one_event) {
        together += (together.empty() ? "" : ",") + entry(number, call, call.arguments, true);
        continue;
      }
      const std::size_t cut = habits.whole_calls ? call.arguments.size() : random_() % call.arguments.size();
      const std::size_t cut2 = cut + (call.arguments.size() - cut) / 2;
      const std::size_t cuts[] = {0, cut, cut2, call.arguments.size()};
      for (int part = 0; part < 3; ++part) {
        const std::string piece = call.arguments.substr(cuts[part], cuts[part + 1] - cuts[part]);
        if (part == 0 || !piece.empty()) {
          events.push_back(event(place, fmt::format("\"tool_calls\":[{}]", entry(number, call, piece, part == 0)),
                                 std::exchange(first, false)));
        }
      }
    }
    if (!together.empty()) {
      events.push_back(event(place, fmt::format("\"tool_calls\":[{}]", together), std::exchange(first, false)));
    }
    events.push_back(event(place, "", first, mine.empty() || habits.stop_after_calls ? "stop" : "tool_calls"));
    if (habits.no_ids) {
      for (Call& call : mine) {
        call.id.clear();
      }
    }
  }

  std::mt19937_64 random_;
  std::size_t choices_ = 1;
};

/// What a client assembles, as openai's Python does it: texts are concatenated.
std::map<std::size_t, std::vector<Call>> assembled(const std::vector<std::string>& events) {
  std::map<std::size_t, std::vector<Call>> calls;
  for (const std::string& event : events) {
    const auto choices = event.starts_with("[DONE]") ? std::nullopt : text::find_member(event, "choices");
    if (!choices) {
      continue;
    }
    text::for_each_element(choices->raw, [&](const text::JsonValue& choice) {
      const auto delta = text::find_member(choice.raw, "delta");
      const auto list = delta ? text::find_member(delta->raw, "tool_calls") : std::nullopt;
      auto& mine = calls[static_cast<std::size_t>(*text::to_int64(*text::find_member(choice.raw, "index")))];
      if (!list) {
        return;
      }
      text::for_each_element(list->raw, [&](const text::JsonValue& entry) {
        const auto index = static_cast<std::size_t>(*text::to_int64(*text::find_member(entry.raw, "index")));
        mine.resize(std::max(mine.size(), index + 1));
        const auto text_of = [](std::string_view object, std::string_view name) {
          const auto value = text::find_member(object, name);
          return value && value->kind == text::JsonKind::string ? text::unescape_lossy(value->string_raw()) : "";
        };
        mine[index].id += text_of(entry.raw, "id");
        const auto function = text::find_member(entry.raw, "function");
        mine[index].name += text_of(function->raw, "name");
        mine[index].arguments += text_of(function->raw, "arguments");
      });
    });
  }
  return calls;
}

TEST(StreamMender, a_mended_stream_keeps_the_grammar_and_means_the_same) {
  std::size_t mended_events = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SloppyServer server(seed, seed % 4 != 0);
    const auto events = server.stream();
    StreamMender mender("request-1");
    ChunkInspector inspector;
    StreamChecker checker(StreamChecker::Usage::asked);
    std::vector<std::string> out;
    for (const std::string& event : events) {
      const Mended mended = mend_one(mender, inspector, event);
      mended_events += mended.set.any() ? 1 : 0;
      if (!server.habits.sloppy() || mended.set.none()) {
        ASSERT_EQ(mended.data, event) << "seed " << seed;
      }
      checker.feed(mended.data);
      out.push_back(mended.data);
    }
    checker.end();
    ASSERT_TRUE(checker.violations().empty()) << "seed " << seed << ": " << checker.violations().front() << "\n"
                                              << fmt::format("{}", fmt::join(events, "\n")) << "\n->\n"
                                              << fmt::format("{}", fmt::join(out, "\n"));
    auto calls = assembled(out);
    for (auto& [place, mine] : calls) {
      for (Call& call : mine) {
        if (server.habits.no_ids) {
          ASSERT_TRUE(call.id.starts_with("call_") && call.id.size() == 21) << call.id;
          call.id.clear();
        }
      }
    }
    ASSERT_EQ(calls, server.calls) << "seed " << seed << "\n"
                                   << fmt::format("{}", fmt::join(events, "\n")) << "\n->\n"
                                   << fmt::format("{}", fmt::join(out, "\n"));
    for (const auto& [place, text] : server.text) {
      ASSERT_EQ(checker.content(static_cast<std::int64_t>(place)), text);
    }
  }
  EXPECT_GT(mended_events, 5000U) << "the servers of this test are not sloppy enough";
}

TEST(StreamMender, made_up_ids_are_the_same_for_a_call_and_differ_between_calls_and_requests) {
  const std::string event =
      delta(R"("tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}])");
  const auto ids = [&](std::string_view seed) {
    StreamMender mender(seed);
    ChunkInspector inspector;
    const auto calls = assembled({mend_one(mender, inspector, event).data});
    return std::pair(calls.at(0).at(0).id, calls.at(0).at(1).id);
  };
  EXPECT_EQ(ids("a"), ids("a"));
  EXPECT_NE(ids("a").first, ids("a").second);
  EXPECT_NE(ids("a"), ids("b"));
}

}  // namespace
}  // namespace weir::openai

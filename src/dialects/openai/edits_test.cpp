#include "dialects/openai/edits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonMember;

std::string joined(std::string_view body, std::span<const Edit> edits) {
  std::vector<std::string_view> parts;
  slices(body, edits, parts);
  std::string text;
  for (const std::string_view part : parts) {
    EXPECT_FALSE(part.empty());
    text += part;
  }
  EXPECT_EQ(text.size(), edited_size(body, edits));
  return text;
}

std::string edited(std::string_view body, std::string_view model, bool include_usage) {
  const auto request = read_chat_request(body);
  EXPECT_TRUE(request) << body;
  if (!request) {
    return {};
  }
  EditList edits;
  if (include_usage) {
    edits.add(edit_include_usage(*request));
  }
  edits.add(edit_model(*request, model));
  return joined(body, edits.all());
}

TEST(Edits, the_model_is_replaced_where_it_stands) {
  EXPECT_EQ(edited(R"({"model" : "smart" ,"messages":[]})", "gpt-4o", false), R"({"model" : "gpt-4o" ,"messages":[]})");
  EXPECT_EQ(edited(R"({"messages":[],"mod\u0065l":null})", "gpt-4o", false),
            R"({"messages":[],"mod\u0065l":"gpt-4o"})");
  EXPECT_EQ(edited(R"({"messages":[],"model":""})", "gpt-4o", false), R"({"messages":[],"model":"gpt-4o"})");
}

TEST(Edits, an_absent_model_is_inserted_as_the_first_member) {
  EXPECT_EQ(edited(R"( { "messages":[]})", "gpt-4o", false), R"( {"model":"gpt-4o", "messages":[]})");
}

TEST(Edits, a_model_that_is_right_already_stays_as_it_is_spelled) {
  EXPECT_EQ(edited(R"({"model":"gpt\u002d4o","messages":[]})", "gpt-4o", false),
            R"({"model":"gpt\u002d4o","messages":[]})");
}

TEST(Edits, a_model_name_cannot_leave_its_string) {
  EXPECT_EQ(edited(R"({"model":"a","messages":[]})", "x\",\"n\":\"\\\n", false),
            R"({"model":"x\",\"n\":\"\\\n","messages":[]})");
}

TEST(Edits, usage_is_asked_for_whatever_was_there) {
  const auto with_usage = [](std::string_view body) { return edited(body, "m", true); };
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[]})"),
            R"({"stream_options":{"include_usage":true},"model":"m","messages":[]})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":null})"),
            R"({"model":"m","messages":[],"stream_options":{"include_usage":true}})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{}})"),
            R"({"model":"m","messages":[],"stream_options":{"include_usage":true}})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{ }})"),
            R"({"model":"m","messages":[],"stream_options":{"include_usage":true }})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{"a":1}})"),
            R"({"model":"m","messages":[],"stream_options":{"include_usage":true,"a":1}})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{"a":1,"include_usage" : false }})"),
            R"({"model":"m","messages":[],"stream_options":{"a":1,"include_usage" : true }})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{"include_us\u0061ge":null,"a":1}})"),
            R"({"model":"m","messages":[],"stream_options":{"include_us\u0061ge":true,"a":1}})");
  EXPECT_EQ(with_usage(R"({"model":"m","messages":[],"stream_options":{"include_usage":true}})"),
            R"({"model":"m","messages":[],"stream_options":{"include_usage":true}})");
}

TEST(Edits, two_insertions_at_one_place_are_both_there) {
  EXPECT_EQ(edited(R"({"messages":[]})", "gpt-4o", true),
            R"({"stream_options":{"include_usage":true},"model":"gpt-4o","messages":[]})");
}

TEST(Edits, a_list_sorts_by_place_and_keeps_the_order_at_one_place) {
  EditList edits;
  edits.add(Edit{5, 1, "c"});
  edits.add(Edit{0, 0, "a"});
  edits.add(std::nullopt);
  edits.add(Edit{9, 0, "d"});
  edits.add(Edit{0, 0, "b"});
  EXPECT_EQ(joined("012345678", edits.all()), "ab01234c678d");
}

TEST(Edits, a_body_without_edits_is_one_slice_and_is_not_copied) {
  const std::string_view body = "0123";
  std::vector<std::string_view> parts;
  slices(body, {}, parts);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].data(), body.data());
  EXPECT_EQ(parts[0].size(), body.size());
}

/// The members of an object with their exact bytes, in order.
std::vector<std::pair<std::string, std::string>> members_of(std::string_view object) {
  std::vector<std::pair<std::string, std::string>> members;
  const auto scanned = text::scan_object(object, [&](const JsonMember& member) {
    members.emplace_back(text::unescape_lossy(member.key_raw), std::string(member.value.raw));
  });
  EXPECT_TRUE(scanned) << object;
  return members;
}

void erase_all(std::vector<std::pair<std::string, std::string>>& members, std::string_view name) {
  std::erase_if(members, [&](const auto& member) { return member.first == name; });
}

std::map<std::string, std::string> odd_but_valid_bodies() {
  std::map<std::string, std::string> bodies;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_FIXTURES "/bodies")) {
    std::ifstream file(entry.path(), std::ios::binary);
    bodies[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return bodies;
}

TEST(Edits, odd_but_valid_bodies_keep_every_byte_outside_of_the_edited_spans) {
  const auto bodies = odd_but_valid_bodies();
  EXPECT_GE(bodies.size(), 40u);
  for (const auto& [name, body] : bodies) {
    const auto request = read_chat_request(body);
    ASSERT_TRUE(request) << name << ": " << request.error().message;
    EditList edits;
    edits.add(edit_model(*request, "up/stream \"1\""));
    edits.add(edit_include_usage(*request));
    const std::string after = joined(body, edits.all());

    // Undone from the back, the edits give the body again: nothing outside of them has changed.
    std::string undone = after;
    std::size_t growth = 0;
    std::vector<std::size_t> places;
    for (const Edit& edit : edits.all()) {
      places.push_back(edit.offset + growth);
      growth += edit.replacement.size() - edit.length;
    }
    for (std::size_t i = edits.all().size(); i-- > 0;) {
      const Edit& edit = edits.all()[i];
      ASSERT_EQ(undone.substr(places[i], edit.replacement.size()), edit.replacement) << name;
      undone.replace(places[i], edit.replacement.size(), body, edit.offset, edit.length);
    }
    EXPECT_EQ(undone, body) << name;

    // And by its members: model and stream_options mean what they should, every other member has its exact bytes.
    auto members_before = members_of(body);
    auto members_after = members_of(after);
    const auto model = text::find_member(after, "model");
    ASSERT_TRUE(model) << name;
    EXPECT_EQ(model->raw, R"("up/stream \"1\"")") << name;
    const auto options = text::find_member(after, "stream_options");
    ASSERT_TRUE(options && options->kind == text::JsonKind::object) << name;
    auto options_after = members_of(options->raw);
    EXPECT_EQ(std::ranges::count(options_after, std::pair<std::string, std::string>("include_usage", "true")), 1)
        << name;
    erase_all(options_after, "include_usage");
    const auto options_sent = text::find_member(body, "stream_options");
    if (options_sent && options_sent->kind == text::JsonKind::object) {
      auto options_before = members_of(options_sent->raw);
      erase_all(options_before, "include_usage");
      EXPECT_EQ(options_after, options_before) << name;
    } else {
      EXPECT_TRUE(options_after.empty()) << name;
    }
    for (auto* members : {&members_before, &members_after}) {
      erase_all(*members, "model");
      erase_all(*members, "stream_options");
    }
    EXPECT_EQ(members_after, members_before) << name;

    // What went up is read as the same request, and needs no further edit.
    const auto again = read_chat_request(after);
    ASSERT_TRUE(again) << name;
    EXPECT_EQ(again->model, "up/stream \"1\"") << name;
    EXPECT_TRUE(again->include_usage) << name;
    EXPECT_EQ(again->stream, request->stream) << name;
    EXPECT_EQ(again->max_tokens, request->max_tokens) << name;
    EXPECT_FALSE(edit_model(*again, "up/stream \"1\"")) << name;
    EXPECT_FALSE(edit_include_usage(*again)) << name;
  }
}

TEST(Edits, stream_options_are_taken_out_with_one_comma) {
  for (const auto& [body, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"({"model":"m","messages":[]})", R"({"model":"m","messages":[]})"},
           {R"({"messages":[],"stream_options":{"include_usage":true},"n":1})", R"({"messages":[],"n":1})"},
           {R"({"stream_options" : null , "messages":[]})", R"({ "messages":[]})"},
           {R"({ "messages":[] , "stream_options":{"a":"}","b":"\""} })", R"({ "messages":[]  })"},
           {R"({"messages":[],"stream\u005foptions":{},"x":"stream_options"})",
            R"({"messages":[],"x":"stream_options"})"},
       }) {
    const auto request = read_chat_request(body);
    ASSERT_TRUE(request) << body;
    EditList edits;
    edits.add(edit_no_stream_options(*request, body));
    EXPECT_EQ(joined(body, edits.all()), expected);
  }
}

TEST(Edits, no_wording_of_an_output_limit_passes_what_is_allowed) {
  for (const auto& [limits, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"("max_tokens":5)", R"("max_tokens":5)"},
           {R"("max_tokens":500)", R"("max_tokens":90)"},
           {R"("max_tokens":-1)", R"("max_tokens":90)"},
           {R"("max_tokens":0)", R"("max_tokens":1)"},
           {R"("max_tokens":null)", R"("max_tokens":90)"},
           {R"("max_completion_tokens":-7,"max_tokens":5)", R"("max_completion_tokens":90,"max_tokens":5)"},
           {R"("n_predict":-1,"max_tokens":5)", R"("n_predict":90,"max_tokens":5)"},
           {R"("n_predict":-1,"max_tokens":91,"max_completion_tokens":92)",
            R"("n_predict":90,"max_tokens":90,"max_completion_tokens":90)"},
           {R"("n_predict":7)", R"("max_tokens":90,"n_predict":7)"},
           {R"("temperature":0)", R"("max_tokens":90,"temperature":0)"},
       }) {
    const std::string body = "{" + limits + R"(,"messages":[]})";
    const auto request = read_chat_request(body);
    ASSERT_TRUE(request) << body;
    EditList edits;
    for (auto& edit : edit_output_limit(*request, 90, "max_tokens")) {
      edits.add(std::move(edit));
    }
    EXPECT_EQ(joined(body, edits.all()), "{" + expected + R"(,"messages":[]})");
  }
}

TEST(Edits, what_an_answer_may_have_is_the_highest_limit_that_its_caller_names) {
  const auto asked = [](const std::string& limits) {
    const auto request = read_chat_request("{" + limits + R"(,"messages":[]})");
    return request ? request->output_asked() : std::nullopt;
  };
  EXPECT_EQ(asked(R"("max_tokens":5,"max_completion_tokens":7)"), 7);
  EXPECT_EQ(asked(R"("max_tokens":5,"n_predict":9)"), 9);
  EXPECT_EQ(asked(R"("max_tokens":0)"), 1);
  EXPECT_EQ(asked(R"("max_tokens":5,"max_completion_tokens":-1)"), std::nullopt);
  EXPECT_EQ(asked(R"("max_tokens":5,"n_predict":-1)"), std::nullopt);
  EXPECT_EQ(asked(R"("n_predict":9)"), std::nullopt) << "to most servers that is no limit";
  EXPECT_EQ(asked(R"("max_tokens":null)"), std::nullopt);
}

}  // namespace
}  // namespace weir::openai

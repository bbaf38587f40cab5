#include "dialects/openai/request.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace weir::openai {
namespace {

using text::Span;

Request read(std::string_view body) {
  auto request = read_chat_request(body);
  EXPECT_TRUE(request) << body << ": " << (request ? "" : request.error().message);
  return request ? *std::move(request) : Request{};
}

TEST(Request, what_weir_reads_is_found_where_it_stands) {
  const std::string_view body =
      R"( {"n":2,"model":"smart","messages":[],"stream":true,"stream_options":{"include_usage":true},)"
      R"("max_tokens":10,"max_completion_tokens":20} )";
  const Request request = read(body);
  EXPECT_EQ(request.model, "smart");
  EXPECT_EQ(request.model_value->of(body), R"("smart")");
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.stream_options->of(body), R"({"include_usage":true})");
  EXPECT_TRUE(request.stream_options_is_object);
  EXPECT_EQ(request.include_usage_value->of(body), "true");
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.max_tokens, 10);
  EXPECT_EQ(request.max_completion_tokens, 20);
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.members_begin, 2u);
  EXPECT_TRUE(request.has_members);
}

TEST(Request, what_is_absent_or_null_has_its_default) {
  for (const std::string_view body :
       {R"({"messages":[]})", R"({"messages":[],"model":null,"stream":null,"stream_options":null,"max_tokens":null,)"
                              R"("max_completion_tokens":null,"n":null})"}) {
    const Request request = read(body);
    EXPECT_EQ(request.model, "");
    EXPECT_FALSE(request.stream);
    EXPECT_FALSE(request.stream_options_is_object);
    EXPECT_FALSE(request.include_usage);
    EXPECT_FALSE(request.max_tokens || request.max_completion_tokens || request.n);
  }
  EXPECT_FALSE(read(R"({"messages":[]})").model_value);
  EXPECT_TRUE(read(R"({"messages":[],"model":null})").model_value);
}

TEST(Request, keys_count_by_their_unescaped_names) {
  const std::string_view body = R"({"m\u006fdel":"sm\u0061rt","messag\u0065s":[],"str\u0065am":true})";
  const Request request = read(body);
  EXPECT_EQ(request.model, "smart");
  EXPECT_EQ(request.model_value->of(body), R"("sm\u0061rt")");
  EXPECT_TRUE(request.stream);
}

TEST(Request, keys_inside_of_other_values_do_not_count) {
  const Request request = read(R"({"messages":[{"model":"x","stream":true}],"metadata":{"model":"x","n":9}})");
  EXPECT_FALSE(request.model_value);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.n);
}

TEST(Request, integers_may_be_spelled_oddly_and_be_huge) {
  EXPECT_EQ(read(R"({"messages":[],"max_tokens":1e2})").max_tokens, 100);
  EXPECT_EQ(read(R"({"messages":[],"n":1.0})").n, 1);
  EXPECT_EQ(read(R"({"messages":[],"max_tokens":99999999999999999999})").max_tokens,
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(read(R"({"messages":[],"max_tokens":-99999999999999999999})").max_tokens,
            std::numeric_limits<std::int64_t>::min());
}

struct Refusal {
  std::string_view body;
  std::string_view code;
  std::string_view param;
  std::string_view message;
};

TEST(Request, what_is_wrong_is_named_in_openais_words) {
  for (const Refusal& c : {
           Refusal{"", "", "", "The body is not a JSON object: the document ends too early at byte 0."},
           Refusal{"[]", "", "", "The body is not a JSON object: an object is expected at byte 0."},
           Refusal{R"({"messages":[],})", "", "",
                   "The body is not a JSON object: a member's name in double quotes is expected at byte 15."},
           // Grammar comes before meaning.
           Refusal{R"({"model":1,"model":2]})", "", "",
                   "The body is not a JSON object: a comma or a closing brace is expected at byte 20."},
           Refusal{"{}", "missing_required_parameter", "messages", "Missing required parameter: 'messages'."},
           Refusal{R"({"model":"smart"})", "missing_required_parameter", "messages",
                   "Missing required parameter: 'messages'."},
           Refusal{R"({"messages":"Hi"})", "invalid_type", "messages",
                   "Invalid type for 'messages': expected an array of objects, but got a string instead."},
           Refusal{R"({"messages":null})", "invalid_type", "messages",
                   "Invalid type for 'messages': expected an array of objects, but got null instead."},
           Refusal{R"({"messages":[],"model":5})", "invalid_type", "model",
                   "Invalid type for 'model': expected a string, but got a number instead."},
           Refusal{R"({"messages":[],"model":["a"]})", "invalid_type", "model",
                   "Invalid type for 'model': expected a string, but got an array instead."},
           Refusal{R"({"messages":[],"model":"\ud800"})", "invalid_value", "model",
                   "Invalid value for 'model': it holds half of a surrogate pair."},
           Refusal{R"({"messages":[],"stream":"true"})", "invalid_type", "stream",
                   "Invalid type for 'stream': expected a boolean, but got a string instead."},
           Refusal{R"({"messages":[],"stream":1})", "invalid_type", "stream",
                   "Invalid type for 'stream': expected a boolean, but got a number instead."},
           Refusal{R"({"messages":[],"stream_options":true})", "invalid_type", "stream_options",
                   "Invalid type for 'stream_options': expected an object, but got a boolean instead."},
           Refusal{R"({"messages":[],"stream_options":{"include_usage":"yes"}})", "invalid_type",
                   "stream_options.include_usage",
                   "Invalid type for 'stream_options.include_usage': expected a boolean, but got a string instead."},
           Refusal{R"({"messages":[],"max_tokens":"10"})", "invalid_type", "max_tokens",
                   "Invalid type for 'max_tokens': expected an integer, but got a string instead."},
           Refusal{R"({"messages":[],"max_completion_tokens":1.5})", "invalid_type", "max_completion_tokens",
                   "Invalid type for 'max_completion_tokens': expected an integer, but got a number instead."},
           Refusal{R"({"messages":[],"n":{}})", "invalid_type", "n",
                   "Invalid type for 'n': expected an integer, but got an object instead."},
       }) {
    const auto request = read_chat_request(c.body);
    ASSERT_FALSE(request) << c.body;
    EXPECT_EQ(request.error().message, c.message) << c.body;
    EXPECT_EQ(request.error().code, c.code) << c.body;
    EXPECT_EQ(request.error().param, c.param) << c.body;
  }
}

TEST(Request, a_second_spelling_of_a_key_that_weir_reads_is_refused_by_name) {
  for (const std::string_view name :
       {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}) {
    for (const bool escaped : {false, true}) {
      // The first letter of the second spelling as an escape.
      const std::string second =
          escaped ? fmt::format("\\u{:04x}{}", static_cast<int>(name.front()), name.substr(1)) : std::string(name);
      const std::string body = fmt::format(R"({{"messages":[],"{}":null,"x":1,"{}":null}})", name, second);
      const auto request = read_chat_request(body);
      ASSERT_FALSE(request) << body;
      EXPECT_EQ(request.error().param, name) << body;
      EXPECT_EQ(request.error().code, "invalid_value") << body;
      EXPECT_EQ(request.error().message, fmt::format("Invalid value for '{}': it is given more than once.", name));
    }
  }
  const auto inner =
      read_chat_request(R"({"messages":[],"stream_options":{"include_usage":true,"include\u005fusage":false}})");
  ASSERT_FALSE(inner);
  EXPECT_EQ(inner.error().param, "stream_options.include_usage");
}

TEST(Request, a_second_spelling_of_any_other_key_passes) {
  EXPECT_TRUE(read_chat_request(R"({"messages":[],"user":"a","user":"b","temperature":0,"t\u0065mperature":1})"));
}

TEST(Request, deep_bodies_are_refused_without_harm) {
  std::string body = R"({"messages":[)";
  body.append(3000, '[');
  body.append(3000, ']');
  body += "]}";
  const auto request = read_chat_request(body);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().message, "The body is not a JSON object: too many values inside one another at byte 523.");
}

}  // namespace
}  // namespace weir::openai

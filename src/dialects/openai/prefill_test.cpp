#include "dialects/openai/prefill.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::openai {
namespace {

/// The body as it goes up; "none" where nothing is edited.
std::string prefilled(std::string_view body, Prefill how, std::string_view text = "Once \"upon\"") {
  const auto request = read_chat_request(body);
  EXPECT_TRUE(request.has_value());
  const std::vector<Edit> edits = edit_prefill(*request, body, text, how);
  if (edits.empty()) {
    return "none";
  }
  EditList list;
  for (const Edit& edit : edits) {
    list.add(edit);
  }
  std::vector<std::string_view> parts;
  slices(body, list.all(), parts);
  std::string out;
  for (const std::string_view part : parts) {
    out += part;
  }
  EXPECT_TRUE(text::scan_document(out)) << out;
  return out;
}

TEST(Prefill, the_beginning_is_the_last_message) {
  const std::string_view body = R"({"model":"m","messages":[{"role":"user","content":"Hi"} ],"stream":true})";
  EXPECT_EQ(
      prefilled(body, Prefill::last_message),
      R"({"model":"m","messages":[{"role":"user","content":"Hi"} ,{"role":"assistant","content":"Once \"upon\""}],"stream":true})");
  EXPECT_EQ(
      prefilled(body, Prefill::prefix_echoed),
      R"({"model":"m","messages":[{"role":"user","content":"Hi"} ,{"role":"assistant","content":"Once \"upon\"","prefix":true}],"stream":true})");
  EXPECT_EQ(
      prefilled(body, Prefill::continue_final),
      R"({"add_generation_prompt":false,"continue_final_message":true,"model":"m","messages":[{"role":"user","content":"Hi"} ,{"role":"assistant","content":"Once \"upon\""}],"stream":true})");
  EXPECT_EQ(prefilled(body, Prefill::none), "none");
}

TEST(Prefill, is_not_tried_where_another_answer_would_come) {
  for (const std::string_view body : {
           R"({"messages":[]})",
           R"({"messages":[{"role":"user"},{"role":"assistant","content":"So"}]})",
           R"({"messages":[{"role":"user"},{"role":"\u0061ssistant","content":"So"}]})",
           R"({"messages":[{"content":"x"}]})",
           R"({"messages":[{"role":"user"}],"n":2})",
           R"({"messages":[{"role":"user"}],"response_format":{"type":"json_object"}})",
           R"({"messages":[{"role":"user"}],"grammar":"root ::= x"})",
           R"({"messages":[{"role":"user"}],"logprobs":true})",
       }) {
    EXPECT_EQ(prefilled(body, Prefill::last_message), "none") << body;
  }
  EXPECT_NE(prefilled(R"({"messages":[{"role":"user"}],"n":1,"response_format":null,"logprobs":false})",
                      Prefill::last_message),
            "none");
}

}  // namespace
}  // namespace weir::openai

#include "dialects/openai/errors.hpp"

#include <gtest/gtest.h>

#include <string>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

TEST(OpenAiErrors, the_object_always_has_its_four_keys) {
  EXPECT_EQ(
      error_body("No \"x\".", "invalid_request_error", "messages", "invalid_type"),
      R"({"error":{"message":"No \"x\".","type":"invalid_request_error","param":"messages","code":"invalid_type"}})");
  EXPECT_EQ(error_body("m", "server_error", std::nullopt, std::nullopt),
            R"({"error":{"message":"m","type":"server_error","param":null,"code":null}})");
}

TEST(OpenAiErrors, an_event_is_one_line_whatever_the_message_holds) {
  const std::string event =
      error_event("two\nlines\r\n\ndata: [DONE]\n\n", "server_error", std::nullopt, "upstream_broken");
  EXPECT_EQ(event, R"(data: {"error":{"message":"two\nlines\r\n\ndata: [DONE]\n\n","type":"server_error","param":null,)"
                   R"("code":"upstream_broken"}})"
                   "\n\n");
  EXPECT_EQ(event.find_first_of("\r\n"), event.size() - 2);
}

TEST(OpenAiErrors, an_error_of_ours_never_shows_the_providers_words) {
  const Error error{Code::upstream_credentials, "The provider refused weir's key.", "bad key sk-secret"};
  EXPECT_EQ(error_body(error),
            R"({"error":{"message":"The provider refused weir's key.","type":"server_error","param":null,)"
            R"("code":"upstream_credentials"}})");
  EXPECT_EQ(error_event(error), "data: " + error_body(error) + "\n\n");
}

TEST(OpenAiErrors, a_refused_request_names_its_param) {
  EXPECT_EQ(error_body(RequestError{"m", "invalid_type", "model"}),
            R"({"error":{"message":"m","type":"invalid_request_error","param":"model","code":"invalid_type"}})");
  EXPECT_EQ(error_body(RequestError{"m", "", ""}),
            R"({"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}})");
}

TEST(OpenAiErrors, each_code_has_its_status_and_shape) {
  struct Row {
    Code code;
    int status;
    std::string_view type;
    std::string_view wire_code;
  };
  for (const Row& row : {
           Row{Code::invalid_request, 400, "invalid_request_error", ""},
           Row{Code::model_required, 400, "invalid_request_error", "model_required"},
           Row{Code::model_not_found, 404, "invalid_request_error", "model_not_found"},
           Row{Code::not_found, 404, "invalid_request_error", ""},
           Row{Code::method_not_allowed, 405, "invalid_request_error", "method_not_supported"},
           Row{Code::conflict, 409, "invalid_request_error", "conflict"},
           Row{Code::body_too_large, 413, "invalid_request_error", "body_too_large"},
           Row{Code::unauthenticated, 401, "invalid_request_error", "invalid_api_key"},
           Row{Code::missing_api_key, 401, "invalid_request_error", "missing_api_key"},
           Row{Code::inactive_api_key, 401, "invalid_request_error", "inactive_api_key"},
           Row{Code::expired_api_key, 401, "invalid_request_error", "expired_api_key"},
           Row{Code::model_not_allowed, 403, "invalid_request_error", "model_not_allowed"},
           Row{Code::endpoint_not_allowed, 403, "invalid_request_error", "endpoint_not_allowed"},
           Row{Code::ip_not_allowed, 403, "invalid_request_error", "ip_not_allowed"},
           Row{Code::overloaded, 503, "service_unavailable_error", "server_is_overloaded"},
           Row{Code::shutting_down, 503, "service_unavailable_error", "shutting_down"},
           Row{Code::store_unavailable, 503, "service_unavailable_error", "store_unavailable"},
           Row{Code::internal, 500, "server_error", "internal_error"},
           Row{Code::upstream_unreachable, 502, "server_error", "upstream_unreachable"},
           Row{Code::upstream_timeout, 504, "server_error", "upstream_timeout"},
           Row{Code::upstream_malformed, 502, "server_error", "upstream_malformed"},
           Row{Code::upstream_broken, 502, "server_error", "upstream_broken"},
           Row{Code::upstream_error, 502, "server_error", "upstream_error"},
           Row{Code::upstream_credentials, 502, "server_error", "upstream_credentials"},
           Row{Code::upstream_certificate, 502, "server_error", "upstream_certificate"},
           Row{Code::timeout, 500, "server_error", "internal_error"},
       }) {
    const ErrorShape shape = shape_of(row.code);
    EXPECT_EQ(shape.status, row.status) << to_string(row.code);
    EXPECT_EQ(shape.type, row.type) << to_string(row.code);
    EXPECT_EQ(shape.code, row.wire_code) << to_string(row.code);
  }
}

TEST(OpenAiErrors, the_side_to_blame_is_told_by_the_status) {
  for (int i = 0; i <= static_cast<int>(Code::upstream_certificate); ++i) {
    const auto code = static_cast<Code>(i);
    const ErrorShape shape = shape_of(code);
    EXPECT_TRUE(shape.status >= 400 && shape.status < 600) << to_string(code);
    EXPECT_FALSE(shape.type.empty()) << to_string(code);
    if (to_string(code).starts_with("upstream_")) {
      EXPECT_TRUE(shape.status == 502 || shape.status == 504) << to_string(code);
      EXPECT_EQ(shape.code, to_string(code));
    }
  }
}

std::optional<ReportedError> reported(std::string_view body) {
  const auto value = text::find_member(body, "error");
  EXPECT_TRUE(value) << body;
  return read_error(*value, body);
}

TEST(OpenAiErrors, a_reported_error_is_read_in_its_usual_forms) {
  const std::string_view body =
      R"({"error":{"message":"Slow \u0064own","type":"requests","param":null,"code":"rate_limit_exceeded"}})";
  const auto error = reported(body);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "Slow down");
  EXPECT_EQ(error->type, "requests");
  EXPECT_EQ(error->code, "rate_limit_exceeded");
  EXPECT_EQ(error->span.offset, 9u);
  EXPECT_EQ(error->span.end(), body.size() - 1);

  EXPECT_EQ(reported(R"({"error":{"code":429}})")->code, "429");
  EXPECT_EQ(reported(R"({"error":"out of memory"})")->message, "out of memory");
  EXPECT_EQ(reported(R"({"error":{"message":"\ud800"}})")->message, "\xef\xbf\xbd");
  EXPECT_EQ(reported(R"({"error":{"message":{"nested":1}}})")->message, "");
}

TEST(OpenAiErrors, only_a_truthy_error_is_one) {
  for (const std::string_view body :
       {R"({"error":null})", R"({"error":false})", R"({"error":0})", R"({"error":-0.0})", R"({"error":""})"}) {
    EXPECT_FALSE(reported(body)) << body;
  }
  for (const std::string_view body : {R"({"error":true})", R"({"error":1})", R"({"error":1e999})", R"({"error":" "})",
                                      R"({"error":{}})", R"({"error":[]})"}) {
    EXPECT_TRUE(reported(body)) << body;
  }
}

}  // namespace
}  // namespace weir::openai

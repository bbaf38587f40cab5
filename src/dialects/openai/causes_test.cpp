#include "dialects/openai/causes.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace weir::openai {
namespace {

using llm::Cause;

/// A body as it was seen, and what it means. The rules name their sources; where a body has none of its own here, it
/// was written after the provider's page.
struct Recorded {
  int status;
  std::string_view body;
  Cause cause;
};

constexpr std::
    array
        recorded{
            // OpenAI
            Recorded{
                400,
                R"({"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"Unrecognized request argument supplied: foo","type":"invalid_request_error","param":null,"code":null}})",
                Cause::callers_fault},
            Recorded{
                400,
                R"({"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}})",
                Cause::unsupported},
            Recorded{
                400,
                R"({"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}})",
                Cause::unsupported},
            Recorded{
                404,
                R"({"error":{"message":"This is not a chat model.","type":"invalid_request_error","param":"model","code":"unsupported_model"}})",
                Cause::unsupported},
            Recorded{
                400,
                R"({"error":{"message":"Your request was rejected as a result of our safety system.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}})",
                Cause::content_policy},
            Recorded{
                400,
                R"({"error":{"message":"Your request was rejected.","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}})",
                Cause::content_policy},
            Recorded{
                400,
                R"({"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}})",
                Cause::content_policy},
            Recorded{
                401,
                R"({"error":{"message":"Incorrect API key provided: sk-ab*****cd. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
                Cause::credential},
            Recorded{
                401,
                R"({"error":{"message":"You didn't provide an API key.","type":"invalid_request_error","param":null,"code":null}})",
                Cause::credential},
            Recorded{
                401,
                R"({"error":{"message":"Your account has been deactivated.","type":"invalid_request_error","param":null,"code":"account_deactivated"}})",
                Cause::credential},
            Recorded{
                403,
                R"({"error":{"message":"Country, region, or territory not supported","type":"request_forbidden","param":null,"code":"unsupported_country_region_territory"}})",
                Cause::credential},
            Recorded{
                403,
                R"({"error":{"message":"Project `proj_1` does not have access to model `gpt-4o`","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
                Cause::model_missing},
            Recorded{
                404,
                R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
                Cause::model_missing},
            Recorded{
                429,
                R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.","type":"requests","param":null,"code":"rate_limit_exceeded"}})",
                Cause::rate},
            Recorded{
                429,
                R"({"error":{"message":"Your traffic grew too fast.","type":"rate_limit_error","param":null,"code":"slow_down"}})",
                Cause::rate},
            Recorded{
                429,
                R"({"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
                Cause::key_quota},
            Recorded{
                429,
                R"({"error":{"message":"Your credit balance is used up.","type":"insufficient_quota","param":null,"code":"credit_balance_exhausted"}})",
                Cause::key_quota},
            Recorded{
                429,
                R"({"error":{"message":"The organization has reached its limit.","type":"insufficient_quota","param":null,"code":"organization_spend_limit_exceeded"}})",
                Cause::key_quota},
            Recorded{
                429,
                R"({"error":{"message":"The project has reached its limit.","type":"insufficient_quota","param":null,"code":"project_spend_limit_exceeded"}})",
                Cause::key_quota},
            Recorded{
                429,
                R"({"error":{"message":"The organization has reached its limit.","type":"insufficient_quota","param":null,"code":"organization_usage_limit_exceeded"}})",
                Cause::key_quota},
            Recorded{
                400,
                R"({"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","param":null,"code":"billing_hard_limit_reached"}})",
                Cause::key_quota},
            Recorded{
                500,
                R"({"error":{"message":"The server had an error while processing your request. Sorry about that!","type":"server_error","param":null,"code":null}})",
                Cause::overload},
            Recorded{
                503,
                R"({"error":{"message":"The engine is currently overloaded, please try again later","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}})",
                Cause::overload},
            Recorded{502, "<html><head><title>502 Bad Gateway</title></head></html>", Cause::overload},
            Recorded{413, "<html><body>Payload too large</body></html>", Cause::callers_fault},
            Recorded{408, "", Cause::slow},

            // Azure
            Recorded{
                400,
                R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":true,"severity":"high"}}}}})",
                Cause::content_policy},
            Recorded{
                400,
                R"({"error":{"message":"The prompt was filtered.","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}})",
                Cause::content_policy},
            Recorded{
                401,
                R"({"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}})",
                Cause::credential},
            Recorded{403,
                     R"({"error":{"code":"403","message":"Access denied due to Virtual Network/Firewall rules."}})",
                     Cause::credential},
            Recorded{
                404,
                R"({"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}})",
                Cause::model_missing},
            Recorded{
                429,
                R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 23 seconds."}})",
                Cause::rate},
            Recorded{429,
                     R"({"error":{"code":"RateLimitReached","message":"Your requests have exceeded the rate limit."}})",
                     Cause::rate},
            Recorded{429, R"({"error":{"code":"too_many_requests","message":"Too many requests."}})", Cause::rate},
            Recorded{500, R"({"error":{"code":"InternalServerError","message":"Internal server error"}})",
                     Cause::overload},

            // Groq
            Recorded{
                400,
                R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"Failed to call a function. Please adjust your prompt.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=f>"}})",
                Cause::callers_fault},
            Recorded{
                400,
                R"({"error":{"message":"The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}})",
                Cause::model_missing},
            Recorded{
                400,
                R"({"error":{"message":"Organization has been restricted. Please reach out to support if you believe this was in error.","type":"invalid_request_error","code":"organization_restricted"}})",
                Cause::credential},
            Recorded{
                403,
                R"({"error":{"message":"The model `x` is blocked at the project level.","type":"permissions_error","code":"model_permission_blocked_project"}})",
                Cause::model_missing},
            Recorded{
                403,
                R"({"error":{"message":"The model `x` is blocked at the organization level.","type":"permissions_error","code":"model_permission_blocked_org"}})", Cause::model_missing},
            Recorded{
                400,
                R"({"error":{"message":"The model `x` requires terms acceptance.","type":"invalid_request_error","code":"model_terms_required"}})",
                Cause::model_missing},
            Recorded{
                400,
                R"({"error":{"message":"'messages.1' : property 'logprobs' is not supported","type":"invalid_request_error"}})",
                Cause::unsupported},
            Recorded{
                413,
                R"({"error":{"message":"Request too large for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}})",
                Cause::rate},
            Recorded{
                429,
                R"({"error":{"message":"Rate limit reached for model `llama-3.1-8b-instant` on tokens per day (TPD): Limit 500000, Used 500000. Please try again in 9m38.016s.","type":"tokens","code":"rate_limit_exceeded"}})",
                Cause::rate},
            Recorded{
                498,
                R"({"error":{"message":"Flex tier capacity exceeded","type":"capacity_exceeded","code":"capacity_exceeded"}})",
                Cause::overload},
            Recorded{
                400,
                R"({"error":{"message":"Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000","type":"invalid_request_error","param":"messages","code":"wrong_api_format"}})",
                Cause::context_window},

            // Mistral
            Recorded{
                400,
                R"({"object":"error","message":"Prompt contains 40149 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","param":null,"code":"3051"})",
                Cause::context_window},
            Recorded{
                400,
                R"({"object":"error","message":"Prompt contains 40149 tokens, too large for model with 32768 tokens","type":"invalid_request_prompt","param":null,"code":"3051"})",
                Cause::context_window},
            Recorded{
                400,
                R"({"object":"error","message":"Invalid model: mistral-huge","type":"invalid_model","param":null,"code":"1500"})",
                Cause::model_missing},
            Recorded{
                400,
                R"({"object":"error","message":"Tool call id has to be 9 characters","type":"invalid_request_message_order","param":null,"code":"3280"})",
                Cause::callers_fault},
            Recorded{401, R"({"message":"Unauthorized","request_id":"1"})", Cause::credential},
            Recorded{
                422,
                R"({"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted","type":"extra_forbidden"}]})",
                Cause::callers_fault},
            Recorded{429, R"({"message":"Requests rate limit exceeded","request_id":"1"})", Cause::rate},
            Recorded{
                429,
                R"({"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"})",
                Cause::rate},
            Recorded{
                429,
                R"({"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"})",
                Cause::overload},

            // DeepSeek
            Recorded{
                402,
                R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}})",
                Cause::key_quota},
            Recorded{429, R"({"error":{"message":"Insufficient balance in the account","type":"limit","code":"429"}})",
                     Cause::key_quota},
            Recorded{
                400,
                R"({"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}})",
                Cause::content_policy},
            Recorded{
                400,
                R"({"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}})",
                Cause::model_missing},
            Recorded{422,
                     R"({"error":{"message":"Failed to deserialize the JSON body","type":"invalid_request_error"}})",
                     Cause::callers_fault},

            // OpenRouter
            Recorded{
                402,
                R"({"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 27342.","code":402,"metadata":{"provider_name":null}},"user_id":"user_1"})",
                Cause::key_quota},
            Recorded{
                200,
                R"({"error":{"message":"Insufficient credits","code":402,"metadata":{"error_type":"payment_required"}}})",
                Cause::key_quota},
            Recorded{
                200,
                R"({"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"z-ai/glm-5.3-flash is temporarily rate-limited upstream. Please retry shortly","provider_name":"BaseTen"}}})",
                Cause::rate},
            Recorded{
                200,
                R"({"error":{"message":"Provider returned error","code":503,"metadata":{"error_type":"provider_overloaded"}}})",
                Cause::overload},
            Recorded{200, R"({"error":{"message":"Provider returned error","code":502}})", Cause::overload},
            Recorded{
                400,
                R"({"error":{"message":"This endpoint's maximum context length is 131072 tokens. However, you requested about 139162 tokens.","code":400,"metadata":{"error_type":"context_length_exceeded"}}})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"Too many tokens","code":400,"metadata":{"error_type":"token_limit_exceeded"}}})",
                Cause::context_window},
            Recorded{400, R"({"error":{"message":"openai/gpt-99 is not a valid model ID","code":400}})",
                     Cause::model_missing},
            Recorded{400, R"({"error":{"message":"The model refused","code":400,"metadata":{"error_type":"refusal"}}})",
                     Cause::content_policy},
            Recorded{
                403,
                R"({"error":{"message":"Input was flagged by moderation","code":403,"metadata":{"reasons":["violence"],"flagged_input":"..."}}})",
                Cause::content_policy},
            Recorded{404, R"({"error":{"message":"No endpoints found that support tool use.","code":404}})",
                     Cause::unsupported},
            Recorded{408, R"({"error":{"message":"Request timed out","code":408}})", Cause::slow},

            // Servers of one's own, and other companies
            Recorded{
                400,
                R"({"object":"error","message":"This model's maximum context length is 6048 tokens. However, you requested 6616 tokens (568 in the messages, 6048 in the completion). Please reduce the length of the messages or completion.","type":"BadRequestError","param":null,"code":400})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"The decoder prompt (length 163840) is longer than the maximum model length of 131072. Make sure that `max_model_len` is no smaller than the number of text tokens plus multimodal tokens.","type":"BadRequestError","param":null,"code":400}})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"The prompt (total length 25938) is too long to fit into the model (context length 4096).","type":"BadRequestError","param":null,"code":400}})",
                Cause::context_window},
            Recorded{
                400,
                R"({"error":{"message":"This model does not support image inputs","type":"BadRequestError","param":null,"code":400}})",
                Cause::unsupported},
            Recorded{
                404,
                R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}})",
                Cause::model_missing},
            Recorded{
                400,
                R"({"error":{"code":400,"message":"request (4097 tokens) exceeds the available context size (512 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":4097,"n_ctx":512}})",
                Cause::context_window},
            Recorded{503, R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
                     Cause::overload},
            Recorded{
                501,
                R"({"error":{"code":501,"message":"This server does not support embeddings.","type":"not_supported_error"}})",
                Cause::unsupported},
            Recorded{401, R"({"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}})",
                     Cause::credential},
            Recorded{
                400,
                R"({"error":{"code":400,"message":"Assistant response prefill is incompatible with enable_thinking.","type":"invalid_request_error"}})",
                Cause::unsupported},
            Recorded{
                400,
                R"({"error":{"code":400,"message":"Cannot have 2 or more assistant messages at the end of the list: two or more assistant messages","type":"invalid_request_error"}})",
                Cause::unsupported},
            Recorded{
                400,
                R"({"error":{"message":"This model does not support assistant message prefill. The conversation must end with a user message.","type":"invalid_request_error"}})",
                Cause::unsupported},
            Recorded{
                400,
                R"({"object":"error","message":"The input (5120 tokens) is longer than the model's context length (4096 tokens).","type":"BadRequestError","param":null,"code":400})",
                Cause::context_window},
            Recorded{
                400,
                R"({"object":"error","type":"invalid_request_error","code":"invalid_request_error","message":"The prompt is too long: 264613, model maximum context length: 262141"})",
                Cause::context_window},
            Recorded{400, R"({"error":{"message":"prompt is too long","type":"invalid_request_error"}})",
                     Cause::context_window},
            Recorded{
                400,
                R"({"code":"Client specified an invalid argument","error":"Incorrect API key provided: sk***YA. You can obtain an API key from https://console.x.ai."})",
                Cause::credential},
            Recorded{
                400,
                R"({"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 201234 tokens."})",
                Cause::context_window},
            Recorded{
                422,
                R"({"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2019 `inputs` tokens and 30 `max_new_tokens`","type":"invalid_request_error","param":null,"code":null}})", Cause::context_window},
            Recorded{
                400,
                R"({"error":"Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded with context length of only 7866 tokens, which is not enough."})",
                Cause::context_window},
            Recorded{498, R"({"message":"invalid api token"})", Cause::credential},

            // Inside of a success
            Recorded{
                200,
                R"({"error":{"message":"The prompt is wrong.","type":"invalid_request_error","param":null,"code":null}})",
                Cause::callers_fault},
            Recorded{
                200,
                R"({"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}})",
                Cause::overload},
            Recorded{200, R"({"error":{"message":"boom"}})", Cause::overload},
        };

TEST(Causes, of_recorded_errors) {
  for (const Recorded& one : recorded) {
    EXPECT_EQ(cause_of(one.status, read_error_words(one.body)), one.cause)
        << one.status << " " << one.body << " is taken for "
        << llm::to_string(cause_of(one.status, read_error_words(one.body)));
  }
}

TEST(Causes, every_rule_decides_about_a_recorded_error_and_names_its_source) {
  std::set<const CauseRule*> met;
  for (const Recorded& one : recorded) {
    met.insert(rule_of(one.status, read_error_words(one.body)));
  }
  for (const CauseRule& rule : cause_rules()) {
    EXPECT_TRUE(met.contains(&rule)) << rule.status << " " << rule.word << " " << rule.message;
    EXPECT_FALSE(rule.source.empty());
  }
}

TEST(Causes, of_bodies_that_say_nothing_follow_the_status) {
  constexpr std::array<std::pair<int, Cause>, 14> expected{{{400, Cause::callers_fault},
                                                            {409, Cause::callers_fault},
                                                            {413, Cause::callers_fault},
                                                            {422, Cause::callers_fault},
                                                            {401, Cause::credential},
                                                            {402, Cause::key_quota},
                                                            {403, Cause::credential},
                                                            {404, Cause::model_missing},
                                                            {408, Cause::slow},
                                                            {429, Cause::rate},
                                                            {500, Cause::overload},
                                                            {501, Cause::unsupported},
                                                            {503, Cause::overload},
                                                            {529, Cause::overload}}};
  for (const std::string_view body :
       {"", "<html>", "[]", "{}", R"({"error":null})", R"({"error":[]})", "{\"error\":", "null"}) {
    for (const auto& [status, cause] : expected) {
      EXPECT_EQ(cause_of(status, read_error_words(body)), cause) << status << " " << body;
    }
  }
}

TEST(Causes, of_an_error_inside_of_a_success_tell_the_status_that_it_is_worth) {
  const auto worth = [](std::string_view body) { return status_of(200, read_error_words(body)); };
  EXPECT_EQ(worth(R"({"error":{"message":"x","code":429}})"), 429);
  EXPECT_EQ(worth(R"({"error":{"message":"x","code":"503"}})"), 503);
  EXPECT_EQ(worth(R"({"error":{"message":"x","code":"context_length_exceeded"}})"), 400);
  EXPECT_EQ(worth(R"({"error":{"message":"x","code":"model_not_found"}})"), 404);
  EXPECT_EQ(worth(R"({"error":{"message":"x"}})"), 0);
  EXPECT_EQ(worth(R"({"error":{"message":"x","code":7}})"), 0);
  EXPECT_EQ(status_of(503, {}), 503);
}

TEST(Causes, read_the_words_whatever_their_shape) {
  EXPECT_EQ(read_error_words(R"({"error":"no"})").message, "no");
  EXPECT_EQ(read_error_words(R"({"message":"no","code":7})").code, "7");
  EXPECT_EQ(read_error_words(R"({"detail":"no"})").message, "no");
  EXPECT_EQ(read_error_words(R"({"detail":[{"msg":"no"},{"msg":"yes"}]})").message, "no");
  EXPECT_EQ(read_error_words(R"({"error":{"m\u0065ssage":"n\u006f"}})").message, "no");
}

}  // namespace
}  // namespace weir::openai

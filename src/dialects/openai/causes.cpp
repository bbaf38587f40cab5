#include "dialects/openai/causes.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "text/json_value.hpp"

namespace weir::openai {

namespace {

using llm::Cause;
using text::JsonKind;
using text::JsonMember;
using text::JsonValue;

constexpr std::string_view guide = "OpenAI, error guide and API, 2026-08";
constexpr std::string_view azure = "Azure OpenAI, REST reference and observed, 2026-08";
constexpr std::string_view groq = "Groq, errors page, 2026-08";
constexpr std::string_view mistral = "Mistral, observed, 2026-08";
constexpr std::string_view deepseek = "DeepSeek, error codes page; github.com/Aider-AI/aider/issues/4851";
constexpr std::string_view openrouter = "OpenRouter, errors page, 2026-08";
constexpr std::string_view vllm = "vLLM, github.com/ogx-ai/ogx/issues/4534, github.com/thu-coai/Glyph/issues/9";
constexpr std::string_view llama_cpp = "llama.cpp server, 2026-08";

// From the special to the general. What is not here is decided by the status, in cause_of_status().
constexpr std::array rules{
    // The request is too long for the model. No server but OpenAI's own keeps to one word for it.
    CauseRule{.word = "context_length_exceeded", .cause = Cause::context_window, .source = guide},
    CauseRule{.word = "exceed_context_size_error", .cause = Cause::context_window, .source = llama_cpp},
    CauseRule{.word = "token_limit_exceeded", .cause = Cause::context_window, .source = openrouter},
    CauseRule{.status = 400, .message = "maximum context length", .cause = Cause::context_window, .source = vllm},
    CauseRule{.status = 400,
              .message = "longer than the maximum model length",
              .cause = Cause::context_window,
              .source = vllm},
    CauseRule{.status = 400,
              .message = "too long to fit into the model",
              .cause = Cause::context_window,
              .source = "vLLM, github.com/vllm-project/vllm/issues/12165"},
    CauseRule{.status = 400,
              .message = "longer than the model's context length",
              .cause = Cause::context_window,
              .source = "SGLang, tokenizer_manager.py, 2026-08"},
    CauseRule{.status = 400,
              .message = "prompt is too long",
              .cause = Cause::context_window,
              .source = "Fireworks, github.com/warpdotdev/warp/issues/15402"},
    CauseRule{.status = 400,
              .message = "reduce the length of the messages",
              .cause = Cause::context_window,
              .source = "Groq and Cerebras, github.com/cline/cline/issues/5140"},
    CauseRule{.status = 400,
              .message = "maximum prompt length",
              .cause = Cause::context_window,
              .source = "xAI, observed, 2026-08"},
    CauseRule{.status = 400,
              .message = "tokens when context",
              .cause = Cause::context_window,
              .source = "LM Studio, github.com/cline/cline/issues/3664"},
    CauseRule{.message = "`inputs` tokens + `max_new_tokens` must be <=",
              .cause = Cause::context_window,
              .source = "Together, github.com/stanford-crfm/helm/pull/2079"},
    CauseRule{.status = 400, .message = "too large for model with", .cause = Cause::context_window, .source = mistral},

    // The provider will not answer this.
    CauseRule{.word = "content_filter", .cause = Cause::content_policy, .source = azure},
    CauseRule{.word = "ResponsibleAIPolicyViolation", .cause = Cause::content_policy, .source = azure},
    CauseRule{.word = "content_policy_violation", .cause = Cause::content_policy, .source = guide},
    CauseRule{.word = "moderation_blocked", .cause = Cause::content_policy, .source = guide},
    CauseRule{.word = "invalid_prompt", .cause = Cause::content_policy, .source = guide},
    CauseRule{.word = "refusal", .cause = Cause::content_policy, .source = openrouter},
    CauseRule{.status = 403, .message = "flagged", .cause = Cause::content_policy, .source = openrouter},
    CauseRule{.status = 400,
              .message = "content exists risk",
              .cause = Cause::content_policy,
              .source = "DeepSeek, observed, 2026-08"},

    // What our key may spend is spent, whatever the status: waiting for seconds does not help.
    CauseRule{.word = "credit_balance_exhausted", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "organization_spend_limit_exceeded", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "project_spend_limit_exceeded", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "organization_usage_limit_exceeded", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "billing_hard_limit_reached", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "insufficient_quota", .cause = Cause::key_quota, .source = guide},
    CauseRule{.word = "payment_required", .cause = Cause::key_quota, .source = openrouter},
    CauseRule{.message = "insufficient balance", .cause = Cause::key_quota, .source = deepseek},
    CauseRule{.status = 402, .cause = Cause::key_quota, .source = openrouter},

    // Our key is refused. xAI does so with 400.
    CauseRule{.word = "invalid_api_key", .cause = Cause::credential, .source = guide},
    CauseRule{.status = 400,
              .message = "incorrect api key",
              .cause = Cause::credential,
              .source = "xAI, github.com/continuedev/continue/issues/11412"},
    CauseRule{.word = "account_deactivated", .cause = Cause::credential, .source = guide},
    CauseRule{.status = 400, .word = "organization_restricted", .cause = Cause::credential, .source = groq},
    CauseRule{.status = 498, .message = "token", .cause = Cause::credential, .source = "Cohere, errors page, 2026-08"},

    // The model is not there, or not for us.
    CauseRule{.word = "model_not_found", .cause = Cause::model_missing, .source = guide},
    CauseRule{.word = "DeploymentNotFound", .cause = Cause::model_missing, .source = azure},
    CauseRule{.word = "model_decommissioned", .cause = Cause::model_missing, .source = groq},
    CauseRule{.word = "model_permission_blocked_project", .cause = Cause::model_missing, .source = groq},
    CauseRule{.word = "model_permission_blocked_org", .cause = Cause::model_missing, .source = groq},
    CauseRule{.word = "model_terms_required", .cause = Cause::model_missing, .source = groq},
    CauseRule{.status = 400, .message = "is not a valid model id", .cause = Cause::model_missing, .source = openrouter},
    CauseRule{.status = 400, .message = "model not exist", .cause = Cause::model_missing, .source = deepseek},
    CauseRule{.status = 400, .word = "invalid_model", .cause = Cause::model_missing, .source = mistral},

    // Another target may have what this one lacks.
    CauseRule{.word = "unsupported_parameter", .cause = Cause::unsupported, .source = guide},
    CauseRule{.word = "unsupported_value", .cause = Cause::unsupported, .source = guide},
    CauseRule{.word = "unsupported_model", .cause = Cause::unsupported, .source = guide},
    CauseRule{.word = "not_supported_error", .cause = Cause::unsupported, .source = llama_cpp},
    CauseRule{.status = 400,
              .message = "assistant response prefill",
              .cause = Cause::unsupported,
              .source = "llama.cpp server, github.com/ggml-org/llama.cpp/issues/20861"},
    CauseRule{
        .status = 400, .message = "two or more assistant messages", .cause = Cause::unsupported, .source = llama_cpp},
    CauseRule{.status = 400,
              .message = "does not support assistant message prefill",
              .cause = Cause::unsupported,
              .source = "Anthropic by compatible servers, 2026-08"},
    CauseRule{.status = 400, .message = "is not supported", .cause = Cause::unsupported, .source = groq},
    CauseRule{.status = 400, .message = "does not support", .cause = Cause::unsupported, .source = vllm},
    CauseRule{
        .status = 404, .message = "no endpoints found that support", .cause = Cause::unsupported, .source = openrouter},

    // Too often, or one request too large for what our key may use in a minute: another key or target may take it.
    CauseRule{.status = 413, .word = "rate_limit_exceeded", .cause = Cause::rate, .source = groq},
    CauseRule{.status = 429, .message = "service tier capacity exceeded", .cause = Cause::overload, .source = mistral},
    CauseRule{.word = "rate_limit_exceeded", .cause = Cause::rate, .source = guide},
    CauseRule{.word = "slow_down", .cause = Cause::rate, .source = guide},
    CauseRule{.word = "RateLimitReached", .cause = Cause::rate, .source = azure},
    CauseRule{.word = "too_many_requests", .cause = Cause::rate, .source = azure},
    CauseRule{.word = "rate_limited", .cause = Cause::rate, .source = mistral},

    CauseRule{.word = "server_is_overloaded", .cause = Cause::overload, .source = guide},
    CauseRule{.word = "provider_overloaded", .cause = Cause::overload, .source = openrouter},
    CauseRule{.word = "capacity_exceeded", .cause = Cause::overload, .source = groq},
    CauseRule{.word = "unavailable_error", .cause = Cause::overload, .source = llama_cpp},
    CauseRule{.status = 200, .word = "server_error", .cause = Cause::overload, .source = guide},
    CauseRule{.word = "authentication_error", .cause = Cause::credential, .source = llama_cpp},
    CauseRule{.status = 200, .word = "invalid_request_error", .cause = Cause::callers_fault, .source = guide},
};

std::string text_of(const std::optional<JsonValue>& value) {
  if (!value) {
    return {};
  }
  switch (value->kind) {
    case JsonKind::string: return text::unescape_lossy(value->string_raw());
    case JsonKind::number: return std::string(value->raw);
    default: return {};
  }
}

std::optional<JsonValue> member(const std::optional<JsonValue>& value, std::string_view name) {
  return value && value->kind == JsonKind::object ? text::find_member(value->raw, name) : std::nullopt;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// `part` is in lower case.
bool contains(std::string_view text, std::string_view part) {
  return !std::ranges::search(text, part, {}, lower).empty();
}

bool equal(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// The HTTP status that stands where a code is expected: OpenRouter and vLLM send numbers.
int status_in(std::string_view code) {
  int value = 0;
  const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), value);
  const bool whole = error == std::errc() && end == code.data() + code.size();
  return whole && value >= 400 && value <= 599 ? value : 0;
}

bool is_success(int status) {
  return status >= 200 && status <= 299;
}

int effective(int status, const ErrorWords& words) {
  if (!is_success(status)) {
    return status;
  }
  const int named = status_in(words.code);
  return named != 0 ? named : status;
}

void read_into(ErrorWords& words, const JsonValue& error) {
  const std::optional<JsonValue> object = error;
  words.message = text_of(member(object, "message"));
  words.type = text_of(member(object, "type"));
  words.code = text_of(member(object, "code"));
  words.param = text_of(member(object, "param"));
  words.detail = text_of(member(member(object, "metadata"), "error_type"));
  if (words.detail.empty()) {
    words.detail = text_of(member(member(object, "innererror"), "code"));
  }
}

}  // namespace

ErrorWords read_error_words(std::string_view body) {
  ErrorWords words;
  std::optional<JsonValue> error;
  std::optional<JsonValue> detail;
  const auto whole = text::scan_object(body, [&](const JsonMember& found) {
    if (text::key_equals(found, "error")) {
      error = found.value;
    } else if (text::key_equals(found, "detail")) {
      detail = found.value;
    }
  });
  if (!whole) {
    return words;
  }
  if (error && error->kind == JsonKind::object) {
    read_into(words, *error);
    return words;
  }
  if (error && error->kind == JsonKind::string) {
    words.message = text_of(error);
    words.code = text_of(text::find_member(body, "code"));
    return words;
  }
  for (const auto& [name, into] :
       {std::pair{"message", &words.message}, {"type", &words.type}, {"code", &words.code}, {"param", &words.param}}) {
    *into = text_of(text::find_member(body, name));
  }
  if (words.message.empty() && detail) {
    words.message = text_of(detail);
    if (detail->kind == JsonKind::array) {
      text::for_each_element(detail->raw, [&](const JsonValue& one) {
        if (words.message.empty()) {
          words.message = text_of(member(one, "msg"));
        }
      });
    }
  }
  return words;
}

std::span<const CauseRule> cause_rules() {
  return rules;
}

const CauseRule* rule_of(int status, const ErrorWords& words) {
  const int counts = effective(status, words);
  for (const CauseRule& rule : rules) {
    if (rule.status != 0 && rule.status != counts) {
      continue;
    }
    if (!rule.word.empty() && !equal(rule.word, words.code) && !equal(rule.word, words.type) &&
        !equal(rule.word, words.detail)) {
      continue;
    }
    if (!rule.message.empty() && !contains(words.message, rule.message)) {
      continue;
    }
    return &rule;
  }
  return nullptr;
}

Cause cause_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407: return Cause::credential;
    case 402: return Cause::key_quota;
    case 404:
    case 410: return Cause::model_missing;
    case 408: return Cause::slow;
    case 429: return Cause::rate;
    case 498:
    case 499:
    case 424: return Cause::overload;
    case 405:
    case 501: return Cause::unsupported;
    default: break;
  }
  return status >= 400 && status <= 499 ? Cause::callers_fault : Cause::overload;
}

Cause cause_of(int status, const ErrorWords& words) {
  const CauseRule* rule = rule_of(status, words);
  return rule != nullptr ? rule->cause : cause_of_status(effective(status, words));
}

int status_of(int status, const ErrorWords& words) {
  const int counts = effective(status, words);
  if (!is_success(counts)) {
    return counts;
  }
  switch (cause_of(status, words)) {
    case Cause::callers_fault:
    case Cause::context_window:
    case Cause::content_policy:
    case Cause::unsupported: return 400;
    case Cause::model_missing: return 404;
    case Cause::rate: return 429;
    default: return 0;
  }
}

}  // namespace weir::openai

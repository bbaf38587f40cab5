#include "dialects/openai/request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "text/json_value.hpp"

namespace weir::openai {
namespace {

using text::JsonKind;
using text::JsonMember;
using text::JsonValue;
using text::Span;

RequestError wrong_type(std::string_view param, std::string_view expected, JsonKind found) {
  return {fmt::format("Invalid type for '{}': expected {}, but got {} instead.", param, expected, to_string(found)),
          "invalid_type", std::string(param)};
}

enum class Kind : std::uint8_t { chat, completion, embedding };

/// Reads one body. Holds the first thing that is wrong with its meaning; its grammar comes first.
class Reader {
 public:
  Reader(std::string_view body, Kind kind) : body_(body), kind_(kind) {}

  std::expected<Request, RequestError> read() {
    const auto scanned = text::scan_object(body_, [this](const JsonMember& member) { read_member(member); });
    if (!scanned) {
      return std::unexpected(RequestError{
          fmt::format("The body is not a JSON object: {} at byte {}.", scanned.error().what, scanned.error().offset),
          "", ""});
    }
    if (!error_ && kind_ == Kind::chat && !(seen_ & messages_bit)) {
      error_ = RequestError{"Missing required parameter: 'messages'.", "missing_required_parameter", "messages"};
    }
    if (error_) {
      return std::unexpected(*std::move(error_));
    }
    request_.members_begin = body_.find('{') + 1;
    return std::move(request_);
  }

 private:
  static constexpr unsigned model_bit = 1;
  static constexpr unsigned messages_bit = 2;
  static constexpr unsigned stream_bit = 4;
  static constexpr unsigned stream_options_bit = 8;
  static constexpr unsigned include_usage_bit = 16;
  static constexpr unsigned max_tokens_bit = 32;
  static constexpr unsigned max_completion_tokens_bit = 64;
  static constexpr unsigned n_bit = 128;
  static constexpr unsigned prompt_bit = 256;
  static constexpr unsigned encoding_format_bit = 512;
  static constexpr unsigned n_predict_bit = 1024;

  void read_member(const JsonMember& member) {
    request_.has_members = true;
    const JsonValue& value = member.value;
    if (text::key_equals(member, "model")) {
      if (first_of(model_bit, "model")) {
        read_model(value);
      }
    } else if (kind_ == Kind::embedding) {
      if (text::key_equals(member, "encoding_format") && first_of(encoding_format_bit, "encoding_format")) {
        read_encoding_format(value);
      }
    } else if (kind_ == Kind::chat && text::key_equals(member, "messages")) {
      if (first_of(messages_bit, "messages") && value.kind != JsonKind::array) {
        refuse(wrong_type("messages", "an array of objects", value.kind));
      }
    } else if (kind_ == Kind::completion && text::key_equals(member, "prompt")) {
      if (first_of(prompt_bit, "prompt")) {
        request_.prompts = count_prompts(value);
      }
    } else if (text::key_equals(member, "stream")) {
      if (first_of(stream_bit, "stream")) {
        request_.stream = read_boolean(value, "stream");
      }
    } else if (text::key_equals(member, "stream_options")) {
      if (first_of(stream_options_bit, "stream_options")) {
        read_stream_options(value);
      }
    } else if (text::key_equals(member, "max_tokens")) {
      if (first_of(max_tokens_bit, "max_tokens")) {
        request_.max_tokens = read_integer(value, "max_tokens");
        request_.max_tokens_value = Span::within(body_, value.raw);
      }
    } else if (text::key_equals(member, "max_completion_tokens")) {
      if (first_of(max_completion_tokens_bit, "max_completion_tokens")) {
        request_.max_completion_tokens = read_integer(value, "max_completion_tokens");
        request_.max_completion_tokens_value = Span::within(body_, value.raw);
      }
    } else if (text::key_equals(member, "n_predict")) {
      if (first_of(n_predict_bit, "n_predict")) {
        request_.n_predict = read_integer(value, "n_predict");
        request_.n_predict_value = Span::within(body_, value.raw);
      }
    } else if (text::key_equals(member, "n")) {
      if (first_of(n_bit, "n")) {
        request_.n = read_integer(value, "n");
      }
    } else if (text::key_equals(member, "service_tier") && value.kind == JsonKind::string) {
      request_.service_tier = Span::within(body_, value.string_raw());
    }
  }

  void read_model(const JsonValue& value) {
    request_.model_value = Span::within(body_, value.raw);
    if (value.kind == JsonKind::null) {
      return;
    }
    if (value.kind != JsonKind::string) {
      refuse(wrong_type("model", "a string", value.kind));
      return;
    }
    if (auto model = text::unescape(value.string_raw())) {
      request_.model = *std::move(model);
    } else {
      refuse({"Invalid value for 'model': it holds half of a surrogate pair.", "invalid_value", "model"});
    }
  }

  void read_stream_options(const JsonValue& value) {
    request_.stream_options = Span::within(body_, value.raw);
    if (value.kind == JsonKind::null) {
      return;
    }
    if (value.kind != JsonKind::object) {
      refuse(wrong_type("stream_options", "an object", value.kind));
      return;
    }
    request_.stream_options_is_object = true;
    request_.stream_options_is_empty = text::is_empty(value);
    text::for_each_member(value.raw, [this](const JsonMember& member) {
      constexpr std::string_view name = "stream_options.include_usage";
      if (text::key_equals(member, "include_usage") && first_of(include_usage_bit, name)) {
        request_.include_usage_value = Span::within(body_, member.value.raw);
        request_.include_usage = read_boolean(member.value, name);
      }
    });
  }

  void read_encoding_format(const JsonValue& value) {
    if (value.kind == JsonKind::null) {
      return;
    }
    request_.encoding_format = EncodingFormat::other;
    if (value.kind == JsonKind::string) {
      const auto word = text::unescape(value.string_raw());
      if (word == "float") {
        request_.encoding_format = EncodingFormat::floats;
      } else if (word == "base64") {
        request_.encoding_format = EncodingFormat::base64;
      }
    }
  }

  /// One, but for a list of texts or of token lists. What is neither is left to the provider to refuse.
  static std::int64_t count_prompts(const JsonValue& value) {
    if (value.kind != JsonKind::array) {
      return 1;
    }
    std::int64_t count = 0;
    text::for_each_element(value.raw, [&](const JsonValue& element) {
      if (element.kind == JsonKind::number) {
        count = 1;  // a list of tokens is one prompt
        return false;
      }
      ++count;
      return true;
    });
    return std::max<std::int64_t>(count, 1);
  }

  bool read_boolean(const JsonValue& value, std::string_view param) {
    if (value.kind != JsonKind::boolean && value.kind != JsonKind::null) {
      refuse(wrong_type(param, "a boolean", value.kind));
    }
    return value.is_true();
  }

  std::optional<std::int64_t> read_integer(const JsonValue& value, std::string_view param) {
    if (value.kind == JsonKind::null) {
      return std::nullopt;
    }
    const std::optional<std::int64_t> integer = text::to_int64(value);
    if (integer) {
      return integer;
    }
    if (value.kind == JsonKind::number && value.raw.find_first_of(".eE") == std::string_view::npos) {
      // Valid, and no provider can mean it. Theirs is the right to say so.
      return value.raw.front() == '-' ? std::numeric_limits<std::int64_t>::min()
                                      : std::numeric_limits<std::int64_t>::max();
    }
    refuse(wrong_type(param, "an integer", value.kind));
    return std::nullopt;
  }

  /// Notes that a key was seen; refuses the second of the same name.
  bool first_of(unsigned bit, std::string_view param) {
    if (seen_ & bit) {
      refuse({fmt::format("Invalid value for '{}': it is given more than once.", param), "invalid_value",
              std::string(param)});
      return false;
    }
    seen_ |= bit;
    return true;
  }

  void refuse(RequestError error) {
    if (!error_) {
      error_ = std::move(error);
    }
  }

  std::string_view body_;
  Kind kind_;
  Request request_;
  unsigned seen_ = 0;
  std::optional<RequestError> error_;
};

}  // namespace

std::optional<std::int64_t> Request::output_asked() const {
  std::optional<std::int64_t> highest = std::max(max_tokens, max_completion_tokens);
  for (const auto& named : {max_tokens, max_completion_tokens, n_predict}) {
    if (named && *named < 0) {
      return std::nullopt;
    }
    highest = highest ? std::max(highest, named) : highest;
  }
  return highest ? std::optional(std::max(*highest, std::int64_t{1})) : std::nullopt;
}

std::size_t Request::choices_asked() const {
  constexpr std::int64_t most = std::int64_t{1}
                                << 20;  // beyond, no answer is ever taken for whole by its choices alone
  return static_cast<std::size_t>(std::clamp<std::int64_t>(n.value_or(1), 1, most) *
                                  std::clamp<std::int64_t>(prompts, 1, most));
}

std::expected<Request, RequestError> read_chat_request(std::string_view body) {
  return Reader(body, Kind::chat).read();
}
std::expected<Request, RequestError> read_completion_request(std::string_view body) {
  return Reader(body, Kind::completion).read();
}
std::expected<Request, RequestError> read_embedding_request(std::string_view body) {
  return Reader(body, Kind::embedding).read();
}

}  // namespace weir::openai

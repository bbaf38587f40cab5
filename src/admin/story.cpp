#include "admin/story.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <iterator>
#include <optional>

#include "text/printable.hpp"

namespace weir::admin {

namespace {

namespace json = boost::json;

std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    return {};
  }
  // What a caller or a provider wrote is shown in a terminal: nothing in it may steer one.
  return text::printable(value->get_string());
}

std::optional<double> number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) {
    return std::nullopt;
  }
  return value->to_number<double>();
}

bool flag(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

/// "3.2 ms", "1.25 s".
std::string time(double milliseconds) {
  if (milliseconds >= 1000) {
    return fmt::format("{:.2f} s", milliseconds / 1000);
  }
  return milliseconds >= 10 ? fmt::format("{:.0f} ms", milliseconds) : fmt::format("{:.2f} ms", milliseconds);
}

std::string connection_of(const json::object& attempt) {
  if (flag(attempt, "silent_retry")) {
    return "over a new connection, because the kept-alive one had been closed";
  }
  if (flag(attempt, "reused_connection")) {
    return "over a kept-alive connection";
  }
  const auto started = number(attempt, "started_ms");
  const auto connected = number(attempt, "connected_ms");
  return started && connected ? fmt::format("connected in {}", time(*connected - *started)) : "no connection";
}

void tell_attempt(std::string& out, std::size_t index, const json::object& attempt) {
  const auto to = std::back_inserter(out);
  const double started = number(attempt, "started_ms").value_or(0);
  if (const auto backoff = number(attempt, "backoff_ms"); backoff && *backoff > 0) {
    fmt::format_to(to, "     waited {} before trying again\n", time(*backoff));
  }
  const std::string key = text(attempt, "key");
  fmt::format_to(to, "  {}. {}{} at +{}: {}\n", index, text(attempt, "target"),
                 key.empty() ? "" : fmt::format(" with key {}", key), time(started), connection_of(attempt));
  if (flag(attempt, "trial")) {
    out += "     a trial: its circuit breaker was open\n";
  }
  const int status = static_cast<int>(number(attempt, "status").value_or(0));
  if (const auto first_byte = number(attempt, "first_byte_ms")) {
    fmt::format_to(to, "     answered {} after {}", status, time(*first_byte - started));
    if (const auto first_token = number(attempt, "first_token_ms")) {
      fmt::format_to(to, ", first content after {}", time(*first_token - started));
    }
    out += '\n';
  }
  const std::string reason = text(attempt, "reason");
  const double ended = number(attempt, "ended_ms").value_or(started);
  if (text(attempt, "end_state") == "complete") {
    fmt::format_to(to, "     complete after {}", time(ended - started));
    if (const auto events = number(attempt, "events"); events && *events > 0) {
      fmt::format_to(to, ", {:.0f} events", *events);
    }
    out += '\n';
  } else {
    const std::string cause = text(attempt, "cause");
    fmt::format_to(to, "     left after {}: {} ({}{})\n", time(ended - started), reason, text(attempt, "failure"),
                   cause.empty() ? "" : fmt::format(", cause: {}", cause));
  }
  if (const std::string recovery = text(attempt, "recovery"); !recovery.empty()) {
    const std::string_view how = recovery == "prefill" ? "it was given the text that had left"
                                                       : "it was asked again, to go on with the text that had left";
    fmt::format_to(to, "     {}", how);
    if (const auto same = number(attempt, "repeated_bytes"); same && *same > 0) {
      fmt::format_to(to, "; it repeated {:.0f} bytes of it", *same);
    }
    out += number(attempt, "first_token_ms") ? ", and went on\n" : ", and did not go on\n";
  }
  if (const auto* mended = attempt.if_contains("mended"); mended != nullptr && mended->is_object()) {
    out += "     events put right:";
    for (const auto& [what, count] : mended->get_object()) {
      fmt::format_to(to, " {} ({})", text::printable({what.data(), what.size()}), count.to_number<std::uint64_t>());
    }
    out += '\n';
  }
  if (const std::string words = text(attempt, "upstream_words"); !words.empty()) {
    fmt::format_to(to, "     its own words: {}\n", words);
  }
}

std::string ending_of(const json::object& record) {
  const std::string end_state = text(record, "end_state");
  const int status = static_cast<int>(number(record, "status").value_or(0));
  if (end_state == "complete") {
    return fmt::format("The caller got the whole answer: status {}", status);
  }
  if (end_state == "client_abort") {
    return "The caller left before the end";
  }
  const std::string code = text(record, "error_code");
  return fmt::format("The caller got an error: status {}{}", status, code.empty() ? "" : fmt::format(", {}", code));
}

std::string_view source_of_tokens(const json::object& record) {
  const std::string source = text(record, "usage_source");
  bool told = false;  // by some provider
  if (const json::value* attempts = record.if_contains("attempts"); attempts != nullptr && attempts->is_array()) {
    for (const json::value& attempt : attempts->get_array()) {
      told = told || (attempt.is_object() && number(attempt.get_object(), "tokens_in") &&
                      !attempt.get_object().contains("usage_source"));
    }
  }
  if (source == "counted") {
    return "as weir counted them: the provider told no usage";
  }
  if (source == "estimated") {
    return told ? "in part as weir estimates them: not every attempt told its usage"
                : "as weir estimates them: the provider told no usage";
  }
  return "as the provider counted them";
}

}  // namespace

Result<std::string> story_of(std::string_view record_json) {
  boost::system::error_code error;
  const json::value parsed = json::parse(record_json, error);
  if (error || !parsed.is_object() || !parsed.get_object().contains("attempts")) {
    return fail(Code::invalid_request, "this is no record of a call");
  }
  const json::object& record = parsed.get_object();
  std::string out;
  const auto to = std::back_inserter(out);
  const std::string model = text(record, "model");
  fmt::format_to(to, "{}  {}\n", text(record, "id"), text(record, "time"));
  const std::string key = text(record, "key");
  const std::string user = text(record, "user");
  fmt::format_to(to, "{} asked {} for {}{}{}{}.\n", text(record, "client"), text(record, "endpoint"),
                 model.empty() ? "the default model" : fmt::format("\"{}\"", model),
                 flag(record, "stream") ? ", streamed" : "",
                 key.empty() ? "" : fmt::format(", with the key {} of the tenant {}", key, text(record, "tenant")),
                 user.empty() ? "" : fmt::format(" for the user {}", user));
  if (const json::value* skipped = record.if_contains("skipped"); skipped != nullptr && skipped->is_array()) {
    for (const json::value& one : skipped->get_array()) {
      if (one.is_string()) {
        fmt::format_to(to, "  -  not asked: {}\n", text::printable(one.get_string()));
      }
    }
  }
  std::size_t index = 0;
  if (const json::value& attempts = record.at("attempts"); attempts.is_array()) {
    for (const json::value& attempt : attempts.get_array()) {
      if (attempt.is_object()) {
        tell_attempt(out, ++index, attempt.get_object());
      }
    }
  }
  if (index == 0) {
    fmt::format_to(to, "  No provider was asked: {}\n", text(record, "error_message"));
  }
  fmt::format_to(to, "{}, after {}; weir itself took {} of it.\n", ending_of(record),
                 time(number(record, "duration_ms").value_or(0)), time(number(record, "weir_added_ms").value_or(0)));
  const auto tokens_in = number(record, "tokens_in");
  const auto tokens_out = number(record, "tokens_out");
  if (tokens_in || tokens_out) {
    fmt::format_to(to, "Tokens: {:.0f} in, {:.0f} out, {}.\n", tokens_in.value_or(0), tokens_out.value_or(0),
                   source_of_tokens(record));
  }
  if (index > 0) {
    if (const auto cost = number(record, "cost_usd")) {
      fmt::format_to(to, "Cost: ${}.\n", *cost);
    } else if (record.contains("cost_usd")) {
      out += "Cost: unknown, because a target that was asked has no price or told no usage.\n";
    }
  }
  return out;
}

}  // namespace weir::admin

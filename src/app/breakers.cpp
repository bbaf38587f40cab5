#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <string>

#include "app/admin_answer.hpp"
#include "app/admin_client.hpp"
#include "app/commands.hpp"
#include "settings/units.hpp"
#include "text/printable.hpp"

namespace weir::app {

namespace {

namespace json = boost::json;

std::string text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? text::printable(value->get_string()) : std::string();
}

std::int64_t number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  boost::system::error_code failed;
  const auto read = value != nullptr ? value->to_number<std::int64_t>(failed) : 0;
  return failed ? 0 : read;
}

std::string line_of(const json::object& breaker) {
  std::string state = text(breaker, "state");
  std::ranges::replace(state, '_', '-');
  const json::value* by_hand = breaker.if_contains("by_hand");
  if (by_hand != nullptr && by_hand->is_bool() && by_hand->get_bool()) {
    state += " by hand";
  }
  if (const auto left = number(breaker, "retry_after_seconds"); left > 0) {
    state += fmt::format(" for {} s", left);
  }
  return fmt::format("{:<40} {:<16} {} in flight, {} failures in a row, opened {} times\n", text(breaker, "target"),
                     state, number(breaker, "in_flight"), number(breaker, "failures_in_a_row"),
                     number(breaker, "trips"));
}

/// What is to be said to weir; empty, and told to the user: `wait` is no time.
std::string body_of(const BreakersOptions& options) {
  if (options.change != "open") {
    return R"({"state":"closed"})";
  }
  if (options.wait.empty()) {
    return R"({"state":"open"})";
  }
  const auto wait = settings::parse_duration(options.wait);
  if (!wait || *wait < std::chrono::seconds(1)) {
    fmt::print(stderr, "weir breakers: \"{}\" is no time of at least a second; for example --for 10m\n", options.wait);
    return {};
  }
  return fmt::format(R"({{"state":"open","seconds":{}}})", std::chrono::ceil<std::chrono::seconds>(*wait).count());
}

/// A target's name as one segment of a path.
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || c == '/';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

}  // namespace

int breakers(const BreakersOptions& options) {
  if (!options.change.empty() && options.target.empty()) {
    fmt::print(stderr, "weir breakers: which one? For example: weir breakers {} openai/gpt-4o\n", options.change);
    return 2;
  }
  const std::string url = weir_url(options.url);
  const bool list = options.change.empty();
  const std::string body = list ? std::string() : body_of(options);
  if (!list && body.empty()) {
    return 2;
  }
  const auto reply = list ? ask_weir(url, http::Method::get, "/admin/v1/breakers")
                          : ask_weir(url, http::Method::post, "/admin/v1/breakers/" + escaped(options.target), body);
  if (!reply) {
    fmt::print(stderr, "weir breakers: {}\n", reply.error().message);
    return exit_status_of(reply);
  }
  boost::system::error_code failed;
  const json::value parsed = json::parse(reply->body, failed);
  if (reply->status == 404 && !list) {
    fmt::print(stderr, "weir breakers: there is no target and no key `{}`; `weir breakers` lists them.\n",
               options.target);
    return 1;
  }
  if (failed || !parsed.is_object() || reply->status != 200) {
    fmt::print(stderr, "weir breakers: {} answered {}: {}\n", url, reply->status, beginning_of(reply->body));
    return exit_status_of(reply);
  }
  const json::object& object = parsed.get_object();
  if (!list) {
    fmt::print("{}", line_of(object));
    return 0;
  }
  const json::value* all = object.if_contains("data");
  if (all != nullptr && all->is_array()) {
    for (const json::value& one : all->get_array()) {
      if (one.is_object()) {
        fmt::print("{}", line_of(one.get_object()));
      }
    }
  }
  return 0;
}

}  // namespace weir::app

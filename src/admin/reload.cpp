#include "admin/reload.hpp"

#include <fmt/format.h>

#include <memory>

#include "admin/identity_replies.hpp"
#include "api/reply.hpp"
#include "platform/signal.hpp"
#include "settings/json_members.hpp"
#include "text/json_value.hpp"

namespace weir::admin {

namespace {

constexpr auto patience = std::chrono::seconds(60);  // files on a slow disk, and each core's turn

void append_list(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  out += ',';
  text::append_json_string(out, name);
  out += ":[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out += i == 0 ? "" : ",";
    text::append_json_string(out, texts[i]);
  }
  out += ']';
}

/// A reload takes no wishes: a body is absent, or an empty object.
Result<void> check_nothing(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return {};
  }
  auto document = check_document(body);
  return document ? settings::read_members(body, "", {},
                                           [](std::string_view, const text::JsonValue&) { return Result<void>(); })
                  : document;
}

Task<void> reload(api::ApiRequest& request, Reloading* reloading, Identities* identities) {
  if (reloading == nullptr) {
    co_await api::reply_error(request, {.code = Code::not_found,
                                        .message = "This gateway was not started from a configuration that it could "
                                                   "load again."});
    co_return;
  }
  if (const auto empty = check_nothing(request.http.body); !empty) {
    co_await reply_refusal(request, empty.error());
    co_return;
  }
  struct Waiting {
    explicit Waiting(platform::Loop& loop) : done(loop) {}
    platform::Signal done;
    ReloadOutcome outcome;
  };
  platform::Loop& loop = request.core.loop;
  const auto waiting = std::make_shared<Waiting>(loop);
  reloading->reload([waiting, &loop](const ReloadOutcome& outcome) {
    loop.post([waiting, outcome] {
      waiting->outcome = outcome;
      waiting->done.notify();
    });
  });
  if (co_await waiting->done.wait({loop.now() + patience, &request.end.cancellation}) != platform::Wake::notified) {
    co_await api::reply_error(
        request, {.code = Code::overloaded, .message = "The configuration is still being loaded; the log will tell."});
    co_return;
  }
  const std::string body = to_json(waiting->outcome);
  co_await note_done(
      request, identities,
      {.action = "reload", .object = "configuration", .object_id = "configuration", .before = "", .after = body});
  co_await api::reply_json(request, waiting->outcome.applied ? 200 : 422, body);
}

}  // namespace

std::string to_json(const ReloadOutcome& outcome) {
  std::string out = outcome.applied ? R"({"result":"applied")" : R"({"result":"rejected")";
  if (!outcome.applied) {
    out += R"(,"error":{"message":)";
    text::append_json_string(
        out, fmt::format("The configuration was rejected, and nothing changed: {}{}",
                         outcome.errors.empty() ? "no reason is known" : outcome.errors.front(),
                         outcome.errors.size() > 1 ? fmt::format(" (and {} more errors)", outcome.errors.size() - 1)
                                                   : std::string()));
    out += R"(,"type":"invalid_request_error","param":null,"code":"config_rejected"})";
  }
  append_list(out, "errors", outcome.errors);
  append_list(out, "changes", outcome.changes);
  append_list(out, "restart", outcome.restart);
  append_list(out, "notices", outcome.notices);
  out += '}';
  return out;
}

void add_reload_endpoint(api::Registry& registry, Reloading* const& reloading, Identities* const& identities) {
  registry.add({.method = "POST",
                .path = "/admin/v1/reload",
                .upstream_path = "",
                .auth = gateway::AuthClass::admin,
                .limits = gateway::LimitsClass::admin,
                .summary = "Loads the configuration anew; a bad one changes nothing and is answered with its errors."},
               [&reloading, &identities](api::ApiRequest& request) { return reload(request, reloading, identities); });
}

}  // namespace weir::admin

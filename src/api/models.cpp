#include "api/models.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/reply.hpp"
#include "dialects/openai/errors.hpp"
#include "http/target.hpp"
#include "routing/resolve.hpp"

namespace weir::api {

namespace {

using routing::ModelTable;

constexpr std::string_view our_own = "weir";

/// What a caller has to say to reach `id` of a provider that forwards: bare where bare names go there, but for the
/// mock, whose answers should not look like a model's.
std::string callers_name(const ModelTable& table, std::string_view provider, std::string_view id) {
  if (table.bare_names_to == provider && table.mock_provider != provider) {
    const std::string_view first = id.substr(0, id.find('/'));
    const bool means_a_provider =
        first.size() < id.size() &&
        std::ranges::find(table.forwards, first, &routing::Forward::provider) != table.forwards.end();
    if (!means_a_provider) {
      return std::string(id);
    }
  }
  return fmt::format("{}/{}", provider, id);
}

bool goes_to(const routing::ModelPolicy& policy, std::string_view provider) {
  return std::ranges::any_of(policy.steps, [&](const routing::Step& step) {
    return std::ranges::find(step.any_of, provider, &routing::Target::provider) != step.any_of.end();
  });
}

/// What the caller wants to see of the list.
struct Filter {
  std::string provider;  // empty: of all
  std::string search;    // a part of the name, in lower case

  [[nodiscard]] bool takes_provider(std::string_view name) const { return provider.empty() || provider == name; }
  [[nodiscard]] bool takes_name(std::string_view name) const {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return !std::ranges::search(name, search, {}, lower).empty() || search.empty();
  }
};

std::optional<Filter> read_filter(std::string_view query) {
  Filter filter;
  const bool good = http::percent_decode(http::query_parameter(query, "provider").value_or(""), filter.provider) &&
                    http::percent_decode(http::query_parameter(query, "search").value_or(""), filter.search);
  std::ranges::transform(filter.search, filter.search.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return good ? std::optional(std::move(filter)) : std::nullopt;
}

platform::Until until(const ApiRequest& request) {
  return {request.core.loop.now() + std::chrono::seconds(10), &request.end.cancellation};
}

/// The configured names, a pattern as it is written, since what it takes is not known here; and what the providers that
/// take any name list themselves: `provider/*` for one whose list is not known.
Task<void> models(ApiRequest& request, gateway::ModelDirectory& directory) {
  const auto filter = read_filter(request.http.head.target.query);
  if (!filter) {
    co_await reply_error(request, {.code = Code::invalid_request, .message = "The query is not escaped correctly."});
    co_return;
  }
  const auto snapshot = request.core.snapshot;  // waiting follows
  const ModelTable& table = snapshot->models;
  std::vector<std::string> asked;
  for (const routing::Forward& forward : table.forwards) {
    if (forward.off.empty() && filter->takes_provider(forward.provider)) {
      asked.push_back(forward.provider);
    }
  }
  const auto lists = co_await directory.lists(request.core, asked, until(request));

  std::string body = R"({"object":"list","data":[)";
  const std::size_t begin = body.size();
  const auto next = [&]() -> std::string& {
    if (body.size() > begin) {
      body += ',';
    }
    return body;
  };
  // A pattern is shown where the key may use it as it is written: `*` takes it, and so does the pattern itself.
  const auto visible = [&request](std::string_view name) { return !auth::refuse_model(request.principal, name); };
  const auto add_configured = [&](std::string_view name, const routing::ModelPolicy& policy) {
    if ((filter->provider.empty() || goes_to(policy, filter->provider)) && filter->takes_name(name) && visible(name)) {
      openai::append_model(next(), name, our_own);
    }
  };
  for (const auto& [name, policy] : table.exact) {
    add_configured(name, policy);
  }
  for (const routing::Pattern& pattern : table.patterns) {
    add_configured(pattern.policy.name, pattern.policy);
  }
  for (const std::string& provider : asked) {
    const auto list = lists.find(provider);
    if (list == lists.end()) {
      if (const std::string any = provider + "/*"; filter->takes_name(any) && visible(any)) {
        openai::append_model(next(), any, our_own);
      }
      continue;
    }
    for (const openai::ListedModel& model : *list->second) {
      const std::string name = callers_name(table, provider, model.id);
      if (!table.exact.contains(name) && filter->takes_name(name) && visible(name)) {
        openai::append_model(next(), model, name);
      }
    }
  }
  body += "]}";
  co_await reply_json(request, 200, body);
}

/// Any name that a call could give, which may hold slashes. Behind a provider that takes any name, what that lists
/// decides, where it is known.
Task<void> one_model(ApiRequest& request, gateway::ModelDirectory& directory) {
  std::string name;
  if (!http::percent_decode(request.rest, name)) {
    co_await reply_error(request,
                         {.code = Code::invalid_request, .message = "The model's name is not escaped correctly."});
    co_return;
  }
  if (const auto refusal = auth::refuse_model(request.principal, name)) {
    co_await reply_error(request, *refusal);
    co_return;
  }
  const auto snapshot = request.core.snapshot;
  const ModelTable& table = snapshot->models;
  const auto plan = routing::resolve(table, name, false);
  if (!plan) {
    co_await reply_error(request, plan.error());
    co_return;
  }
  std::string body;
  const routing::Candidate& candidate = plan->steps.front().members.front();
  const std::string& provider = candidate.target->provider;
  const bool forwarded = !plan->owned.empty() && plan->name == provider;
  if (!forwarded || provider == table.mock_provider) {
    openai::append_model(body, name, forwarded ? std::string_view(provider) : our_own);
    co_await reply_json(request, 200, body);
    co_return;
  }
  const auto lists = co_await directory.lists(request.core, {provider}, until(request));
  if (const auto list = lists.find(provider); list != lists.end()) {
    const auto found = std::ranges::find(*list->second, candidate.upstream_model, &openai::ListedModel::id);
    if (found == list->second->end()) {
      co_await reply_error(request,
                           {.code = Code::model_not_found,
                            .message = fmt::format("The model `{}` does not exist: the provider `{}`, to which this "
                                                   "name goes, does not list it. GET /v1/models lists what does.",
                                                   name, provider)});
      co_return;
    }
    openai::append_model(body, *found, name);
  } else {
    openai::append_model(body, name, provider);
  }
  co_await reply_json(request, 200, body);
}

}  // namespace

void add_model_endpoints(Registry& registry, gateway::ModelDirectory& directory) {
  registry.add({.method = "GET",
                .path = "/v1/models",
                .upstream_path = "",
                .limits = gateway::LimitsClass::none,
                .summary = "The models that callers may name; `?provider=` and `?search=` choose among them."},
               [&directory](ApiRequest& request) { return models(request, directory); });
  registry.add({.method = "GET",
                .path = "/v1/models/{id}",
                .upstream_path = "",
                .limits = gateway::LimitsClass::none,
                .summary = "One model that callers may name."},
               [&directory](ApiRequest& request) { return one_model(request, directory); });
}

}  // namespace weir::api

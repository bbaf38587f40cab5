#include "api/openapi.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <memory>

#include "api/reply.hpp"
#include "base/assert.hpp"

namespace weir::api {

namespace {

namespace json = boost::json;

/// Puts `more` into `into`: objects member by member, anything else in the place of what is there.
void merge(json::value& into, const json::value& more) {
  if (!into.is_object() || !more.is_object()) {
    into = more;
    return;
  }
  for (const auto& [name, value] : more.get_object()) {
    merge(into.get_object()[name], value);
  }
}

std::string_view tag_of(std::string_view path) {
  if (path.starts_with("/v1/")) {
    return "models";
  }
  if (path.starts_with("/admin/")) {
    return "admin";
  }
  return path.starts_with("/ui") ? "page" : "status";
}

/// "GET /admin/v1/keys/{id}" is "get_admin_v1_keys_id".
std::string operation_id(const gateway::Endpoint& endpoint) {
  std::string id;
  for (const char c : std::string(endpoint.method) + std::string(endpoint.path)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) {
      id += c;
    } else if (c >= 'A' && c <= 'Z') {
      id += static_cast<char>(c - 'A' + 'a');
    } else if (!id.empty() && id.back() != '_') {
      id += '_';
    }
  }
  if (endpoint.path.ends_with('/')) {
    return id + "index";
  }
  if (id.ends_with('_')) {
    id.pop_back();  // of a closing brace
  }
  return id;
}

/// Keys are sent in any of three headers.
json::array any_credential() {
  return {{{"bearer", json::array()}}, {{"x_api_key", json::array()}}, {{"api_key", json::array()}}};
}

json::object operation_of(const gateway::Endpoint& endpoint) {
  json::object operation{{"operationId", operation_id(endpoint)},
                         {"summary", endpoint.summary},
                         {"tags", json::array{tag_of(endpoint.path)}},
                         {"responses", {{"default", {{"$ref", "#/components/responses/Error"}}}}}};
  const bool guarded = endpoint.auth == gateway::AuthClass::caller || endpoint.auth == gateway::AuthClass::admin;
  operation["security"] = guarded ? any_credential() : json::array();
  const std::size_t open = endpoint.path.find('{');
  if (open != std::string_view::npos) {
    const std::string_view name = endpoint.path.substr(open + 1, endpoint.path.find('}') - open - 1);
    operation["parameters"] =
        json::array{{{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}};
  }
  return operation;
}

}  // namespace

std::string openapi_document(const Registry& registry, std::string_view version) {
  json::object paths;
  for (const Registry::Entry& entry : registry.entries()) {
    std::string method(entry.endpoint.method);
    std::ranges::transform(method, method.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    json::value& path = paths[entry.endpoint.path];
    if (path.is_null()) {
      path = json::object();
    }
    path.get_object()[method] = operation_of(entry.endpoint);
  }
  json::value document = json::object{
      {"openapi", "3.1.0"}, {"info", {{"title", "weir"}, {"version", version}}}, {"paths", std::move(paths)}};
  boost::system::error_code failed;
  const json::value shapes = json::parse(openapi_shapes(), failed);
  WEIR_ASSERT(!failed, "openapi.json is JSON");
  merge(document, shapes);
  return json::serialize(document);
}

void add_openapi_endpoint(Registry& registry, std::string_view version) {
  const auto document = std::make_shared<std::string>();
  registry.add({.method = "GET",
                .path = "/openapi.json",
                .upstream_path = "",
                .auth = gateway::AuthClass::open,
                .limits = gateway::LimitsClass::none,
                .summary = "This description of all endpoints."},
               [document](ApiRequest& request) { return reply_json(request, 200, *document); });
  *document = openapi_document(registry, version);
}

}  // namespace weir::api

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/core.hpp"
#include "gateway/endpoint.hpp"
#include "http/server.hpp"

namespace weir::api {

/// One request on its way to its endpoint. Lives until the endpoint's task has ended.
struct ApiRequest {
  const http::Request& http;
  http::ResponseWriter& response;
  http::RequestEnd& end;
  gateway::Core& core;
  const gateway::Endpoint& endpoint;
  std::string id;         // x-weir-request-id
  std::string_view rest;  // what `{id}` in the endpoint's path stands for, still escaped
  std::string allow;      // for 405: the methods that the path takes
  /// Who asks, where the router found it out: everywhere but at calls, whose Exchange does. Looks into `gate`.
  gateway::Principal principal{};
  std::shared_ptr<const auth::Gate> gate{};
};

using EndpointHandler = std::function<Task<void>(ApiRequest&)>;

/// Every endpoint that there is: what the router follows, what `weir help endpoints`, docs and tests read. Filled at
/// start, shared by all cores, never changed afterwards.
class Registry {
 public:
  struct Entry {
    gateway::Endpoint endpoint;
    EndpointHandler handler;
  };
  struct Match {
    const Entry* entry = nullptr;  // null: none
    std::string_view rest;
    std::string allowed_methods;  // set where the path exists with other methods
  };

  /// What has more behind its `{id}` is added before what has nothing.
  void add(gateway::Endpoint endpoint, EndpointHandler handler) { entries_.push_back({endpoint, std::move(handler)}); }
  [[nodiscard]] Match find(std::string_view method, std::string_view path) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace weir::api

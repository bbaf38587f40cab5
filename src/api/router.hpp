#pragma once

#include "api/registry.hpp"

namespace weir::api {

/// Finds a request's endpoint and runs it. What no endpoint takes gets an error in OpenAI's shape, never HTML and never
/// bare text. One per core; belongs to its loop.
class Router final : public http::Handler {
 public:
  struct Options {
    bool loopback_only = true;  // weir listens on loopback alone: the admin endpoints may answer without a key
  };
  Router(const Registry& registry, gateway::Core& core, Options options)
      : registry_(registry), core_(core), options_(options) {}

  Task<void> handle(const http::Request& request, http::ResponseWriter& response, http::RequestEnd& end) override;
  Task<void> refuse(int status, Code code, std::string_view message, std::string_view path,
                    http::ResponseWriter& response) override;

 private:
  [[nodiscard]] std::string new_id();
  [[nodiscard]] std::optional<Error> check_caller(ApiRequest& request) const;
  [[nodiscard]] std::optional<Error> check_admin(ApiRequest& request) const;
  [[nodiscard]] std::optional<Error> check_loopback(const http::Request& request) const;

  const Registry& registry_;
  gateway::Core& core_;
  Options options_;
};

}  // namespace weir::api

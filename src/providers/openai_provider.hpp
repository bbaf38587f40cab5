#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "http/client.hpp"
#include "observe/metrics.hpp"
#include "providers/provider.hpp"

namespace weir::providers {

/// Any server that speaks OpenAI's HTTP API.
class OpenAiProvider final : public Provider {
 public:
  struct Options {
    std::string name;
    platform::Peer peer;
    std::optional<net::TlsClient::Options> tls;  // https
    std::optional<http::Connector::Proxy> proxy;
    net::Dialer* dialer = nullptr;                             // outlives the provider; null: the loop dials
    std::shared_ptr<http::ConnectionSlots> slots;              // over all cores; null: no bound
    std::string host;                                          // the Host field: "api.example.com" or "127.0.0.1:8080"
    std::string base_path;                                     // "/v1", without a trailing slash
    std::string base_query;                                    // "api-version=1", before the caller's own
    std::shared_ptr<KeyPool> keys;                             // null: none is sent
    std::vector<std::pair<std::string, std::string>> headers;  // added to each request
    Quirks quirks;
    std::size_t idle_max = 30;
    std::chrono::milliseconds idle_timeout{30'000};
  };
  OpenAiProvider(platform::Loop& loop, Options options);

  Task<Result<std::unique_ptr<UpstreamReply>>> send(const UpstreamRequest& request, UpstreamFacts& facts,
                                                    platform::Until until) override;
  [[nodiscard]] const Quirks& quirks() const override { return options_.quirks; }
  [[nodiscard]] KeyPool* keys() const override { return own_authorization_ ? nullptr : options_.keys.get(); }
  void conceal(std::string& words) const override;
  void collect(observe::MetricShard& shard) const override;
  Task<void> close() override { return client_.close(); }

 private:
  std::string head_of(const UpstreamRequest& request, const KeyPool::Lease* key) const;
  [[nodiscard]] bool configures(std::string_view header) const;

  platform::Loop& loop_;
  Options options_;
  bool own_authorization_;  // the operator configured the header: a second one would be a request of two minds
  bool own_accept_encoding_;
  bool own_traceparent_;
  std::string host_field_;         // the line of the head, checked once
  std::string configured_fields_;  // those of options_.headers
  http::Client client_;
};

}  // namespace weir::providers

#pragma once

#include "app/node.hpp"
#include "net/task_group.hpp"

namespace weir::app {

/// What belongs to one core, in the order in which it is made.
struct Node::Core {
  Core(platform::Loop& loop, Node& node, const routing::ModelTable& models);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  /// Judges calls by `next` from now on, to which the providers of `next_config` are added (those of the snapshot in
  /// use where their settings are the same), and what callers may use.
  void use(std::shared_ptr<const Config> next_config, const std::shared_ptr<gateway::Snapshot>& next);
  /// The newest there is: of two changes at a time the last one stays, whichever comes here first.
  void use_gate();
  /// The same of what callers may use, which is part of what a call keeps: a copy, as rare as changes of tenants.
  void use_allowances();
  /// What this core counted, now.
  [[nodiscard]] observe::MetricShard numbers();

 private:
  [[nodiscard]] std::shared_ptr<providers::Provider> same_as_in_use(const Config& next_config,
                                                                    const ProviderConfig& provider) const;
  std::shared_ptr<providers::Provider> make(const Config& from, const ProviderConfig& provider);
  Task<void> close(std::unique_ptr<providers::Provider> provider);

  Node& node_;

 public:
  gateway::Core gateway;
  std::shared_ptr<const Config> config;              // in use
  std::vector<providers::Provider*> open_providers;  // all that are not closed, those that are replaced too
  bool stopped = false;
  net::Dialer dialer;  // of all connections to providers
  net::TaskGroup retiring;
  api::Router router;
  http::ServerCore server;
  net::TaskGroup lifecycle;
};

}  // namespace weir::app

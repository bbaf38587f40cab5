#pragma once

#include <string>
#include <string_view>

#include "app/config.hpp"
#include "app/node.hpp"
#include "net/cores.hpp"
#include "observe/log.hpp"
#include "observe/silent_log.hpp"

namespace weir::app {

/// A weir in this process, for `weir demo`: a model server, or the gateway before them. Real sockets on loopback, a
/// core of its own. Used from the main thread.
class Stage {
 public:
  explicit Stage(Config config);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { kill(); }

  Result<void> start();
  void kill();
  [[nodiscard]] std::string url() const { return node_.urls().front(); }
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const Node& node() const { return node_; }

 private:
  observe::SilentLog log_;  // the story is told on the screen
  net::Cores cores_{1};
  Node node_;
  bool running_ = false;
};

/// Asks the gateway as an application would, and prints the words as they arrive. The request's id.
std::string ask(const Stage& gateway, std::string_view model);

/// What the gateway kept of that call; the caller has his answer a moment before. Nothing if it never comes.
ledger::RecordPtr record_of(const Stage& gateway, const std::string& id);

}  // namespace weir::app

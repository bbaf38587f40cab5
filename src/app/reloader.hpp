#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "admin/reload.hpp"
#include "app/config_load.hpp"
#include "app/node.hpp"
#include "observe/log.hpp"
#include "platform/files.hpp"

namespace weir::app {

/// Loads the configuration again while weir runs: when it is asked (SIGHUP, `POST /admin/v1/reload`) and when one of
/// its files changes. Reads and checks on a thread of its own; only a whole and good one reaches the node.
///
/// A changed file is read once it has looked the same twice: not in the middle of being written. Life: node, log and
/// files outlive it; stop() before the node is shut down. Thread-safe.
class Reloader final : public admin::Reloading {
 public:
  struct Options {
    std::function<ConfigOutcome()> read;                         // blocking
    std::function<void(const Config&)> applied;                  // what stands outside the node: the log's levels
    std::function<void(const admin::ReloadOutcome&)> unasked{};  // of what a changed file brought about; may be empty
    std::chrono::milliseconds look_every{1000};                  // at the files
  };
  /// `started`: what the node was made from.
  Reloader(Node& node, observe::Log& log, platform::Files& files, Options options, const ConfigOutcome& started);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  ~Reloader() override { stop(); }

  void reload(std::function<void(const admin::ReloadOutcome&)> done) override;
  /// Ends the thread, after a reload that is under way. Who asks later is told that the gateway stops.
  void stop();
  /// The configuration in use; after stop().
  [[nodiscard]] const Config& current() const { return *current_; }

 private:
  using Done = std::function<void(const admin::ReloadOutcome&)>;
  using Stamps = std::map<std::string, platform::FileStamp>;

  void run();
  admin::ReloadOutcome load_now();
  void tell(const admin::ReloadOutcome& outcome, const std::string& file);
  [[nodiscard]] Stamps look() const;

  Node& node_;
  observe::Log& log_;
  platform::Files& files_;
  const Options options_;
  const std::shared_ptr<const Config> started_;
  std::shared_ptr<const Config> current_;  // of the thread alone, like the four below
  std::vector<std::string> watched_;
  std::vector<std::string> notices_told_;
  Stamps loaded_;  // as the files were when they were read last
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Done> asked_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::app

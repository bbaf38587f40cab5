#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "upstream/plan.hpp"

namespace weir::mock_upstream {

/// A model server that costs nearly nothing: it answers any POST with a fixed chat completion or a stream of events,
/// GET /stats with its counters, GET /v1/models with one model, and anything else with {"status":"ok"}.
///
/// One thread, which is the caller of run(); listens on 127.0.0.1 only. Its bounds are those of the machine's
/// descriptors: it is a tool for benches.
class Server {
 public:
  /// `port` 0: any free one. The error is a sentence.
  static std::expected<Server, std::string> listen(std::uint16_t port, const Plan& defaults);
  Server(Server&&) noexcept;
  ~Server();

  std::uint16_t port() const;

  /// Serves until `stop_descriptor` (a signalfd, a pipe) becomes readable.
  void run(int stop_descriptor);

 private:
  class Loop;
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace weir::mock_upstream

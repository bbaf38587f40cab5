#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"
#include "sim/history.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

/// A server that speaks OpenAI's chat completions, well or badly as its plan and the seed will have it. Each answer
/// consists of words that name it, so that a text shows where each part of it came from.
class Upstream final : public platform::AcceptHandler {
 public:
  /// World, loop and history outlive this. Listens at once unless the plan says that nobody does.
  Upstream(platform::SimulatedWorld& world, platform::SimulatedLoop& loop, const UpstreamPlan& plan, std::uint64_t seed,
           History& history);
  void on_accept(std::unique_ptr<platform::Accepted> connection) override;

 private:
  class Conversation;
  struct Request {
    std::string call;
    std::uint64_t number = 0;  // of the call
    bool stream = false;
    bool usage = false;
    std::size_t key = 0;
    std::optional<std::size_t> output_max;
    bool early = false;  // not whole: it is answered before the rest has come
  };

  Task<void> serve(std::unique_ptr<platform::Stream> stream);
  Intent decide(const Request& request);
  /// How long the gateway waits for what a slow upstream keeps back.
  [[nodiscard]] Duration patience_with(const Intent& intent, bool stream) const;
  [[nodiscard]] bool just_in_time(const Intent& intent, bool stream) const;
  Duration between(Duration min, Duration max) {
    return min +
           Duration(static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>((max - min).count()) + 1)));
  }
  bool chance(double probability) { return random_.unit() < probability; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + random_.below(values.size()));
  }

  platform::SimulatedWorld& world_;
  platform::SimulatedLoop& loop_;
  UpstreamPlan plan_;
  platform::Random random_;
  History& history_;
  std::unique_ptr<platform::Listener> listener_;
  std::vector<platform::Running> connections_;
};

}  // namespace weir::sim

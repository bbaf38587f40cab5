#include "app/handover.hpp"

#include <fmt/format.h>

#include "platform/process.hpp"

namespace weir::app {

using platform::Successor;

namespace {
constexpr std::chrono::milliseconds look_every{100};
constexpr int looks_max = 600;  // a minute: reading a configuration and looking for model servers takes well under it
}  // namespace

Handover::~Handover() {
  stopping_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Handover::say(observe::Level level, std::string_view message) {
  log_.message(level, "handover", std::string(message));
}

void Handover::begin(const std::vector<platform::Successor::Socket>& listening) {
  if (starting_ || done_) {
    say(observe::Level::warn, "a new process is starting already: the signal is ignored");
    return;
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  auto successor = Successor::start(listening);
  if (!successor) {
    say(observe::Level::error,
        fmt::format("no new process could be started, this one goes on: {}", successor.error().message));
    return;
  }
  say(observe::Level::info, fmt::format("process {} is starting with our listening sockets", successor->pid()));
  starting_ = true;
  thread_ = std::thread([this, next = std::move(*successor)]() mutable {
    auto state = Successor::State::starting;
    for (int look = 0; look < looks_max && state == Successor::State::starting && !stopping_; ++look) {
      state = next.wait(look_every);
    }
    if (state == Successor::State::ready) {
      say(observe::Level::info, fmt::format("process {} serves: this one ends what it has begun", next.pid()));
      done_ = true;
      handed_over_();
    } else {
      const std::string ending = next.end();
      say(observe::Level::error,
          fmt::format("process {} did not come to serve ({}): this one goes on", next.pid(), ending));
    }
    starting_ = false;
  });
}

}  // namespace weir::app

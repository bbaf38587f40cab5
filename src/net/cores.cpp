#include "net/cores.hpp"

#include <pthread.h>

#include <fmt/format.h>

namespace weir::net {

Cores::Cores(int count, platform::InheritedSockets* inherited) {
  for (int i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<platform::RealLoop>());
  }
  loops_.front()->use_inherited(inherited);
}

void Cores::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([this, i] {
      ::pthread_setname_np(::pthread_self(), fmt::format("weir-core-{}", i).c_str());
      loops_[i]->run();
    });
  }
}

void Cores::stop() {
  for (const auto& loop : loops_) {
    loop->stop();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

std::vector<platform::Loop*> Cores::loops() {
  std::vector<platform::Loop*> all;
  for (const auto& loop : loops_) {
    all.push_back(loop.get());
  }
  return all;
}

}  // namespace weir::net

#pragma once

#include "observe/log.hpp"

namespace weir::observe {

/// A log that goes nowhere.
class SilentLog : public Log {
 public:
  void message(Level, std::string_view, std::string) override {}
  void request(std::shared_ptr<const LogLine>) override {}
  [[nodiscard]] std::uint64_t dropped() const override { return 0; }
};

}  // namespace weir::observe

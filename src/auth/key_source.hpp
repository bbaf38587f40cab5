#pragma once

#include <cstdint>

#include "auth/key.hpp"
#include "auth/key_hash.hpp"

namespace weir::auth {

/// Where keys are looked up: the table of the configuration's fixed keys, or one that follows a store. Reads memory
/// only; any core may ask at any time.
class KeySource {
 public:
  /// `unavailable`: not in the snapshot, and whether it is a key cannot be found out at the moment. Never to be taken
  /// for `unknown`.
  enum class State : std::uint8_t { found, unknown, unavailable };
  struct Lookup {
    State state = State::unknown;
    const Key* key = nullptr;                              // where found; lives as long as the source
    platform::WallTime until = platform::WallTime::max();  // from then on this text of the key is void
  };
  virtual ~KeySource() = default;
  [[nodiscard]] virtual Lookup find(const KeyHash& hash) const = 0;
};

}  // namespace weir::auth

#pragma once

#include <memory>
#include <string>

#include "auth/key_hash.hpp"
#include "base/result.hpp"
#include "platform/files.hpp"

namespace weir::app {

/// The key under which caller keys of a store are hashed: data_dir/master.key, 64 hexadecimal digits, mode 0600. Made
/// at the first start. Whoever has it and the store still has no caller's key; without it the store's keys open
/// nothing, so it belongs into the backup.
struct MasterKey {
  std::shared_ptr<const auth::KeyHasher> hasher;
  bool made_now = false;
};
/// Blocking. Fails where the file cannot be made or read, or holds something else: the message says what to do.
[[nodiscard]] Result<MasterKey> open_master_key(platform::Files& files, const std::string& data_dir);

}  // namespace weir::app

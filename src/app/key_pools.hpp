#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/config.hpp"
#include "observe/log.hpp"
#include "platform/clock.hpp"
#include "providers/key_pool.hpp"

namespace weir::app {

/// The key pools of all providers, for all cores, and the thread that runs the commands which print keys.
///
/// A pool outlives reloads that leave its provider's address and keys alone; where keys changed, the next pool takes
/// over what is known of the others. Thread-safe.
class KeyPools {
 public:
  explicit KeyPools(observe::Log& log) : log_(log) {}
  KeyPools(const KeyPools&) = delete;
  KeyPools& operator=(const KeyPools&) = delete;
  ~KeyPools();

  /// Makes the pools that `config` needs and does not find, and runs their commands for the first time: blocking. What
  /// the pools in use are, does not change before use().
  void prepare(const Config& config);
  /// From now on only the pools of `config` are kept, and their commands run again and again.
  void use(const Config& config);
  /// Of that provider, in this very configuration; null where no key is sent.
  [[nodiscard]] std::shared_ptr<providers::KeyPool> of(const ProviderConfig& provider) const;
  /// All in use, by name.
  [[nodiscard]] std::vector<std::shared_ptr<providers::KeyPool>> all() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::string address;
    std::vector<KeyConfig> keys;
    KeyChoice choice{};
    std::shared_ptr<providers::KeyPool> pool;
    std::vector<Clock::time_point> due;  // of each key's command
    bool in_use = false;
  };
  static bool matches(const Entry& entry, const ProviderConfig& provider);
  void adopt(const ProviderConfig& provider);
  void run_commands(std::stop_token stop);
  /// Runs one, and renews its key; gives when to run it again.
  Clock::time_point run(const std::string& provider, const KeyConfig& key, providers::KeyPool& pool, std::size_t index,
                        const std::stop_token& stop);

  observe::Log& log_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t news_ = 0;  // grows with each use()
  std::multimap<std::string, Entry, std::less<>> entries_;
  std::jthread thread_;  // runs while some key has a command; the last to be made and the first to go
};

}  // namespace weir::app

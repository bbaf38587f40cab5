#include "app/key_pools.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "platform/command.hpp"

namespace weir::app {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;     // for one command
constexpr auto again_after = 10s;  // where a command failed

bool has_command(const std::vector<KeyConfig>& keys) {
  return std::ranges::any_of(keys, [](const KeyConfig& key) { return !key.command.empty(); });
}

}  // namespace

KeyPools::~KeyPools() {
  if (thread_.joinable()) {
    thread_.request_stop();
    changed_.notify_all();
  }
}

bool KeyPools::matches(const Entry& entry, const ProviderConfig& provider) {
  return entry.address == provider.base_url.text && entry.keys == provider.keys && entry.choice == provider.key_choice;
}

std::shared_ptr<providers::KeyPool> KeyPools::of(const ProviderConfig& provider) const {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = entries_.equal_range(provider.name);
  const auto found = std::find_if(first, last, [&](const auto& one) { return matches(one.second, provider); });
  return found == last ? nullptr : found->second.pool;
}

std::vector<std::shared_ptr<providers::KeyPool>> KeyPools::all() const {
  std::vector<std::shared_ptr<providers::KeyPool>> pools;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry.in_use) {
      pools.push_back(entry.pool);
    }
  }
  return pools;
}

void KeyPools::prepare(const Config& config) {
  for (const ProviderConfig& provider : config.providers) {
    if (!provider.enabled || provider.keys.empty() || of(provider) != nullptr) {
      continue;
    }
    std::vector<providers::KeyPool::KeyOptions> keys;
    for (const KeyConfig& key : provider.keys) {
      keys.push_back({.label = key.name, .value = key.value, .weight = key.weight, .priority = key.priority});
    }
    Entry entry{.address = provider.base_url.text,
                .keys = provider.keys,
                .choice = provider.key_choice,
                .pool = std::make_shared<providers::KeyPool>(provider.name, std::move(keys), provider.key_choice,
                                                             provider.breaker),
                .due = {}};
    for (std::size_t i = 0; i < provider.keys.size(); ++i) {
      const KeyConfig& key = provider.keys[i];
      entry.due.push_back(key.command.empty() ? Clock::time_point::max()
                                              : run(provider.name, key, *entry.pool, i, std::stop_token()));
    }
    const std::lock_guard lock(mutex_);
    entries_.emplace(provider.name, std::move(entry));
  }
}

void KeyPools::use(const Config& config) {
  bool commands = false;
  {
    const std::lock_guard lock(mutex_);
    for (const ProviderConfig& provider : config.providers) {
      adopt(provider);
    }
    std::erase_if(entries_, [&](const auto& one) {
      return std::ranges::none_of(config.providers, [&](const ProviderConfig& provider) {
        return provider.name == one.first && provider.enabled && matches(one.second, provider);
      });
    });
    ++news_;
    for (auto& [name, entry] : entries_) {
      entry.in_use = true;
      commands = commands || has_command(entry.keys);
    }
  }
  if (commands && !thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run_commands(stop); });
  }
  changed_.notify_all();
}

/// The pool that `provider` has from now on knows what the one before has learned, if that was at the same address.
void KeyPools::adopt(const ProviderConfig& provider) {
  const auto [first, last] = entries_.equal_range(provider.name);
  for (auto next = first; next != last; ++next) {
    if (!matches(next->second, provider)) {
      continue;
    }
    next->second.pool->set_breaker(provider.breaker);
    const auto before = std::find_if(
        first, last, [&](const auto& one) { return one.second.in_use && one.second.address == next->second.address; });
    if (!next->second.in_use && before != last) {
      next->second.pool->adopt(*before->second.pool);
    }
  }
}

KeyPools::Clock::time_point KeyPools::run(const std::string& provider, const KeyConfig& key, providers::KeyPool& pool,
                                          std::size_t index, const std::stop_token& stop) {
  auto printed = platform::run_command(key.command, patience, stop);
  const bool usable = printed && std::ranges::all_of(*printed, [](char c) {
                        return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
                      });
  if (usable) {
    pool.renew(index, Secret(*std::move(printed)));
    return Clock::now() + key.refresh;
  }
  if (printed || printed.error().code != Code::cancelled) {
    log_.message(
        observe::Level::warn, "keys",
        fmt::format("the command for key {} of provider {}: {}", key.name, provider,
                    printed ? "it printed more than one line, or a control character" : printed.error().message));
  }
  return Clock::now() + std::min<Clock::duration>(key.refresh, again_after);
}

void KeyPools::run_commands(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    Entry* next = nullptr;
    std::size_t index = 0;
    for (auto& [name, entry] : entries_) {
      for (std::size_t i = 0; entry.in_use && i < entry.due.size(); ++i) {
        if (next == nullptr || entry.due[i] < next->due[index]) {
          next = &entry;
          index = i;
        }
      }
    }
    if (next == nullptr || next->due[index] > Clock::now()) {
      const auto until = next == nullptr ? Clock::now() + 1h : std::min(next->due[index], Clock::now() + 1h);
      changed_.wait_until(lock, stop, until, [this, seen = news_] { return news_ != seen; });
      continue;
    }
    // It may go while its command runs: everything that is needed is copied.
    const std::shared_ptr<providers::KeyPool> pool = next->pool;
    const KeyConfig key = next->keys[index];
    lock.unlock();
    const auto due = run(pool->provider(), key, *pool, index, stop);
    lock.lock();
    for (auto& [name, entry] : entries_) {
      if (entry.pool == pool) {
        entry.due[index] = due;
      }
    }
  }
}

}  // namespace weir::app

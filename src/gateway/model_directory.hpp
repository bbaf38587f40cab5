#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/models.hpp"
#include "gateway/core.hpp"

namespace weir::gateway {

/// What the providers themselves list as their models, remembered for a while.
///
/// Who asks gets what is known; a list that is old is fetched anew beside the request, by whoever asks first, and one
/// that hangs keeps nobody waiting. Only the very first ask waits, for a short time. This is the one way to a provider
/// beside Exchange: it carries nothing of a caller and costs nothing. One for all cores; thread-safe.
class ModelDirectory {
 public:
  struct Options {
    std::chrono::milliseconds fresh = std::chrono::minutes(5);
    std::chrono::milliseconds after_failure = std::chrono::seconds(30);  // until a list that failed is fetched again
    std::chrono::milliseconds fetch_timeout = std::chrono::seconds(10);
    std::chrono::milliseconds first_wait = std::chrono::seconds(2);
  };
  using ModelList = std::vector<openai::ListedModel>;
  /// By provider; one that is not known (yet) is absent.
  using Lists = std::map<std::string, std::shared_ptr<const ModelList>, std::less<>>;

  ModelDirectory() = default;
  explicit ModelDirectory(Options options) : options_(options) {}

  /// The lists of `providers`, as they are known. On the loop of `core`, whose providers and background group are used.
  Task<Lists> lists(Core& core, std::vector<std::string> providers, platform::Until until);
  /// Forgets everything: the configuration is another.
  void forget();

 private:
  struct Waiter;
  struct Entry {
    std::shared_ptr<const ModelList> list;        // null: never known
    platform::Instant due = platform::Instant{};  // when it is to be fetched again
    bool tried = false;
    platform::Instant wait_until = platform::Instant{};  // of those who ask before it was tried
    bool fetching = false;
    std::vector<std::shared_ptr<Waiter>> waiters;
  };
  Task<void> fetch(Core& core, std::string name, std::shared_ptr<providers::Provider> provider,
                   std::uint64_t generation);
  void fetched(Core& core, const std::string& name, std::uint64_t generation, std::shared_ptr<const ModelList> list);

  const Options options_;
  std::mutex mutex_;  // held to look up and to move pointers
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t generation_ = 0;
};

}  // namespace weir::gateway

#include "gateway/model_directory.hpp"

#include "observe/metric_names.hpp"

namespace weir::gateway {

using platform::Instant;

namespace {

constexpr std::size_t list_bytes_max = std::size_t{8} << 20;

/// The whole list, or nothing, whatever was wrong with it.
Task<std::shared_ptr<const ModelDirectory::ModelList>> ask(providers::Provider& provider, platform::Until until) {
  const providers::UpstreamRequest request{
      .method = "GET", .path = "/models", .body = {}, .headers = {}, .connect_deadline = until.deadline};
  providers::UpstreamFacts facts;
  const auto reply = co_await provider.send(request, facts, until);
  if (!reply || (*reply)->status() != 200) {
    co_return nullptr;
  }
  std::string body;
  while (true) {
    const auto bytes = co_await (*reply)->read(until);
    if (!bytes || body.size() > list_bytes_max) {
      co_return nullptr;
    }
    if (bytes->empty()) {
      break;
    }
    body += *bytes;
  }
  auto models = openai::read_models(body);
  if (!models) {
    co_return nullptr;
  }
  co_return std::make_shared<const ModelDirectory::ModelList>(*std::move(models));
}

}  // namespace

/// Somebody's very first ask.
struct ModelDirectory::Waiter {
  explicit Waiter(platform::Loop& on) : loop(on), signal(on) {}
  platform::Loop& loop;
  platform::Signal signal;
  std::size_t missing = 0;  // on its loop alone, but for the time before it waits
};

Task<ModelDirectory::Lists> ModelDirectory::lists(Core& core, std::vector<std::string> providers,
                                                  platform::Until until) {
  const Instant now = core.loop.now();
  const auto waiter = std::make_shared<Waiter>(core.loop);
  struct ToFetch {
    std::string name;
    std::shared_ptr<providers::Provider> provider;
  };
  std::vector<ToFetch> to_fetch;
  std::uint64_t generation = 0;
  Instant wait_until = now;
  {
    const std::scoped_lock lock(mutex_);
    generation = generation_;
    for (const std::string& name : providers) {
      const auto provider = core.snapshot->providers.find(name);
      if (provider == core.snapshot->providers.end()) {
        continue;
      }
      Entry& entry = entries_[name];
      if (!entry.fetching && (!entry.tried || now >= entry.due)) {
        entry.fetching = true;
        to_fetch.push_back({name, provider->second});
      }
      if (entry.wait_until == Instant{}) {
        entry.wait_until = now + options_.first_wait;
      }
      if (!entry.tried && now < entry.wait_until) {
        wait_until = std::max(wait_until, entry.wait_until);
        entry.waiters.push_back(waiter);
        ++waiter->missing;
      }
    }
  }
  const bool first = waiter->missing > 0;
  for (ToFetch& one : to_fetch) {
    core.background.spawn("fetch a model list", fetch(core, std::move(one.name), std::move(one.provider), generation));
  }
  if (first) {
    static_cast<void>(co_await waiter->signal.wait(until.at_most(wait_until)));
  }
  Lists lists;
  const std::scoped_lock lock(mutex_);
  for (const std::string& name : providers) {
    const auto entry = entries_.find(name);
    if (entry != entries_.end() && entry->second.list != nullptr) {
      lists.emplace(name, entry->second.list);
    }
  }
  co_return lists;
}

Task<void> ModelDirectory::fetch(Core& core, std::string name, std::shared_ptr<providers::Provider> provider,
                                 std::uint64_t generation) {
  // Whatever happens, the entry must not stay `fetching`.
  std::shared_ptr<const ModelList> list;
  try {
    list = co_await ask(*provider, {core.loop.now() + options_.fetch_timeout, &core.background.cancellation()});
  } catch (...) {
    fetched(core, name, generation, nullptr);
    throw;
  }
  fetched(core, name, generation, std::move(list));
}

void ModelDirectory::fetched(Core& core, const std::string& name, std::uint64_t generation,
                             std::shared_ptr<const ModelList> list) {
  core.metrics.cell(observe::metric::model_lists, {name, list != nullptr ? "ok" : "failed"}).add();
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const std::scoped_lock lock(mutex_);
    if (generation != generation_) {
      return;  // of a configuration that is gone, and so are those who wait for it
    }
    Entry& entry = entries_[name];
    entry.fetching = false;
    entry.tried = true;
    entry.due = core.loop.now() + (list != nullptr ? options_.fresh : options_.after_failure);
    if (list != nullptr) {
      entry.list = std::move(list);  // a list that could not be had does not make an old one wrong
    }
    waiters.swap(entry.waiters);
  }
  for (std::shared_ptr<Waiter>& waiter : waiters) {
    platform::Loop& loop = waiter->loop;
    loop.post([waiter = std::move(waiter)] {
      if (--waiter->missing == 0) {
        waiter->signal.notify();
      }
    });
  }
}

void ModelDirectory::forget() {
  const std::scoped_lock lock(mutex_);
  ++generation_;
  entries_.clear();
}

}  // namespace weir::gateway

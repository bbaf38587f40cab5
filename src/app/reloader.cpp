#include "app/reloader.hpp"

#include <fmt/format.h>

#include <future>

#include "app/config_changes.hpp"

namespace weir::app {

using observe::Level;

Reloader::Reloader(Node& node, observe::Log& log, platform::Files& files, Options options, const ConfigOutcome& started)
    : node_(node),
      log_(log),
      files_(files),
      options_(std::move(options)),
      started_(std::make_shared<const Config>(*started.config)),
      current_(started_),
      watched_(started.files),
      notices_told_(started.notices),
      loaded_(look()) {
  thread_ = std::thread([this] { run(); });
}

void Reloader::reload(Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      asked_.push_back(std::move(done));
      wake_.notify_one();
      return;
    }
  }
  done({.errors = {"the gateway is stopping"}});
}

void Reloader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

Reloader::Stamps Reloader::look() const {
  Stamps stamps;
  for (const std::string& path : watched_) {
    stamps.emplace(path, files_.stamp(path));
  }
  return stamps;
}

void Reloader::run() {
  Stamps seen = loaded_;
  while (true) {
    std::vector<Done> asked;
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !asked_.empty(); };
      if (current_->reload_on_change) {
        wake_.wait_for(lock, options_.look_every, wanted);
      } else {
        wake_.wait(lock, wanted);
      }
      if (stopping_) {
        asked.swap(asked_);
        lock.unlock();
        for (const Done& done : asked) {
          done({.errors = {"the gateway is stopping"}});
        }
        return;
      }
      asked.swap(asked_);
    }
    const Stamps now = look();
    const bool quiet = now == std::exchange(seen, now);
    if (asked.empty() && (now == loaded_ || !quiet)) {
      continue;
    }
    const admin::ReloadOutcome outcome = load_now();
    // What was looked at before the reading: a change that came in between is seen the next time. Files that this
    // configuration names for the first time count as they are now.
    loaded_ = look();
    for (auto& [path, stamp] : loaded_) {
      if (const auto before = now.find(path); before != now.end()) {
        stamp = before->second;
      }
    }
    seen = loaded_;
    for (const Done& done : asked) {
      done(outcome);
    }
    if (asked.empty() && options_.unasked) {
      options_.unasked(outcome);
    }
  }
}

admin::ReloadOutcome Reloader::load_now() {
  ConfigOutcome read = options_.read();
  admin::ReloadOutcome outcome{.errors = std::move(read.errors), .notices = std::move(read.notices)};
  // A file that a rejected configuration named is watched too: mending it may be what is missing.
  watched_ = std::move(read.files);
  std::string file;
  if (!read.config) {
    node_.count_rejected_reload();
  } else {
    const auto config = std::make_shared<const Config>(std::move(*read.config));
    file = config->file;
    std::promise<void> everywhere;
    const Result<void> accepted = node_.reload(config, [&everywhere] { everywhere.set_value(); });
    if (accepted) {
      everywhere.get_future().wait();
      outcome.applied = true;
      outcome.changes = describe_changes(*current_, *config);
      outcome.restart = needs_restart(*started_, *config);
      current_ = config;
      if (options_.applied) {
        options_.applied(*config);
      }
    } else {
      outcome.errors.push_back(accepted.error().message);
    }
  }
  tell(outcome, file);
  if (outcome.applied) {  // the node has logged them, when they became so
    for (const std::string& what : misplaced_tenants(*node_.allowances().all()).orphans) {
      outcome.notices.push_back("tenants: " + what);
    }
  }
  return outcome;
}

void Reloader::tell(const admin::ReloadOutcome& outcome, const std::string& file) {
  if (!outcome.applied) {
    log_.message(Level::error, "config",
                 fmt::format("the configuration was rejected ({} errors); nothing changed", outcome.errors.size()));
    for (const std::string& error : outcome.errors) {
      log_.message(Level::error, "config", error);
    }
    return;
  }
  log_.message(Level::info, "config",
               fmt::format("the configuration was loaded{}{}", file.empty() ? "" : " from " + file,
                           outcome.changes.empty() ? ": nothing is different" : ""));
  for (const std::string& change : outcome.changes) {
    log_.message(Level::info, "config", change);
  }
  for (const std::string& line : outcome.restart) {
    log_.message(Level::warn, "config", line);
  }
  if (outcome.notices != notices_told_) {
    notices_told_ = outcome.notices;
    for (const std::string& notice : outcome.notices) {
      log_.message(Level::info, "config", "notice: " + notice);
    }
  }
}

}  // namespace weir::app

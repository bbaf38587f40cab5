#include "providers/reachability.hpp"

namespace weir::providers {

bool Reachability::note(std::string_view provider, std::optional<Code> failure, platform::Instant now,
                        platform::Duration took) {
  const std::lock_guard lock(mutex_);
  auto place = found_.find(provider);
  const bool is_new = place == found_.end();
  if (is_new) {
    place = found_.emplace(std::string(provider), Found{.provider = std::string(provider)}).first;
  }
  Found& found = place->second;
  const bool news = is_new ? failure.has_value() : found.failure.has_value() != failure.has_value();
  found.failure = failure;
  found.at = now;
  found.took = took;
  ++(failure ? found.failed : found.succeeded);
  return news;
}

void Reachability::keep(const std::function<bool(std::string_view)>& wanted) {
  const std::lock_guard lock(mutex_);
  std::erase_if(found_, [&](const auto& one) { return !wanted(one.first); });
}

std::optional<Reachability::Found> Reachability::of(std::string_view provider) const {
  const std::lock_guard lock(mutex_);
  const auto found = found_.find(provider);
  return found == found_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Reachability::Found> Reachability::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Found> all;
  for (const auto& [name, found] : found_) {
    all.push_back(found);
  }
  return all;
}

void Reachability::note_probe(std::string_view target, bool answered, platform::Instant now) {
  const std::lock_guard lock(mutex_);
  Probed& probed = probed_[std::string(target)];
  probed.target = target;
  probed.answered = answered;
  probed.at = now;
  ++(answered ? probed.succeeded : probed.failed);
}

std::vector<Reachability::Probed> Reachability::probes() const {
  const std::lock_guard lock(mutex_);
  std::vector<Probed> all;
  for (const auto& [name, probed] : probed_) {
    all.push_back(probed);
  }
  return all;
}

}  // namespace weir::providers

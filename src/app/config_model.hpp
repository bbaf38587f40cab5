#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_load.hpp"
#include "settings/report.hpp"
#include "settings/section.hpp"

namespace weir::app {

/// In the place of a model: not even the general one.
inline constexpr std::string_view no_fallback = "none";

/// The providers as targets need them.
class KnownProviders {
 public:
  KnownProviders(const settings::Section& root, const std::vector<ProviderConfig>& providers)
      : root_(root), providers_(providers) {
    for (const ProviderConfig& provider : providers) {
      names_.push_back(provider.name);
    }
  }
  [[nodiscard]] const ProviderConfig* find(std::string_view name) const {
    auto found = std::ranges::find(providers_, name, &ProviderConfig::name);
    return found == providers_.end() ? nullptr : &*found;
  }
  [[nodiscard]] settings::Section section(const std::string& name) const { return root_.at("providers").named(name); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  settings::Section root_;
  const std::vector<ProviderConfig>& providers_;
  std::vector<std::string> names_;
};

/// One entry of `models`: the policy and what explains it.
struct BuiltModel {
  routing::ModelPolicy policy;
  ModelValues values;
};
BuiltModel build_model(const settings::Entry& entry, const settings::Section& root, const KnownProviders& providers,
                       settings::Report& report);

}  // namespace weir::app

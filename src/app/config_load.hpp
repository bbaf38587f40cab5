#pragma once

#include "app/config.hpp"
#include "settings/expand.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::app {

using Environment = settings::Environment;

/// Whether the store of a configuration may hold keys. Without this function each may.
using AskStore = std::function<bool(const Config& config)>;

/// One effective value and what set it: a line of the file, an environment variable, or the default.
struct EffectiveValue {
  std::string option;  // "timeouts.first_token"
  std::string value;   // "30s"
  std::string origin;  // "weir.yaml:28", "WEIR_RETRY__ATTEMPTS", "default"
};

/// The effective values of one target of a model, in the order of its steps.
struct TargetValues {
  std::string target;  // "openai/gpt-4o"
  int step = 0;        // counted from 0
  int weight = 1;
  std::string off;  // why it cannot be used; empty: usable
  std::vector<EffectiveValue> values;
};
struct ModelValues {
  std::string name;
  std::string origin;                  // "weir.yaml:14"
  std::vector<EffectiveValue> values;  // of the model as a whole
  std::vector<TargetValues> targets;
};

/// What came of reading a config: either `config`, or all its errors. Notices come in both cases.
struct ConfigOutcome {
  std::optional<Config> config;
  std::vector<std::string> errors;   // `weir.yaml:14: models.smart.steps[0]: no provider is named "opnai"; ...`
  std::vector<std::string> notices;  // the same form: what is accepted but not built yet, which providers are off
  std::vector<ModelValues> models;   // for explain_effective
  std::vector<std::string> files;    // that were read or looked for: a change of one of them may change the outcome
};

/// Reads a config file, the files `.env` (weaker than `environment`) and `models.yaml` beside it and the environment,
/// checks all of it and builds the Config. Blocking; for start and reload. Never throws for what stands in a file.
ConfigOutcome load_config(const std::filesystem::path& file, const Environment& environment,
                          const AskStore& may_hold_keys = {});

/// `environment` with the names of the `.env` file in `folder` that it lacks; nothing happens where there is no file.
Environment with_dotenv(const std::filesystem::path& folder, const Environment& environment,
                        std::vector<std::string>& notices);

/// The same as load_config from text in memory, without a `.env` file. `name` is what messages call the file;
/// `read_file` serves `${file:/path}`.
ConfigOutcome parse_config(std::string_view text, const std::string& name, const Environment& environment,
                           const settings::ReadFile& read_file);

/// `weir check --explain MODEL`: each effective value of each target and the line that set it. A name that a pattern or
/// a forwarding provider takes is explained by what takes it. Error: model_not_found, with the nearest name.
Result<std::string> explain_effective(const ConfigOutcome& outcome, std::string_view model);

/// A whole small file (at most 16 MiB), in words of ours where it cannot be read.
Result<std::string> read_small_file(const std::string& path);

}  // namespace weir::app

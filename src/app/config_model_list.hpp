#pragma once

#include "settings/node.hpp"
#include "settings/report.hpp"

namespace weir::app {

// Models as a list, the way `models.yaml` has them: each entry has a name and a base_url of its own.
//
//   - {name: llama, base_url: http://10.0.0.7:8000/v1, model: meta/llama-3, api_key: $LLAMA_KEY}
//
// An entry becomes a provider and a model with that name. `model` is the server's name for it (the same by default),
// `api_key` stands for `keys: [...]` (none by default), `dialect` is openai by default; all else is an option of the
// provider.

/// Turns a list below `models`, or a file that is nothing but a list, into providers and models.
void add_listed_models(settings::Node& root, settings::Report& report);

/// Adds what `models.yaml` says: a list, `models:` with a list or a section below it, or the section itself. A name
/// that the config has already is an error.
void add_models_file(settings::Node& root, settings::Node file, settings::Report& report);

}  // namespace weir::app

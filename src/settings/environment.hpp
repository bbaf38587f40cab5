#pragma once

#include "settings/expand.hpp"
#include "settings/node.hpp"
#include "settings/report.hpp"
#include "settings/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

/// A variable with a name of its own that sets an option.
struct NamedVariable {
  std::string name;  // HTTP_TIMEOUT
  std::string path;  // timeouts.total
};

/// Which variables speak about options.
struct VariableNames {
  std::string prefix;                  // "WEIR_": WEIR_RETRY__ATTEMPTS sets retry.attempts
  std::vector<NamedVariable> named;    // one by one
  std::vector<std::string> elsewhere;  // names with the prefix that others read; not worth a warning
};

/// The options that variables with names of their own set, as a tree to lay over the file's. Values are taken as they
/// are, lists are divided at commas, an empty variable counts as absent.
Node read_named_variables(const Environment& environment, const VariableNames& names, const Schema& schema);

/// The same for all names with the prefix. A name of the user's (a provider) is looked up in `file` without regard to
/// case and punctuation, so WEIR_MODELS__GPT_4O means models.gpt-4o. A name that is no option is a notice, not an
/// error: Kubernetes sets WEIR_PORT for a service named weir.
Node read_prefixed_variables(const Environment& environment, const VariableNames& names, const Schema& schema,
                             const Node& file, Report& report);

}  // namespace weir::settings

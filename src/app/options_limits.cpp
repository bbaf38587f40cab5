#include "app/options_table.hpp"

#include <string>

namespace weir::app {

using settings::State;
using settings::Type;

void add_limit_options(OptionTable& table) {
  table.push_back({.path = "limits", .sentence = "How much a caller may ask for; a key's own limits win."});
  for (const std::string who : {"limits.without_key", "limits.per_key"}) {
    const bool anonymous = who == "limits.without_key";
    const State state = anonymous ? State::built : State::later;
    table.push_back({.path = who,
                     .state = state,
                     .sentence = anonymous ? "Each address that calls without a key; an IPv6 network of 64 bits is one."
                                           : "Each key without own limits."});
    table.push_back(
        {.path = who + ".requests",
         .type = Type::text,
         .fallback = anonymous ? "100/60s" : "",
         .form = "number/duration",
         .state = state,
         .sentence = anonymous ? "Requests in any span of that length. The default holds with auth.mode: optional; "
                                 "otherwise there is no limit unless it is set here. none switches it off."
                               : "Requests in any span of that length.",
         .example = "100/60s"});
    table.push_back({.path = who + ".tokens",
                     .type = Type::text,
                     .form = "number/duration",
                     .state = state,
                     .sentence = "Tokens of prompts and answers in any span of that length.",
                     .example = "50000/1m"});
    table.push_back({.path = who + ".in_flight",
                     .type = Type::integer,
                     .form = "calls",
                     .min = "1",
                     .max = "1000000",
                     .state = state,
                     .sentence = "Calls at the same time.",
                     .example = "8"});
  }
}

}  // namespace weir::app

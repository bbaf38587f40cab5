#include "app/options_table.hpp"

namespace weir::app {

using settings::Repeat;
using settings::Type;

void add_auth_options(OptionTable& table) {
  const OptionTable options = {
      {.path = "auth", .sentence = "Who may call."},
      {.path = "auth.mode",
       .type = Type::choice,
       .fallback = "required",
       .words = {"required", "optional", "none"},
       .sentence = "Whether callers need a key: required (nobody does on loopback while none was ever configured), "
                   "optional (a key that is sent must be good), or none (loopback only, no default limits).",
       .example = "required"},
      {.path = "auth.admin_key",
       .type = Type::secret,
       .sentence = "The key that opens /admin, and nothing else, from wherever weir listens; better as the variable "
                   "WEIR_ADMIN_KEY, which the other commands read too.",
       .example = "$WEIR_ADMIN_KEY"},
      {.path = "auth.keys",
       .sentence =
           "Fixed caller keys. `weir keys generate` makes a value; a key that is taken out is dead with the next "
           "reload.",
       .example = "[{name: demo, value: $TEAM_KEY}]"},
      {.path = "auth.keys[].name",
       .type = Type::text,
       .sentence = "The key's name in logs, explanations and refusals.",
       .example = "demo"},
      {.path = "auth.keys[].value",
       .type = Type::secret,
       .sentence = "The key itself; known as a hash once weir runs.",
       .example = "$TEAM_KEY"},
      {.path = "auth.keys[].role",
       .type = Type::choice,
       .fallback = "user",
       .words = {"admin", "operator", "user"},
       .sentence = "What it opens: admin and operator /admin and calls, user calls.",
       .example = "operator"},
      {.path = "auth.keys[].tenant",
       .type = Type::text,
       .fallback = "default",
       .sentence = "Whose calls they are: tenants share nothing.",
       .example = "team-a"},
      {.path = "auth.keys[].user",
       .type = Type::text,
       .sentence = "The person or program that holds it.",
       .example = "ada"},
      {.path = "auth.keys[].models",
       .type = Type::text,
       .fallback = "*",
       .form = "name, * for anything",
       .repeat = Repeat::list,
       .sentence = "The models that its calls may name.",
       .example = "[gpt-4o, \"local/*\"]"},
      {.path = "auth.keys[].endpoints",
       .type = Type::text,
       .fallback = "*",
       .form = "path, * for anything",
       .repeat = Repeat::list,
       .sentence = "The endpoints that it may use.",
       .example = "[/v1/embeddings, \"/v1/models*\"]"},
      {.path = "auth.keys[].ip_allow",
       .type = Type::text,
       .form = "address or network",
       .repeat = Repeat::list,
       .sentence = "The addresses that it may be used from; all where the list is absent.",
       .example = "[10.0.0.0/8]"},
      {.path = "auth.keys[].active",
       .type = Type::boolean,
       .fallback = "true",
       .sentence = "Whether it works; a key that is switched off is told so.",
       .example = "false"},
      {.path = "auth.keys[].expires_at",
       .type = Type::text,
       .form = "date or RFC 3339 time",
       .sentence = "From when on it is refused; a date alone means its first moment, UTC.",
       .example = "2027-01-31T18:00:00Z"},
  };
  table.insert(table.end(), options.begin(), options.end());
  add_allowance_options(table, "auth.keys[]");
}

}  // namespace weir::app

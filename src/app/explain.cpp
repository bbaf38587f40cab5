#include <fmt/format.h>

#include "admin/story.hpp"
#include "app/admin_client.hpp"
#include "app/admin_command.hpp"
#include "app/commands.hpp"

namespace weir::app {

int explain(const ExplainOptions& options) {
  const auto body =
      ask_as_command("explain", options.url, http::Method::get, "/admin/v1/requests/" + url_escaped(options.id));
  if (!body) {
    return body.error();
  }
  if (options.json) {
    fmt::print("{}\n", *body);
    return 0;
  }
  const auto story = admin::story_of(*body);
  if (!story) {
    fmt::print(stderr, "weir explain: {} did not send a record: {}\n", weir_url(options.url), story.error().message);
    return 1;
  }
  fmt::print("{}", *story);
  return 0;
}

}  // namespace weir::app

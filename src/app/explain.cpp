#include <fmt/format.h>

#include "admin/story.hpp"
#include "app/admin_client.hpp"
#include "app/commands.hpp"

namespace weir::app {

int explain(const ExplainOptions& options) {
  const std::string url = weir_url(options.url);
  const auto reply = ask_weir(url, http::Method::get, "/admin/v1/requests/" + options.id);
  if (!reply) {
    fmt::print(stderr, "weir explain: {}\n", reply.error().message);
    return 1;
  }
  if (reply->status != 200) {
    fmt::print(stderr, "weir explain: {}\n",
               reply->status == 404
                   ? fmt::format("no call `{}` is known; the last 1,000 that ended are kept.", options.id)
                   : fmt::format("{} answered {}: {}", url, reply->status, reply->body));
    return 1;
  }
  if (options.json) {
    fmt::print("{}\n", reply->body);
    return 0;
  }
  const auto story = admin::story_of(reply->body);
  if (!story) {
    fmt::print(stderr, "weir explain: {} did not send a record: {}\n", url, story.error().message);
    return 1;
  }
  fmt::print("{}", *story);
  return 0;
}

}  // namespace weir::app

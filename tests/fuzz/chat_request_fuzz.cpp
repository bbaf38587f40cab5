// LINKS: weir_dialects
//
// Feeds any bytes to the readers of the OpenAI dialect: as a request, as an event of a stream, as a whole reply. What
// must hold for every input:
//   - a request that is accepted stays accepted after weir's edits, and then names the new model and asks for usage;
//   - undoing the edits gives the caller's bytes again;
//   - an event stays well-formed, and says the same otherwise, when its usage member is cut out;
//   - an error that we render from any bytes is one line of valid JSON.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/assert.hpp"
#include "dialects/openai/edits.hpp"
#include "dialects/openai/errors.hpp"
#include "dialects/openai/reply.hpp"
#include "dialects/openai/request.hpp"
#include "dialects/openai/stream.hpp"
#include "dialects/openai/stream_checker.hpp"

namespace {

using namespace weir;

std::string edited(std::string_view body, const openai::EditList& edits) {
  std::vector<std::string_view> parts;
  openai::slices(body, edits.all(), parts);
  std::string text;
  for (const std::string_view part : parts) {
    text += part;
  }
  WEIR_ASSERT(text.size() == openai::edited_size(body, edits.all()), "the slices have another size than was said");
  return text;
}

std::string undone(std::string_view body, std::string after, const openai::EditList& edits) {
  std::size_t at = 0;
  for (const openai::Edit& edit : edits.all()) {
    // What stands in front of the edit is the body's again, so the edit stands where it was.
    at = edit.offset;
    WEIR_ASSERT(after.substr(at, edit.replacement.size()) == edit.replacement, "an edit stands elsewhere");
    after.replace(at, edit.replacement.size(), body.substr(edit.offset, edit.length));
  }
  return after;
}

void check_request(std::string_view body) {
  const auto request = openai::read_chat_request(body);
  if (!request) {
    const std::string rendered = openai::error_body(request.error());
    WEIR_ASSERT(text::scan_document(rendered).has_value(), "an error is not valid JSON");
    return;
  }
  const std::string_view model = "up\"stream";
  openai::EditList edits;
  edits.add(openai::edit_model(*request, model));
  edits.add(openai::edit_include_usage(*request));
  const std::string after = edited(body, edits);
  const auto again = openai::read_chat_request(after);
  WEIR_ASSERT(again.has_value(), "an edited request is refused");
  WEIR_ASSERT(again->model == model && again->include_usage, "an edit did not take");
  WEIR_ASSERT(again->stream == request->stream && again->n == request->n && again->max_tokens == request->max_tokens &&
                  again->max_completion_tokens == request->max_completion_tokens,
              "an edit changed something else");
  WEIR_ASSERT(undone(body, after, edits) == body, "a byte outside of the edits has changed");
}

void check_chunk(std::string_view data) {
  const openai::ChunkFacts facts = openai::inspect_chunk(data);
  openai::ChatStream stream(openai::UsageView::hidden);
  const openai::Relay relay = stream.take(facts);
  openai::StreamChecker checker(openai::StreamChecker::Usage::not_asked);
  checker.feed(data);
  if (!facts.usage_member) {
    WEIR_ASSERT(relay.how == openai::Relay::How::whole, "an event without usage is touched");
    return;
  }
  std::string without(data);
  without.erase(facts.usage_member->offset, facts.usage_member->length);
  const openai::ChunkFacts cut = openai::inspect_chunk(without);
  WEIR_ASSERT(!cut.malformed, "an event is malformed after its usage was cut out");
  WEIR_ASSERT(cut.choices == facts.choices && cut.finished == facts.finished && cut.id_raw == facts.id_raw &&
                  cut.content_bearing == facts.content_bearing && cut.error.has_value() == facts.error.has_value(),
              "cutting the usage changed something else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_unique<char[]>(size);
  std::memcpy(bytes.get(), data, size);
  const std::string_view text(bytes.get(), size);

  check_request(text);
  check_chunk(text);
  (void)openai::inspect_reply(text);

  const std::string event = openai::error_event(text, "server_error", text, text);
  WEIR_ASSERT(event.starts_with("data: ") && event.ends_with("\n\n"), "an error event has no frame");
  const std::string_view payload = std::string_view(event).substr(6, event.size() - 8);
  WEIR_ASSERT(payload.find_first_of("\r\n") == std::string_view::npos, "an error event has two lines");
  WEIR_ASSERT(text::scan_document(payload).has_value(), "an error event is not valid JSON");
  return 0;
}

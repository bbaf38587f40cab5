#include "dialects/openai/edits.hpp"

#include <utility>

#include "base/assert.hpp"
#include "text/json_value.hpp"

namespace weir::openai {
namespace {

/// `member` as the first of an object that begins at `offset`, behind its brace.
Edit insert_member(std::size_t offset, std::string member, bool others_follow) {
  if (others_follow) {
    member += ',';
  }
  return {offset, 0, std::move(member)};
}

}  // namespace

std::optional<Edit> edit_model(const Request& request, std::string_view upstream_model) {
  if (request.model_value && !request.model.empty() && request.model == upstream_model) {
    return std::nullopt;
  }
  std::string text;
  if (request.model_value) {
    text::append_json_string(text, upstream_model);
    return Edit{request.model_value->offset, request.model_value->length, std::move(text)};
  }
  text = R"("model":)";
  text::append_json_string(text, upstream_model);
  return insert_member(request.members_begin, std::move(text), request.has_members);
}

std::optional<Edit> edit_include_usage(const Request& request) {
  if (request.include_usage) {
    return std::nullopt;
  }
  if (!request.stream_options) {
    return insert_member(request.members_begin, R"("stream_options":{"include_usage":true})", request.has_members);
  }
  if (!request.stream_options_is_object) {
    return Edit{request.stream_options->offset, request.stream_options->length, R"({"include_usage":true})"};
  }
  if (request.include_usage_value) {
    return Edit{request.include_usage_value->offset, request.include_usage_value->length, "true"};
  }
  return insert_member(request.stream_options->offset + 1, R"("include_usage":true)", !request.stream_options_is_empty);
}

OutputEdits edit_output_limit(const Request& request, std::int64_t limit, std::string_view member) {
  const std::string number = std::to_string(limit);
  const auto bounded = [&](const std::optional<std::int64_t>& asked, const std::optional<text::Span>& value) {
    const bool is_bounded = !asked || (*asked > 0 && *asked <= limit);
    return is_bounded ? std::nullopt : std::optional(Edit{value->offset, value->length, *asked == 0 ? "1" : number});
  };
  OutputEdits edits{bounded(request.max_tokens, request.max_tokens_value),
                    bounded(request.max_completion_tokens, request.max_completion_tokens_value),
                    bounded(request.n_predict, request.n_predict_value)};
  if (request.max_tokens || request.max_completion_tokens) {
    return edits;
  }
  // Named as null, it is named all the same: a second member of the name would be an error.
  const auto& null = member == "max_tokens" ? request.max_tokens_value : request.max_completion_tokens_value;
  if (null) {
    edits[0] = Edit{null->offset, null->length, number};
  } else {
    edits[0] = insert_member(request.members_begin, "\"" + std::string(member) + "\":" + number, request.has_members);
  }
  return edits;
}

std::optional<Edit> edit_no_stream_options(const Request& request, std::string_view body) {
  if (!request.stream_options) {
    return std::nullopt;
  }
  // The key in front of the value, however it is spelled: its name has no quote, so the last two quotes are its own.
  constexpr std::string_view blanks = " \t\r\n";
  std::size_t begin = body.rfind('"', body.rfind('"', request.stream_options->offset - 1) - 1);
  std::size_t end = request.stream_options->end();
  if (const std::size_t before = body.find_last_not_of(blanks, begin - 1); body[before] == ',') {
    begin = before;
  } else if (const std::size_t after = body.find_first_not_of(blanks, end); body[after] == ',') {
    end = after + 1;
  }
  return Edit{begin, end - begin, {}};
}

void EditList::add(std::optional<Edit> edit) {
  if (!edit) {
    return;
  }
  WEIR_ASSERT(size_ < size_max, "more edits than there are kinds of edits");
  std::size_t place = size_++;
  for (; place > 0 && edits_[place - 1].offset > edit->offset; --place) {
    edits_[place] = std::move(edits_[place - 1]);
  }
  edits_[place] = *std::move(edit);
}

void slices(std::string_view body, std::span<const Edit> edits, std::vector<std::string_view>& out) {
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    WEIR_ASSERT(edit.offset >= at && edit.offset + edit.length <= body.size(), "edits overlap, or leave the body");
    if (edit.offset > at) {
      out.push_back(body.substr(at, edit.offset - at));
    }
    if (!edit.replacement.empty()) {
      out.push_back(edit.replacement);
    }
    at = edit.offset + edit.length;
  }
  if (at < body.size()) {
    out.push_back(body.substr(at));
  }
}

std::size_t edited_size(std::string_view body, std::span<const Edit> edits) {
  std::size_t size = body.size();
  for (const Edit& edit : edits) {
    size = size - edit.length + edit.replacement.size();
  }
  return size;
}

}  // namespace weir::openai

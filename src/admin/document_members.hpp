#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "text/json_value.hpp"

/// The members of documents that the admin API takes. `path` is the member's, and stands in front of what is said to be
/// wrong; a null puts `fallback` in the place. Errors: invalid_request, with what is allowed.
namespace weir::admin {

inline constexpr std::size_t document_bytes_max = std::size_t{64} << 10;

/// The document itself: a JSON object that is not too large.
Result<void> check_document(std::string_view json);

/// A text for people or a name: without control characters.
Result<void> read_text(const text::JsonValue& value, std::string_view path, std::size_t bytes_max,
                       std::string_view fallback, std::string& into);
/// The same for what is never empty: only a null, which is nothing, makes it so.
Result<void> read_name_or_null(const text::JsonValue& value, std::string_view path, std::size_t bytes_max,
                               std::string& into);
Result<void> read_flag(const text::JsonValue& value, std::string_view path, bool fallback, bool& into);
/// A moment; as observe::rfc3339 writes it, and as it was written.
Result<void> read_moment(const text::JsonValue& value, std::string_view path, std::string& into, std::string& written);
/// A list of texts, each of which `check` may refuse: it gives what is allowed, or nothing where the text is good. Kept
/// as it was written.
Result<void> read_list(const text::JsonValue& value, std::string_view path, std::string_view fallback,
                       std::string_view (*check)(std::string_view), std::string& into);
/// An object of any members, kept as it was written. All names and texts in it are Unicode.
Result<void> read_object(const text::JsonValue& value, std::string_view path, std::string& into);

/// The limits, budgets and quotas of a key or tenant, kept as they were written.
struct RuleTexts {
  std::string* limits = nullptr;
  std::string* budgets = nullptr;
  std::string* quotas = nullptr;
};
/// The member of that name: `limits`, `budgets` or `quotas`.
Result<void> read_rules(std::string_view name, const text::JsonValue& value, RuleTexts rules);
/// Whether they can be kept to: what budgets and quotas say is judged together.
Result<void> check_rules(RuleTexts rules);

/// Refuses a document that names what only weir sets, which is no slip of the hand.
Result<void> refuse_read_only(std::string_view json, std::span<const std::string_view> names);

/// `name` and `text` as a member of a JSON object, with a comma behind; null where the text is empty.
void append_text(std::string& out, std::string_view name, std::string_view text);
/// The same, with "" for an empty text.
void append_string(std::string& out, std::string_view name, std::string_view text);
/// A moment without its fraction of a second where that is zero, as people write it.
void append_moment(std::string& out, std::string_view name, std::string_view moment);
/// JSON as it is.
void append_raw(std::string& out, std::string_view name, std::string_view json);

/// Of what the readers here and those of limits and budgets say is wrong: the path in front, or the parameter of a
/// query, which stands between backquotes; empty where there is none.
[[nodiscard]] std::string path_in(std::string_view message);

}  // namespace weir::admin

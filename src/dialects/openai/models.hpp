#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_scan.hpp"

/// Lists of models on the wire. Source: OpenAI's OpenAPI 2.3.0, `GET /models`; the bare array is Together's.
namespace weir::openai {

/// One model as its provider lists it.
struct ListedModel {
  std::string id;
  std::string object;   // as it was sent
  text::Span id_value;  // in `object`
};

/// The models of `{"data":[...]}` or `[...]`; nothing where it is neither. Entries without an id are left out, and so
/// is what comes after the first 20,000.
[[nodiscard]] std::optional<std::vector<ListedModel>> read_models(std::string_view body);

/// Appends the model as its provider describes it, with `id` as its id.
void append_model(std::string& out, const ListedModel& model, std::string_view id);
/// Appends a model of which no more is known than its name.
void append_model(std::string& out, std::string_view id, std::string_view owner);

}  // namespace weir::openai

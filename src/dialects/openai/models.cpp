#include "dialects/openai/models.hpp"

#include "text/json_value.hpp"

namespace weir::openai {

using text::JsonKind;
using text::JsonValue;

namespace {
constexpr std::size_t models_max = 20'000;
constexpr std::size_t id_bytes_max = 1024;  // as of a call's model
}  // namespace

std::optional<std::vector<ListedModel>> read_models(std::string_view body) {
  if (!text::scan_document(body)) {
    return std::nullopt;
  }
  std::string_view list = body;
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (body[first] == '{') {
    const auto data = text::find_member(body, "data");
    if (!data || data->kind != JsonKind::array) {
      return std::nullopt;
    }
    list = data->raw;
  } else if (body[first] != '[') {
    return std::nullopt;
  }
  std::vector<ListedModel> models;
  text::for_each_element(list, [&](const JsonValue& entry) {
    const auto id = entry.kind == JsonKind::object ? text::find_member(entry.raw, "id") : std::nullopt;
    if (!id || id->kind != JsonKind::string) {
      return true;
    }
    auto name = text::unescape(id->string_raw());
    if (name && !name->empty() && name->size() <= id_bytes_max) {
      models.push_back({.id = *std::move(name),
                        .object = std::string(entry.raw),
                        .id_value = text::Span::within(entry.raw, id->raw)});
    }
    return models.size() < models_max;
  });
  return models;
}

void append_model(std::string& out, const ListedModel& model, std::string_view id) {
  out.append(model.object, 0, model.id_value.offset);
  text::append_json_string(out, id);
  out.append(model.object, model.id_value.end());
}

void append_model(std::string& out, std::string_view id, std::string_view owner) {
  out += R"({"id":)";
  text::append_json_string(out, id);
  out += R"(,"object":"model","created":0,"owned_by":)";
  text::append_json_string(out, owner);
  out += '}';
}

}  // namespace weir::openai

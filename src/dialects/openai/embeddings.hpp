#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dialects/openai/request.hpp"

/// Embeddings on the wire: a JSON array of numbers, or a base64 string of the vector's float32 in little-endian order.
///
/// The official SDKs ask for base64 unless told otherwise, and the one for JavaScript decodes whatever comes as base64.
/// Many compatible servers send numbers all the same. Source: OpenAI's OpenAPI 2.3.0 and the SDKs of 2026-08.
namespace weir::openai {

/// Appends the vector as a JSON array: of each number the shortest decimal that gives the same float32 again. All must
/// be finite.
void append_floats(std::string& out, std::span<const float> vector);
/// Appends the vector as a JSON string of base64.
void append_base64(std::string& out, std::span<const float> vector);

/// True where the first embedding of a reply, of which `start` has come, is not written as it was asked for.
[[nodiscard]] bool has_other_encoding(const Request& request, std::string_view start);

/// The reply, which inspect_embeddings() found good, with each embedding as the request asked for it; nothing where
/// they all are so already. All other bytes stay. A number is rounded to the nearest float32; without `encoding_format`
/// numbers are what is asked for. The error says why a vector cannot be written so; a literal.
[[nodiscard]] std::expected<std::optional<std::string>, std::string_view> in_asked_encoding(const Request& request,
                                                                                            std::string_view body);

}  // namespace weir::openai

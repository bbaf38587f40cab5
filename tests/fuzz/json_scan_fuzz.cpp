// LINKS: weir_text
//
// Feeds any bytes to the JSON scanner and holds its answers against each other and against simdjson's DOM, an
// implementation that shares no line with ours. What must hold for every input:
//   - simdjson accepts it => we do; we accept it => simdjson does, or complains about a number's size or about half of
//     a surrogate pair, which the RFC allows and a DOM cannot hold;
//   - scan_object() accepts just the valid documents that are objects;
//   - the trusting walkers see the members and elements that the strict scanner saw, at every level;
//   - a string that is unescaped and written again reads back the same.
// The input is copied to a heap block of its size, so that AddressSanitizer sees any read beyond it.
#include <simdjson.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/assert.hpp"
#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace {

using namespace weir::text;

void compare_with_simdjson(std::string_view document, bool ours, std::string_view our_words) {
  static simdjson::dom::parser parser;
  const simdjson::error_code theirs = parser.parse(simdjson::padded_string(document)).error();
  const bool too_deep = our_words == "too many values inside one another" || theirs == simdjson::DEPTH_ERROR;
  if (too_deep) {
    return;
  }
  if (theirs == simdjson::SUCCESS) {
    WEIR_ASSERT(ours, "simdjson accepts what we refuse");
  } else if (ours) {
    WEIR_ASSERT(theirs == simdjson::NUMBER_ERROR || theirs == simdjson::STRING_ERROR,
                "we accept what simdjson refuses");
  }
}

void check_string(std::string_view raw) {
  if (const auto text = unescape(raw)) {
    std::string written;
    append_json_string(written, *text);
    WEIR_ASSERT(scan_document(written).has_value(), "a string that we wrote is not valid");
    const auto again = unescape(std::string_view(written).substr(1, written.size() - 2));
    WEIR_ASSERT(again && *again == *text, "a string does not survive being written and read");
    WEIR_ASSERT(key_equals_escaped(raw, *text), "a key does not equal its own text");
  }
  std::string written;
  append_json_string(written, unescape_lossy(raw));
  WEIR_ASSERT(scan_document(written).has_value(), "a string that we replaced parts of is not valid");
}

/// Each part of a valid document is a valid document, and the walkers cover it all. A list stands in for recursion.
void check_parts(JsonValue whole) {
  std::vector<JsonValue> open{whole};
  for (std::size_t budget = 2000; !open.empty() && budget > 0; --budget) {
    const JsonValue value = open.back();
    open.pop_back();
    WEIR_ASSERT(scan_document(value.raw, json_depth_limit).has_value(), "a part of a valid document is not valid");
    if (value.kind == JsonKind::string) {
      check_string(value.string_raw());
    } else if (value.kind == JsonKind::array) {
      for_each_element(value.raw, [&](const JsonValue& element) { open.push_back(element); });
    } else if (value.kind == JsonKind::object) {
      std::vector<JsonMember> trusting;
      for_each_member(value.raw, [&](const JsonMember& member) {
        trusting.push_back(member);
        open.push_back(member.value);
      });
      std::size_t strict = 0;
      const auto scanned = scan_object(
          value.raw,
          [&](const JsonMember& member) {
            WEIR_ASSERT(strict < trusting.size(), "the trusting walker misses a member");
            const JsonMember& other = trusting[strict++];
            WEIR_ASSERT(member.key_raw.data() == other.key_raw.data() && member.key_raw == other.key_raw &&
                            member.key_has_escapes == other.key_has_escapes,
                        "the walkers see different keys");
            WEIR_ASSERT(member.value.raw.data() == other.value.raw.data() && member.value.raw == other.value.raw &&
                            member.value.kind == other.value.kind,
                        "the walkers see different values");
            check_string(member.key_raw);
          },
          json_depth_limit);
      WEIR_ASSERT(scanned && strict == trusting.size(), "the trusting walker sees a member too many");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_unique<char[]>(size);
  std::memcpy(bytes.get(), data, size);
  const std::string_view document(bytes.get(), size);

  const auto scanned = scan_document(document);
  compare_with_simdjson(document, scanned.has_value(), scanned ? "" : scanned.error().what);
  WEIR_ASSERT(scanned || scanned.error().offset <= size, "an error lies outside of the document");

  std::size_t members = 0;
  const auto object = scan_object(document, [&](const JsonMember&) { ++members; });
  const std::size_t first = document.find_first_not_of(" \t\r\n");
  const bool is_object = first != std::string_view::npos && document[first] == '{';
  WEIR_ASSERT(object.has_value() == (scanned.has_value() && is_object), "document and object are judged differently");
  if (!object && !scanned && is_object) {
    WEIR_ASSERT(object.error().offset == scanned.error().offset, "the same error lies at two places");
  }
  if (scanned) {
    for_each_element("[" + std::string(document) + "]", [](const JsonValue& value) { check_parts(value); });
  }
  return 0;
}

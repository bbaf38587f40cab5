#include "dialects/openai/usage_scanner.hpp"

#include <algorithm>
#include <cstring>

#include "dialects/openai/usage.hpp"
#include "text/json_scan.hpp"

namespace weir::openai {

namespace {
constexpr std::string_view wanted = "usage";
}  // namespace

void UsageScanner::feed(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    const bool kept_before = keeping_;
    if (in_string_) {
      at = read_string(bytes, at);
    } else {
      read_structure(bytes[at++]);
    }
    // The colon that begins a value does not belong to it, nor does what ends it.
    if (kept_before && keeping_) {
      kept_.append(bytes.substr(begin, at - begin));
      if (kept_.size() > kept_bytes_max) {
        keeping_ = false;
        kept_ = {};
      }
    }
  }
}

std::size_t UsageScanner::read_string(std::string_view bytes, std::size_t at) {
  if (escaped_) {
    escaped_ = false;
    key_.clear();  // a key with an escape is not looked for
    in_key_ = false;
    return at + 1;
  }
  const char* const begin = bytes.data() + at;
  std::size_t length = bytes.size() - at;
  const void* quote = std::memchr(begin, '"', length);
  if (quote != nullptr) {
    length = static_cast<std::size_t>(static_cast<const char*>(quote) - begin);
  }
  const void* backslash = std::memchr(begin, '\\', length);
  if (backslash != nullptr) {
    length = static_cast<std::size_t>(static_cast<const char*>(backslash) - begin);
  }
  if (in_key_ && key_.size() <= wanted.size()) {
    key_.append(begin, std::min(length, wanted.size() + 1));
  }
  if (backslash != nullptr) {
    escaped_ = true;
    return at + length + 1;
  }
  if (quote != nullptr) {
    in_string_ = false;
    usage_named_ = in_key_ && key_ == wanted;
    in_key_ = false;
    return at + length + 1;
  }
  return at + length;
}

void UsageScanner::read_structure(char c) {
  switch (c) {
    case '"':
      in_string_ = true;
      in_key_ = key_expected_ && depth_ == 1;
      key_expected_ = false;
      key_.clear();
      break;
    case '{':
    case '[':
      ++depth_;
      key_expected_ = depth_ == 1 && c == '{';
      break;
    case '}':
    case ']':
      if (depth_ == 1) {
        end_value();
      }
      depth_ -= depth_ > 0 ? 1 : 0;
      break;
    case ',':
      if (depth_ == 1) {
        end_value();
        key_expected_ = true;
      }
      break;
    case ':':
      if (depth_ == 1 && usage_named_) {
        usage_named_ = false;
        keeping_ = true;
        kept_.clear();
      }
      break;
    default: break;
  }
}

void UsageScanner::end_value() {
  if (keeping_ && text::scan_object(kept_, [](const text::JsonMember&) {})) {
    usage_ = read_usage(kept_);
  }
  keeping_ = false;
}

}  // namespace weir::openai

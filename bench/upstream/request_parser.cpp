#include "upstream/request_parser.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace weir::mock_upstream {
namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool parse_size(std::string_view text, std::size_t& size, int base) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void RequestParser::feed(std::string_view bytes) {
  if (used_ == bytes_.size()) {
    bytes_.clear();  // keeps its memory
    used_ = 0;
  } else if (used_ > 0) {
    bytes_.erase(0, used_);
    used_ = 0;
  }
  bytes_.append(bytes);
}

std::optional<Request> RequestParser::next() {
  if (broken_ || (head_ == 0 && !parse_head())) {
    return std::nullopt;
  }
  auto rest = std::string_view(bytes_).substr(used_ + head_);
  std::size_t size = body_;
  if (chunked_) {
    if (!unchunk()) {
      return std::nullopt;
    }
    size = body_end_;
    request_.body = unchunked_;
  } else if (rest.size() < body_) {
    return std::nullopt;
  } else {
    request_.body = rest.substr(0, body_);
  }
  // The head's views were made before later bytes could move the buffer.
  auto line = std::string_view(bytes_).substr(used_, head_);
  auto space = line.find(' ');
  request_.method = line.substr(0, space);
  request_.target = line.substr(space + 1, line.find(' ', space + 1) - space - 1);
  used_ += head_ + size;
  head_ = 0;
  return request_;
}

bool RequestParser::take_continue() {
  return std::exchange(continue_due_, false);
}

bool RequestParser::parse_head() {
  auto rest = std::string_view(bytes_).substr(used_);
  auto end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    broken_ = rest.size() > head_bytes_max;
    return false;
  }
  auto head = rest.substr(0, end + 2);
  auto line_end = head.find("\r\n");
  auto line = head.substr(0, line_end);
  if (std::ranges::count(line, ' ') != 2 || line.find(" HTTP/1.") == std::string_view::npos) {
    broken_ = true;
    return false;
  }
  request_ = {.keep_alive = !line.ends_with("HTTP/1.0")};
  body_ = 0;
  chunked_ = false;
  while ((head = head.substr(line_end + 2)), !head.empty()) {
    line_end = head.find("\r\n");
    line = head.substr(0, line_end);
    auto colon = std::min(line.find(':'), line.size());
    auto name = line.substr(0, colon);
    auto value = line.substr(std::min(colon + 1, line.size()));
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (same(name, "content-length")) {
      broken_ = broken_ || !parse_size(value, body_, 10);
    } else if (same(name, "transfer-encoding")) {
      chunked_ = true;
    } else if (same(name, "connection")) {
      request_.keep_alive = same(value, "close") ? false : request_.keep_alive || same(value, "keep-alive");
    } else if (same(name, "expect")) {
      request_.expects_continue = true;
    }
  }
  head_ = end + 4;
  continue_due_ = request_.expects_continue && rest.size() == head_;
  return !broken_;
}

// Reads the chunked body from its start each time more bytes came: rare here, so plain beats fast.
bool RequestParser::unchunk() {
  auto rest = std::string_view(bytes_).substr(used_ + head_);
  auto whole = rest.size();
  unchunked_.clear();
  while (true) {
    auto end = rest.find("\r\n");
    if (end == std::string_view::npos) {
      return false;
    }
    std::size_t size = 0;
    if (!parse_size(rest.substr(0, std::min(end, rest.find(';'))), size, 16)) {
      broken_ = true;
      return false;
    }
    rest.remove_prefix(end + 2);
    if (size == 0) {
      auto trailer_end = rest.starts_with("\r\n") ? 0 : rest.find("\r\n\r\n");
      if (rest.size() < 2 || trailer_end == std::string_view::npos) {
        return false;
      }
      rest.remove_prefix(trailer_end == 0 ? 2 : trailer_end + 4);
      body_end_ = whole - rest.size();
      return true;
    }
    if (rest.size() < size + 2) {
      return false;
    }
    unchunked_.append(rest.substr(0, size));
    rest.remove_prefix(size + 2);
  }
}

}  // namespace weir::mock_upstream

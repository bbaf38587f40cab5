#include "http/head_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/characters.hpp"
#include "text/write_text.hpp"

namespace weir::http {
namespace {

#if defined(__SSE2__)

template <class Word>
Word word_at(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Whether each block of `text` is good. The last block of 16 bytes overlaps the one before; a name or value that is
// shorter is repeated until it fills one.
template <class Good>
bool all_blocks(std::string_view text, Good good) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (text.size() >= 16) {
    for (; end - at > 16; at += 16) {
      if (!good(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)))) {
        return false;
      }
    }
    return good(_mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16)));
  }
  if (text.size() >= 8) {
    return good(_mm_set_epi64x(word_at<std::int64_t>(at), word_at<std::int64_t>(end - 8)));
  }
  if (text.size() >= 4) {
    const int first = word_at<std::int32_t>(at);
    const int last = word_at<std::int32_t>(end - 4);
    return good(_mm_set_epi32(first, last, first, last));
  }
  for (; at != end; ++at) {
    if (!good(_mm_set1_epi8(*at))) {
      return false;
    }
  }
  return true;
}

bool is_one_line(std::string_view text) {
  return all_blocks(text, [](__m128i block) { return controls_of(block) == 0; });
}

bool is_token(std::string_view text) {
  return !text.empty() && (all_blocks(text, [](__m128i block) { return name_characters_of(block) == 0xffff; }) ||
                           all_in(text, characters::token));
}

// What may stand between the two blanks of a request line. As signed bytes, what is not ASCII comes before the blank.
bool is_target(std::string_view text) {
  return all_blocks(text, [](__m128i block) {
    const __m128i good =
        _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8(0x20)), _mm_cmplt_epi8(block, _mm_set1_epi8(0x7f)));
    return _mm_movemask_epi8(good) == 0xffff;
  });
}

#else

bool is_one_line(std::string_view text) {
  const char* const end = text.data() + text.size();
  return find_control(text.data(), end) == end;
}

bool is_token(std::string_view text) {
  return !text.empty() && all_in(text, characters::token);
}

// What may stand between the two blanks of a request line.
bool is_target(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

#endif

template <class Text>
void append_line(Text& out, std::string_view name, std::string_view value) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + name.size() + value.size() + 4, [&](char* start, std::size_t) {
    char* at = text::write_text(start + before, name);
    *at++ = ':';
    *at++ = ' ';
    at = text::write_text(at, value);
    *at++ = '\r';
    *at++ = '\n';
    return static_cast<std::size_t>(at - start);
  });
}

}  // namespace

void FieldLines::add(OwnName name, std::string_view value) {
  if (is_one_line(value)) {
    append_line(text_, name.text(), trim(value));
  }
}

void FieldLines::add(OwnName name, std::int64_t value) {
  std::array<char, text::integer_bytes_max> digits;
  append_line(text_, name.text(), {digits.data(), text::write_integer(digits.data(), value)});
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 511: return "Network Authentication Required";
    case 529: return "Site Overloaded";  // not registered; what Anthropic answers when it is full
    default: return {};
  }
}

bool HeadWriter::status_line(unsigned status, std::string_view reason) {
  if (status < 100 || status > 999 || !is_one_line(reason)) {
    return false;
  }
  // The space before the phrase is not optional for a sender, also where the phrase is empty (RFC 9112 section 4).
  std::array<char, 13> start = {'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '0', '0', '0', ' '};
  start[9] = static_cast<char>('0' + status / 100);
  start[10] = static_cast<char>('0' + status / 10 % 10);
  start[11] = static_cast<char>('0' + status % 10);
  out_.append(start.data(), start.size());
  out_.append(reason.empty() ? reason_phrase(status) : reason);
  out_.append("\r\n");
  return true;
}

bool HeadWriter::request_line(std::string_view method, std::initializer_list<std::string_view> target) {
  if (!is_token(method)) {
    return false;
  }
  constexpr std::string_view version = " HTTP/1.1\r\n";
  const std::size_t before = out_.size();
  std::size_t target_bytes = 0;
  for (const std::string_view part : target) {
    target_bytes += part.size();
  }
  const std::size_t size = before + method.size() + 1 + target_bytes + version.size();
  bool good = target_bytes != 0;
  out_.resize_and_overwrite(size, [&](char* text, std::size_t) {
    char* at = text::write_text(text + before, method);
    *at++ = ' ';
    const char* const begin = at;
    for (const std::string_view part : target) {
      at = text::write_text(at, part);
    }
    good = good && is_target({begin, target_bytes});  // all parts at once
    text::write_text(at, version);
    return good ? size : before;
  });
  return good;
}

bool HeadWriter::field(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_one_line(value)) {
    return false;
  }
  append_line(out_, name, trim(value));
  return true;
}

bool HeadWriter::field(KnownHeader known, std::string_view value) {
  const std::string_view name = name_of(known);
  if (name.empty() || !is_one_line(value)) {
    return false;
  }
  append_line(out_, name, trim(value));
  return true;
}

void HeadWriter::parsed_field(const Header& header) {
  append_line(out_, header.name, header.value);
}

void HeadWriter::content_length(std::uint64_t length) {
  constexpr std::string_view name = "Content-Length: ";
  const std::size_t before = out_.size();
  out_.resize_and_overwrite(before + name.size() + text::integer_bytes_max + 2, [&](char* text, std::size_t) {
    char* at = text::write_integer(text::write_text(text + before, name), length);
    *at++ = '\r';
    *at++ = '\n';
    return static_cast<std::size_t>(at - text);
  });
}

void HeadWriter::chunked() {
  out_.append("Transfer-Encoding: chunked\r\n");
}

void HeadWriter::end() {
  out_.append("\r\n");
}

}  // namespace weir::http

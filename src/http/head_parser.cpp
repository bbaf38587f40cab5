#include "http/head_parser.hpp"

#include <cstring>

#include "http/characters.hpp"

namespace weir::http {
namespace {

ParseOutcome failed(HeadFault fault) {
  return {.kind = ParseOutcome::Kind::error, .fault = fault};
}

constexpr std::string_view protocol = "HTTP/";

// "HTTP/1.1", eight characters. HTTP names are case-sensitive here (RFC 9112 section 2.3).
HeadFault parse_version(std::string_view text, Version& out) {
  if (text.size() != 8 || !text.starts_with(protocol) || !is_in(text[5], characters::digit) || text[6] != '.' ||
      !is_in(text[7], characters::digit)) {
    return HeadFault::bad_version;
  }
  if (text[5] != '1' || text[7] > '1') {
    return HeadFault::version_unsupported;
  }
  out = text[7] == '1' ? Version::http_1_1 : Version::http_1_0;
  return HeadFault::none;
}

Method classify_method(std::string_view text) {
  switch (text.size()) {
    case 3:
      if (text == "GET") {
        return Method::get;
      }
      return text == "PUT" ? Method::put : Method::other;
    case 4:
      if (text == "POST") {
        return Method::post;
      }
      return text == "HEAD" ? Method::head : Method::other;
    case 5:
      if (text == "PATCH") {
        return Method::patch;
      }
      return text == "TRACE" ? Method::trace : Method::other;
    case 6: return text == "DELETE" ? Method::delete_ : Method::other;
    case 7: return text == "OPTIONS" ? Method::options : Method::other;
    default: return Method::other;
  }
}

// `line` is without its CRLF and not empty.
HeadFault parse_request_line(std::string_view line, RequestHead& out) {
  const std::size_t method_end = line.find(' ');
  out.method_text = line.substr(0, method_end);
  if (!all_in(out.method_text, characters::token) || out.method_text.empty()) {
    return HeadFault::bad_method;
  }
  if (method_end == std::string_view::npos) {
    return HeadFault::bad_request_line;
  }
  line.remove_prefix(method_end + 1);
  const std::size_t target_end = line.find(' ');
  if (target_end == std::string_view::npos || target_end == 0) {
    return HeadFault::bad_request_line;
  }
  out.target_text = line.substr(0, target_end);
  // The version comes first: the preface of HTTP/2, "PRI * HTTP/2.0", deserves 505 and not a word about its target.
  if (const HeadFault fault = parse_version(line.substr(target_end + 1), out.version); fault != HeadFault::none) {
    return fault;
  }
  out.method = classify_method(out.method_text);
  if (out.method_text == "CONNECT") {
    return HeadFault::method_refused;
  }
  const auto target = split_target(out.target_text);
  if (!target || (target->form == TargetForm::asterisk && out.method != Method::options)) {
    return HeadFault::bad_target;
  }
  out.target = *target;
  return HeadFault::none;
}

HeadFault parse_status_line(std::string_view line, ResponseHead& out) {
  if (const HeadFault fault = parse_version(line.substr(0, 8), out.version); fault != HeadFault::none) {
    return fault;
  }
  line.remove_prefix(8);
  if (line.size() < 4 || line[0] != ' ' || !all_in(line.substr(1, 3), characters::digit) || line[1] == '0') {
    return HeadFault::bad_status_line;
  }
  out.status = static_cast<std::uint16_t>((line[1] - '0') * 100 + (line[2] - '0') * 10 + (line[3] - '0'));
  line.remove_prefix(4);
  if (!line.empty() && line[0] != ' ') {
    return HeadFault::bad_status_line;
  }
  out.reason = line.empty() ? line : line.substr(1);
  // The line ends at the first LF, so a CR in it is the only line end that can be left over.
  const char* const end = out.reason.data() + out.reason.size();
  return find_control(out.reason.data(), end) == end ? HeadFault::none : HeadFault::bad_status_line;
}

enum class LineEnd : std::uint8_t { more, field, end_of_head, fault };

struct FieldStep {
  LineEnd kind = LineEnd::more;
  HeadFault fault = HeadFault::none;
};

FieldStep line_fault(HeadFault fault) {
  return {.kind = LineEnd::fault, .fault = fault};
}

// What a character that ends a field name says about the line.
HeadFault name_fault(char c) {
  switch (c) {
    case ' ':
    case '\t': return HeadFault::space_before_colon;
    case '\n': return HeadFault::bare_line_feed;
    case '\r': return HeadFault::missing_colon;
    default: return HeadFault::bad_name;
  }
}

// Goes on in the field line at state.line. Everything is decided by the first byte that breaks a rule, so that a cut
// cannot change the verdict.
FieldStep read_field_line(std::string_view bytes, ParseState& state, Headers& headers) {
  const char* const base = bytes.data();
  const char* const end = base + bytes.size();
  const char* const line = base + state.line;
  const char* p = base + state.scanned;
  if (state.colon == 0) {
    if (p == line) {
      if (p == end) {
        return {};
      }
      if (*p == '\r') {
        if (p + 1 == end) {
          return {};
        }
        return p[1] == '\n' ? FieldStep{.kind = LineEnd::end_of_head} : line_fault(HeadFault::bare_carriage_return);
      }
      if (*p == ' ' || *p == '\t') {
        return line_fault(HeadFault::folded_line);
      }
    }
    p = skip_token(p, end);
    if (p == end) {
      state.scanned = bytes.size();
      return {};
    }
    if (*p != ':') {
      return line_fault(name_fault(*p));
    }
    if (p == line) {
      return line_fault(HeadFault::bad_name);
    }
    state.colon = static_cast<std::size_t>(p - base);
    ++p;
  }
  p = find_control(p, end);
  if (p == end || (*p == '\r' && p + 1 == end)) {
    state.scanned = static_cast<std::size_t>(p - base);
    return {};
  }
  if (*p != '\r') {
    return line_fault(*p == '\n' ? HeadFault::bare_line_feed : HeadFault::bad_value);
  }
  if (p[1] != '\n') {
    return line_fault(HeadFault::bare_carriage_return);
  }
  const char* const colon = base + state.colon;
  const std::string_view name(line, static_cast<std::size_t>(colon - line));
  const std::string_view value(colon + 1, static_cast<std::size_t>(p - colon - 1));
  if (!headers.add(name, trim(value))) {
    return line_fault(HeadFault::too_many_fields);
  }
  state.line = static_cast<std::size_t>(p + 2 - base);
  state.scanned = state.line;
  state.colon = 0;
  return {.kind = LineEnd::field};
}

// Looks for the end of the first line. Gives the line without its CRLF once it is whole.
struct FirstLine {
  bool whole = false;
  HeadFault fault = HeadFault::none;
  std::size_t seen = 0;  // bytes of the line so far, a CR at its end included
  std::string_view text;
};

FirstLine read_first_line(std::string_view bytes, ParseState& state) {
  const char* const found =
      state.scanned == bytes.size()
          ? nullptr
          : static_cast<const char*>(std::memchr(bytes.data() + state.scanned, '\n', bytes.size() - state.scanned));
  if (found == nullptr) {
    state.scanned = bytes.size();
    return {.seen = bytes.size() - state.line};
  }
  const auto line_feed = static_cast<std::size_t>(found - bytes.data());
  if (line_feed == state.line || bytes[line_feed - 1] != '\r') {
    return {.whole = true, .fault = HeadFault::bare_line_feed, .seen = line_feed - state.line};
  }
  const std::string_view text = bytes.substr(state.line, line_feed - 1 - state.line);
  state.line = line_feed + 1;
  state.scanned = state.line;
  return {.whole = true, .seen = text.size() + 1, .text = text};
}

// The request line with its limits; `need_more` once it is behind us means: go on with the fields.
ParseOutcome read_request_line(std::string_view bytes, ParseState& state, RequestHead& out, std::size_t line_max) {
  for (;;) {
    const std::size_t begin = state.line;
    // TLS, HTTP/2 frames and noise are told from HTTP by their first byte, without waiting for a line end.
    if (begin < bytes.size() && bytes[begin] != '\r' && bytes[begin] != '\n' &&
        !is_in(bytes[begin], characters::token)) {
      return failed(HeadFault::bad_method);
    }
    const FirstLine first = read_first_line(bytes, state);
    if (first.seen > line_max + 1) {
      return failed(HeadFault::request_line_too_long);
    }
    if (!first.whole) {
      return {};
    }
    if (first.fault != HeadFault::none) {
      return failed(first.fault);
    }
    if (first.text.empty()) {
      if (state.blank_line_seen) {
        return failed(HeadFault::blank_lines_first);
      }
      state.blank_line_seen = true;
      continue;
    }
    if (first.text.find('\r') != std::string_view::npos) {
      return failed(HeadFault::bare_carriage_return);
    }
    if (const HeadFault fault = parse_request_line(first.text, out); fault != HeadFault::none) {
      return failed(fault);
    }
    state.stage = ParseState::Stage::fields;
    return {};
  }
}

ParseOutcome read_status_line(std::string_view bytes, ParseState& state, ResponseHead& out) {
  const FirstLine first = read_first_line(bytes, state);
  if (!first.whole) {
    return {};
  }
  if (first.fault != HeadFault::none) {
    return failed(first.fault);
  }
  if (first.text.find('\r') != std::string_view::npos) {
    return failed(HeadFault::bare_carriage_return);
  }
  if (const HeadFault fault = parse_status_line(first.text, out); fault != HeadFault::none) {
    return failed(fault);
  }
  state.stage = ParseState::Stage::fields;
  return {};
}

// What both kinds of head share. `read_first` and `finish` are the kind's own.
template <class Head, class ReadFirst, class Conclude>
ParseOutcome parse_head(std::string_view bytes, ParseState& state, Head& out, const HeadLimits& limits,
                        ReadFirst read_first, Conclude finish) {
  if (state.stage == ParseState::Stage::fresh) {
    out.clear();
    state.stage = ParseState::Stage::first_line;
  } else if (state.base != bytes.data()) {
    out.rebase(state.base, bytes.data());
  }
  state.base = bytes.data();
  const std::string_view visible = bytes.substr(0, limits.head_bytes_max);
  const auto more = [&] {
    return visible.size() == limits.head_bytes_max ? failed(HeadFault::head_too_large) : ParseOutcome{};
  };

  if (state.stage == ParseState::Stage::first_line) {
    const ParseOutcome outcome = read_first(visible);
    if (outcome.kind == ParseOutcome::Kind::error) {
      return outcome;
    }
    if (state.stage == ParseState::Stage::first_line) {
      return more();
    }
  }
  for (;;) {
    const FieldStep step = read_field_line(visible, state, out.headers);
    switch (step.kind) {
      case LineEnd::field: continue;
      case LineEnd::more: return more();
      case LineEnd::fault: return failed(step.fault);
      case LineEnd::end_of_head: break;
    }
    break;
  }
  if (const HeadFault fault = finish(); fault != HeadFault::none) {
    return failed(fault);
  }
  const std::size_t consumed = state.line + 2;
  state = {};
  return {.kind = ParseOutcome::Kind::done, .consumed = consumed};
}

}  // namespace

ParseOutcome parse_request_head(std::string_view bytes, ParseState& state, RequestHead& out, const HeadLimits& limits) {
  return parse_head(
      bytes, state, out, limits,
      [&](std::string_view visible) { return read_request_line(visible, state, out, limits.request_line_bytes_max); },
      [&] { return conclude(out); });
}

ParseOutcome parse_response_head(std::string_view bytes, ParseState& state, ResponseHead& out, Method request_method,
                                 const HeadLimits& limits) {
  return parse_head(
      bytes, state, out, limits, [&](std::string_view visible) { return read_status_line(visible, state, out); },
      [&] { return conclude(out, request_method); });
}

}  // namespace weir::http

#include "http/head_parser.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace weir::http {
namespace {

using Kind = ParseOutcome::Kind;
using namespace std::string_literals;

// A fault is printed by its words.
std::string fault_of(const ParseOutcome& outcome) {
  switch (outcome.kind) {
    case Kind::need_more: return "need more";
    case Kind::done: return "";
    case Kind::error: return outcome.reason();
  }
  return "";
}

// Everything that a request head tells, as one text: what two parses are compared by.
std::string show(const RequestHead& head) {
  std::string text = std::string(head.method_text) + ' ' + std::string(head.target_text) +
                     " path=" + std::string(head.target.path) + (head.target.has_query ? " query=" : "") +
                     std::string(head.target.query) + " host=" + std::string(head.host) + " v" +
                     std::to_string(static_cast<int>(head.version)) + " framing" +
                     std::to_string(static_cast<int>(head.framing)) + '/' + std::to_string(head.content_length) +
                     (head.keep_alive ? " keep" : "") + (head.expect_continue ? " expect" : "") +
                     (head.upgrade_requested ? " upgrade" : "");
  for (const Header& field : head.headers) {
    text += " [" + std::string(field.name) + '=' + std::string(field.value) + ']';
  }
  return text;
}

std::string show(const ResponseHead& head) {
  std::string text = std::to_string(head.status) + '(' + std::string(head.reason) + ") v" +
                     std::to_string(static_cast<int>(head.version)) + " framing" +
                     std::to_string(static_cast<int>(head.framing)) + '/' + std::to_string(head.content_length) +
                     (head.keep_alive ? " keep" : "");
  for (const Header& field : head.headers) {
    text += " [" + std::string(field.name) + '=' + std::string(field.value) + ']';
  }
  return text;
}

struct Parsed {
  std::string fault;  // empty: accepted
  std::uint16_t status = 0;
  std::size_t consumed = 0;
  std::string shown;
  friend bool operator==(const Parsed&, const Parsed&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
    return out << '<' << parsed.fault << "> " << parsed.status << ' ' << parsed.consumed << ' ' << parsed.shown;
  }
};

template <class Head>
ParseOutcome parse_as(std::string_view bytes, ParseState& state, Head& head, const HeadLimits& limits, Method method) {
  if constexpr (std::is_same_v<Head, RequestHead>) {
    return parse_request_head(bytes, state, head, limits);
  } else {
    return parse_response_head(bytes, state, head, method, limits);
  }
}

// Gives the bytes in the pieces that end at `cuts`, each time at another address, so that a stale view is found.
template <class Head = RequestHead>
Parsed parse_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts, const HeadLimits& limits = {},
                       Method method = Method::get) {
  ParseState state;
  Head head;
  std::vector<char> buffer;
  ParseOutcome outcome;
  for (const std::size_t cut : cuts) {
    std::vector<char> moved(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    buffer.assign(buffer.size(), '#');  // the old place holds nothing any more
    // The old bytes stay allocated until the new ones are read: addresses differ.
    outcome = parse_as(std::string_view(moved.data(), moved.size()), state, head, limits, method);
    buffer = std::move(moved);
    if (outcome.kind != Kind::need_more) {
      break;
    }
  }
  Parsed parsed{.fault = fault_of(outcome), .consumed = outcome.consumed};
  if (outcome.kind == Kind::error) {
    parsed.status = outcome.status();
  } else if (outcome.kind == Kind::done) {
    parsed.shown = show(head);
  }
  return parsed;
}

template <class Head = RequestHead>
Parsed parse_whole(std::string_view bytes, const HeadLimits& limits = {}, Method method = Method::get) {
  return parse_in_pieces<Head>(bytes, {bytes.size()}, limits, method);
}

template <class Head = RequestHead>
void expect_same_in_any_cut(std::string_view bytes, const HeadLimits& limits = {}, Method method = Method::get) {
  const Parsed whole = parse_whole<Head>(bytes, limits, method);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(parse_in_pieces<Head>(bytes, {cut, bytes.size()}, limits, method), whole) << "cut at " << cut;
  }
  std::vector<std::size_t> each_byte;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    each_byte.push_back(size);
  }
  EXPECT_EQ(parse_in_pieces<Head>(bytes, each_byte, limits, method), whole) << "byte by byte";
}

struct Accepted {
  const char* name;
  std::string bytes;
  std::string shown;
};

const std::vector<Accepted> accepted_requests = {
    {"the usual", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 12\r\n\r\n",
     "POST /v1/chat/completions path=/v1/chat/completions host=localhost:8000 v1 framing1/12 keep "
     "[Host=localhost:8000] [Content-Length=12]"},
    {"no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / path=/ host=a v1 framing0/0 keep [Host=a]"},
    {"a query", "GET /v1/files?limit=2&include[]=x HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET /v1/files?limit=2&include[]=x path=/v1/files query=limit=2&include[]=x host=a v1 framing0/0 keep [host=a]"},
    {"an empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET /? path=/ query= host=a v1 framing0/0 keep [Host=a]"},
    {"blanks around values", "GET / HTTP/1.1\r\nHost:\t a \t\r\nX: \r\nY:\r\nZ:a  b\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 keep [Host=a] [X=] [Y=] [Z=a  b]"},
    {"bytes above ASCII in a value (obs-text, RFC 9110 5.5)", "GET / HTTP/1.1\r\nHost: a\r\nX: \xC3\xA9\xFF\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 keep [Host=a] [X=\xC3\xA9\xFF]"},
    {"one empty line first (RFC 9112 2.2)", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 keep [Host=a]"},
    {"chunked in any case", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
     "POST / path=/ host=a v1 framing2/0 keep [Host=a] [Transfer-Encoding=Chunked]"},
    {"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 [Host=a] [Connection=foo, Close]"},
    {"close wins over keep-alive in another field",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 [Host=a] [Connection=keep-alive] [Connection=close]"},
    {"close wins over keep-alive behind it", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 [Host=a] [Connection=close, keep-alive]"},
    {"HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", "GET / path=/ host= v0 framing0/0"},
    {"HTTP/1.0 stays on request", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / path=/ host= v0 framing0/0 keep [Connection=Keep-Alive]"},
    {"an absolute target replaces Host (RFC 9112 3.2.2)",
     "GET http://real.example:80/v1/models?a HTTP/1.1\r\nHost: other\r\n\r\n",
     "GET http://real.example:80/v1/models?a path=/v1/models query=a host=real.example:80 v1 framing0/0 keep "
     "[Host=other]"},
    {"an absolute target without a path", "GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET HTTPS://a path=/ host=a v1 framing0/0 keep [Host=a]"},
    {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * path=* host=a v1 framing0/0 keep [Host=a]"},
    {"a method of its own", "QUERY / HTTP/1.1\r\nHost: a\r\n\r\n", "QUERY / path=/ host=a v1 framing0/0 keep [Host=a]"},
    {"an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
     "GET / path=/ host=[::1]:8000 v1 framing0/0 keep [Host=[::1]:8000]"},
    {"100-continue", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
     "POST / path=/ host=a v1 framing1/1 keep expect [Host=a] [Content-Length=1] [Expect=100-Continue]"},
    {"100-continue where no body comes",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
     "POST / path=/ host=a v1 framing1/0 keep [Host=a] [Content-Length=0] [Expect=100-continue]"},
    {"an expectation of HTTP/1.0 is ignored (RFC 9110 10.1.1)",
     "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
     "POST / path=/ host= v0 framing1/1 [Content-Length=1] [Expect=100-continue]"},
    {"an upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 keep upgrade [Host=a] [Connection=Upgrade] [Upgrade=websocket]"},
    {"an Upgrade field that Connection does not name", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
     "GET / path=/ host=a v1 framing0/0 keep [Host=a] [Upgrade=h2c]"},
    {"the largest length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
     "POST / path=/ host=a v1 framing1/9999999999999999999 keep [Host=a] [Content-Length=9999999999999999999]"},
};

TEST(RequestHead, accepted) {
  for (const Accepted& row : accepted_requests) {
    const Parsed parsed = parse_whole(row.bytes + "body or the next request");
    EXPECT_EQ(parsed.fault, "") << row.name;
    EXPECT_EQ(parsed.shown, row.shown) << row.name;
    EXPECT_EQ(parsed.consumed, row.bytes.size()) << row.name;
  }
}

struct Refused {
  HeadFault fault;
  std::string bytes;
};

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string first(std::string_view line) {
  return std::string(line) + "\r\nHost: a\r\n\r\n";
}

const std::vector<Refused> refused_requests = {
    // RFC 9112 section 2.2: a recipient MAY take a bare LF for a line end; proxies that differ in it are smuggled
    // through.
    {HeadFault::bare_line_feed, "GET / HTTP/1.1\nHost: a\n\n"},
    {HeadFault::bare_line_feed, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HeadFault::bare_line_feed, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {HeadFault::bare_line_feed, "GET / HTTP/1.1\r\nHost\n: a\r\n\r\n"},
    {HeadFault::bare_line_feed, "GET / HTTP/1.1\r\n\nHost: a\r\n\r\n"},
    {HeadFault::bare_carriage_return, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"},
    {HeadFault::bare_carriage_return, "GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HeadFault::bare_carriage_return, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
    {HeadFault::bare_carriage_return, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
    {HeadFault::bare_carriage_return, "GET / HTTP/1.1\r\nHost: a\r\n\rX"},
    {HeadFault::bare_carriage_return, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HeadFault::blank_lines_first, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    // RFC 9112 section 5.2.
    {HeadFault::folded_line, get("X: a\r\n b\r\n")},
    {HeadFault::folded_line, get("X: a\r\n\tb: c\r\n")},
    {HeadFault::folded_line, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    // The request line, RFC 9112 section 3.
    {HeadFault::bad_request_line, "GET\r\nHost: a\r\n\r\n"},
    {HeadFault::bad_request_line, first("GET /")},
    {HeadFault::bad_request_line, first("GET  / HTTP/1.1")},
    {HeadFault::bad_version, first("GET / HTTP/1.1 ")},
    {HeadFault::bad_version, first("GET /  HTTP/1.1")},
    {HeadFault::bad_version, first("GET /a b HTTP/1.1")},
    {HeadFault::bad_version, first("GET / ")},
    {HeadFault::bad_version, first("GET / http/1.1")},
    {HeadFault::bad_version, first("GET / HTTP/1.")},
    {HeadFault::bad_version, first("GET / HTTP/1.10")},
    {HeadFault::bad_version, first("GET / HTTP/11")},
    {HeadFault::bad_method, first(" GET / HTTP/1.1")},
    {HeadFault::bad_method, first("G\tET / HTTP/1.1")},
    {HeadFault::bad_method, first("G(T / HTTP/1.1")},
    {HeadFault::bad_method, first("G\0T / HTTP/1.1"s)},
    {HeadFault::bad_method, "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"s},  // a TLS hello, told from its first byte
    {HeadFault::bad_method, "\x16"},
    {HeadFault::method_refused, first("CONNECT example.com:443 HTTP/1.1")},
    {HeadFault::version_unsupported, first("GET / HTTP/2.0")},
    {HeadFault::version_unsupported, first("GET / HTTP/0.9")},
    {HeadFault::version_unsupported, first("GET / HTTP/1.2")},
    {HeadFault::version_unsupported,
     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},  // the preface of HTTP/2, RFC 9113 section 3.4
    // The target, RFC 9112 section 3.2.
    {HeadFault::bad_target, first("GET * HTTP/1.1")},
    {HeadFault::bad_target, first("GET v1/models HTTP/1.1")},
    {HeadFault::bad_target, first("GET example.com:443 HTTP/1.1")},
    {HeadFault::bad_target, first("GET ftp://a/ HTTP/1.1")},
    {HeadFault::bad_target, first("GET http:/// HTTP/1.1")},
    {HeadFault::bad_target, first("GET http:// HTTP/1.1")},
    {HeadFault::bad_target, first("GET http://user@a/ HTTP/1.1")},  // RFC 9110 section 4.2.4
    {HeadFault::bad_target, first("GET http://a#b HTTP/1.1")},
    {HeadFault::bad_target, first("GET /#fragment HTTP/1.1")},
    {HeadFault::bad_target, first("GET /?a#fragment HTTP/1.1")},
    {HeadFault::bad_target, first("GET /\x7f HTTP/1.1")},
    {HeadFault::bad_target, first("GET /\t HTTP/1.1")},
    {HeadFault::bad_target, first("GET /\0 HTTP/1.1"s)},
    {HeadFault::bad_target, first("GET /\xC3\xA9 HTTP/1.1")},
    {HeadFault::bad_target, first("GET /\\..\\ HTTP/1.1")},
    {HeadFault::bad_target, first("GET /<script> HTTP/1.1")},
    {HeadFault::bad_target, first("GET /?\"a\" HTTP/1.1")},
    // Field lines, RFC 9112 section 5.
    {HeadFault::space_before_colon, get("X : a\r\n")},
    {HeadFault::space_before_colon, get("X\t: a\r\n")},
    {HeadFault::space_before_colon, get("X a\r\n")},
    {HeadFault::missing_colon, get("X\r\n")},
    {HeadFault::bad_name, get(": a\r\n")},
    {HeadFault::bad_name, get("X(y): a\r\n")},
    {HeadFault::bad_name, get("X\0y: a\r\n"s)},
    {HeadFault::bad_name, get("\xC3\xA9: a\r\n")},
    {HeadFault::bad_value, get("X: a\0b\r\n"s)},
    {HeadFault::bad_value, get("X: a\x01\r\n")},
    {HeadFault::bad_value, get("X: a long enough value to be seen in a wide step \x7f\r\n")},
    {HeadFault::bad_value, get("X: \x0b\r\n")},
    // Host, RFC 9112 section 3.2.
    {HeadFault::host_missing, "GET / HTTP/1.1\r\n\r\n"},
    {HeadFault::host_missing, "GET http://a/ HTTP/1.1\r\n\r\n"},
    {HeadFault::host_repeated, get("Host: a\r\n")},
    {HeadFault::host_repeated, get("HOST: b\r\n")},
    {HeadFault::host_repeated, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
    {HeadFault::host_invalid, "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n"},
    {HeadFault::host_invalid, "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"},
    // Content-Length, RFC 9112 section 6.3: a list of equal numbers MAY be taken as one; here it is not.
    {HeadFault::length_invalid, get("Content-Length: 5, 5\r\n")},
    {HeadFault::length_invalid, get("Content-Length:\r\n")},
    {HeadFault::length_invalid, get("Content-Length: +5\r\n")},
    {HeadFault::length_invalid, get("Content-Length: -5\r\n")},
    {HeadFault::length_invalid, get("Content-Length: 0x5\r\n")},
    {HeadFault::length_invalid, get("Content-Length: 5 5\r\n")},
    {HeadFault::length_invalid, get("Content-Length: 5.\r\n")},
    {HeadFault::length_invalid, get("Content-Length: 18446744073709551616\r\n")},
    {HeadFault::length_repeated, get("Content-Length: 5\r\nContent-Length: 5\r\n")},
    {HeadFault::length_repeated, get("Content-Length: 5\r\ncontent-length: 6\r\n")},
    // Transfer-Encoding, RFC 9112 sections 6.1 and 6.3.
    {HeadFault::length_and_coding, get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
    {HeadFault::length_and_coding, get("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n")},
    {HeadFault::coding_invalid, get("Transfer-Encoding: chunked, chunked\r\n")},
    {HeadFault::coding_invalid, get("Transfer-Encoding: chunked,\r\n")},
    {HeadFault::coding_invalid, get("Transfer-Encoding:\r\n")},
    {HeadFault::coding_repeated, get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {HeadFault::coding_repeated, get("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")},
    {HeadFault::coding_unknown, get("Transfer-Encoding: gzip\r\n")},
    {HeadFault::coding_unknown, get("Transfer-Encoding: gzip, chunked\r\n")},
    {HeadFault::coding_unknown, get("Transfer-Encoding: chunked;q=1\r\n")},
    {HeadFault::coding_unknown, get("Transfer-Encoding: identity\r\n")},
    {HeadFault::coding_unknown, get("Transfer-Encoding: \"chunked\"\r\n")},
    {HeadFault::coding_in_http_1_0, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {HeadFault::connection_invalid, get("Connection: a b\r\n")},
    {HeadFault::connection_invalid, get("Connection: \"close\"\r\n")},
    {HeadFault::expectation_unknown, get("Expect: tea\r\n")},
    {HeadFault::expectation_unknown, get("Expect: 100-continue\r\nExpect: tea\r\n")},
};

TEST(RequestHead, refused) {
  for (const Refused& row : refused_requests) {
    const Parsed parsed = parse_whole(row.bytes);
    EXPECT_EQ(parsed.fault, describe(row.fault).reason) << testing::PrintToString(row.bytes);
    EXPECT_EQ(parsed.status, describe(row.fault).status) << testing::PrintToString(row.bytes);
  }
}

TEST(RequestHead, gives_the_same_in_any_cut) {
  for (const Accepted& row : accepted_requests) {
    expect_same_in_any_cut(row.bytes + "more");
  }
  for (const Refused& row : refused_requests) {
    expect_same_in_any_cut(row.bytes);
  }
}

TEST(RequestHead, wants_more_at_every_byte_before_the_end) {
  const std::string bytes = accepted_requests.front().bytes;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_whole(bytes.substr(0, size)).fault, "need more") << size;
  }
}

TEST(RequestHead, has_statuses_of_its_own_where_the_client_can_act_on_them) {
  EXPECT_EQ(describe(HeadFault::head_too_large).status, 431);
  EXPECT_EQ(describe(HeadFault::too_many_fields).status, 431);
  EXPECT_EQ(describe(HeadFault::request_line_too_long).status, 414);
  EXPECT_EQ(describe(HeadFault::version_unsupported).status, 505);
  EXPECT_EQ(describe(HeadFault::coding_unknown).status, 501);
  EXPECT_EQ(describe(HeadFault::method_refused).status, 405);
  EXPECT_EQ(describe(HeadFault::expectation_unknown).status, 417);
  EXPECT_EQ(describe(HeadFault::host_repeated).status, 400);
}

TEST(RequestHead, takes_a_head_of_exactly_the_limit_and_not_one_byte_more) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: 12345\r\n\r\n";
  EXPECT_EQ(parse_whole(bytes + "body", {.head_bytes_max = bytes.size()}).fault, "");
  EXPECT_EQ(parse_whole(bytes + "body", {.head_bytes_max = bytes.size() - 1}).status, 431);
  expect_same_in_any_cut(bytes + "body", {.head_bytes_max = bytes.size()});
  expect_same_in_any_cut(bytes + "body", {.head_bytes_max = bytes.size() - 1});
}

TEST(RequestHead, bounds_a_head_that_never_ends) {
  EXPECT_EQ(parse_whole("GET / HTTP/1.1\r\nX: " + std::string(70'000, 'x')).status, 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 129; ++i) {
    many += "a: b\r\n";
  }
  EXPECT_EQ(parse_whole(many).fault, describe(HeadFault::too_many_fields).reason);
  EXPECT_EQ(parse_whole(many).status, 431);
}

TEST(RequestHead, takes_a_request_line_of_exactly_the_limit_and_not_one_byte_more) {
  const std::string line = "GET /12345 HTTP/1.1";
  const HeadLimits exact{.request_line_bytes_max = line.size()};
  const HeadLimits less{.request_line_bytes_max = line.size() - 1};
  const std::string rest = "\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parse_whole(line + rest, exact).fault, "");
  EXPECT_EQ(parse_whole("\r\n" + line + rest, exact).fault, "");
  EXPECT_EQ(parse_whole(line + rest, less).status, 414);
  EXPECT_EQ(parse_whole("GET /" + std::string(20'000, 'x')).status, 414);
  for (const HeadLimits& limits : {exact, less}) {
    expect_same_in_any_cut(line + rest, limits);
    expect_same_in_any_cut("\r\n" + line + rest, limits);
    expect_same_in_any_cut(line + "\nHost: a\r\n\r\n", limits);
    expect_same_in_any_cut(line + "1\nHost: a\r\n\r\n", limits);
  }
}

TEST(RequestHead, leaves_pipelined_requests_alone_and_starts_afresh) {
  const std::string two = "GET /1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  ParseState state;
  RequestHead head;
  const ParseOutcome one = parse_request_head(two, state, head);
  ASSERT_EQ(one.kind, Kind::done);
  EXPECT_EQ(head.target.path, "/1");
  const ParseOutcome other = parse_request_head(std::string_view(two).substr(one.consumed), state, head);
  ASSERT_EQ(other.kind, Kind::done);
  EXPECT_EQ(one.consumed + other.consumed, two.size());
  EXPECT_EQ(show(head), "GET /2 path=/2 host=b v1 framing0/0 keep [Host=b]");
}

TEST(RequestHead, knows_the_usual_methods_by_their_exact_spelling) {
  const auto method_of = [](std::string_view method) {
    ParseState state;
    RequestHead head;
    const std::string bytes = first(std::string(method) + " / HTTP/1.1");
    EXPECT_EQ(parse_request_head(bytes, state, head).kind, Kind::done);
    return head.method;
  };
  EXPECT_EQ(method_of("GET"), Method::get);
  EXPECT_EQ(method_of("HEAD"), Method::head);
  EXPECT_EQ(method_of("POST"), Method::post);
  EXPECT_EQ(method_of("PUT"), Method::put);
  EXPECT_EQ(method_of("DELETE"), Method::delete_);
  EXPECT_EQ(method_of("OPTIONS"), Method::options);
  EXPECT_EQ(method_of("PATCH"), Method::patch);
  EXPECT_EQ(method_of("TRACE"), Method::trace);
  EXPECT_EQ(method_of("get"), Method::other);
  EXPECT_EQ(method_of("GETS"), Method::other);
}

TEST(RequestHead, follows_its_bytes_to_another_place) {
  for (const Accepted& row : accepted_requests) {
    std::string old_place = row.bytes;
    ParseState state;
    RequestHead head;
    ASSERT_EQ(parse_request_head(old_place, state, head).kind, Kind::done);
    const std::string new_place = row.bytes;
    head.rebase(old_place.data(), new_place.data());
    old_place.assign(old_place.size(), '#');
    EXPECT_EQ(show(head), row.shown) << row.name;
  }
}

struct AcceptedResponse {
  const char* name;
  std::string bytes;
  std::string shown;
  Method method = Method::post;
};

const std::vector<AcceptedResponse> accepted_responses = {
    {"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200(OK) v1 framing1/5 keep [Content-Length=5]"},
    {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "200(OK) v1 framing2/0 keep [Transfer-Encoding=chunked]"},
    {"until close", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
     "200(OK) v1 framing3/0 [Connection=keep-alive]"},
    {"no space and no reason (tolerated by all clients)", "HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n",
     "429() v1 framing1/0 keep [Content-Length=0]"},
    {"no reason (RFC 9112 4)", "HTTP/1.1 429 \r\nContent-Length: 0\r\n\r\n",
     "429() v1 framing1/0 keep [Content-Length=0]"},
    {"a long reason", "HTTP/1.1 529 Site is \xC3\xA9 overloaded\r\nContent-Length: 0\r\n\r\n",
     "529(Site is \xC3\xA9 overloaded) v1 framing1/0 keep [Content-Length=0]"},
    {"1xx", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "103(Early Hints) v1 framing0/0 keep [Link=</a>]"},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", "204(No Content) v1 framing0/0 keep"},
    {"204 that announces a body", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
     "204(No Content) v1 framing0/3 [Content-Length=3]"},
    {"304 tells the length of what it does not send", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
     "304(Not Modified) v1 framing0/3 keep [Content-Length=3]"},
    {"the answer to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
     "200(OK) v1 framing0/3 keep [Content-Length=3]", Method::head},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", "200(OK) v0 framing1/3 [Content-Length=3]"},
    {"HTTP/1.0 that stays", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n",
     "200(OK) v0 framing1/3 keep [Content-Length=3] [Connection=keep-alive]"},
    {"close", "HTTP/1.1 500 x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
     "500(x) v1 framing1/3 [Content-Length=3] [Connection=close]"},
    {"an unreadable Connection field costs only the reuse",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: a b\r\n\r\n",
     "200(OK) v1 framing1/3 [Content-Length=3] [Connection=a b]"},
};

TEST(ResponseHead, accepted) {
  for (const AcceptedResponse& row : accepted_responses) {
    const Parsed parsed = parse_whole<ResponseHead>(row.bytes + "body", {}, row.method);
    EXPECT_EQ(parsed.fault, "") << row.name;
    EXPECT_EQ(parsed.shown, row.shown) << row.name;
    EXPECT_EQ(parsed.consumed, row.bytes.size()) << row.name;
    expect_same_in_any_cut<ResponseHead>(row.bytes + "body", {}, row.method);
  }
}

std::string ok(std::string_view fields) {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
}

const std::vector<Refused> refused_responses = {
    {HeadFault::bad_version, "HTP/1.1 200 OK\r\n\r\n"},
    {HeadFault::bad_version, "<html>\r\n\r\n"},
    {HeadFault::bad_version, "\r\nHTTP/1.1 200 OK\r\n\r\n"},
    {HeadFault::version_unsupported, "HTTP/2.0 200 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1  200 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1\t200 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 20 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 2000 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 099 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 -20 OK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 200\tOK\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 200 O\x01K\r\n\r\n"},
    {HeadFault::bad_status_line, "HTTP/1.1 200 O\0K\r\n\r\n"s},
    {HeadFault::bad_status_line, "HTTP/1.1\r\n\r\n"},
    {HeadFault::bare_line_feed, "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
    {HeadFault::bare_carriage_return, "HTTP/1.1 200 O\rK\r\n\r\n"},
    {HeadFault::bare_carriage_return, "HTTP/1.1 200 OK\r\r\n\r\n"},
    {HeadFault::folded_line, ok("X: a\r\n b\r\n")},
    {HeadFault::space_before_colon, ok("Content-Length : 5\r\n")},
    {HeadFault::length_and_coding, ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
    {HeadFault::length_repeated, ok("Content-Length: 5\r\nContent-Length: 6\r\n")},
    {HeadFault::length_repeated, ok("Content-Length: 5\r\nContent-Length: 5\r\n")},
    {HeadFault::length_invalid, ok("Content-Length: 5, 5\r\n")},
    {HeadFault::coding_unknown, ok("Transfer-Encoding: gzip, chunked\r\n")},
    {HeadFault::coding_repeated, ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {HeadFault::coding_in_http_1_0, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
};

TEST(ResponseHead, refused) {
  for (const Refused& row : refused_responses) {
    EXPECT_EQ(parse_whole<ResponseHead>(row.bytes).fault, describe(row.fault).reason)
        << testing::PrintToString(row.bytes);
    expect_same_in_any_cut<ResponseHead>(row.bytes);
  }
}

TEST(ResponseHead, tells_an_interim_response) {
  ParseState state;
  ResponseHead head;
  const std::string bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const ParseOutcome interim = parse_response_head(bytes, state, head, Method::post);
  ASSERT_EQ(interim.kind, Kind::done);
  EXPECT_TRUE(head.is_interim());
  const ParseOutcome last =
      parse_response_head(std::string_view(bytes).substr(interim.consumed), state, head, Method::post);
  ASSERT_EQ(last.kind, Kind::done);
  EXPECT_FALSE(head.is_interim());
  EXPECT_EQ(head.status, 200);
}

}  // namespace
}  // namespace weir::http

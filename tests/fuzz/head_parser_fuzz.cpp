// LINKS: weir_http
//
// Heads of HTTP/1.1, read by our parser and by Boost.Beast's as the second opinion.
//
// An input that begins with "HTTP" is taken for a response, any other for a request. Checked for each:
// - the same input in pieces, each time at another address, gives the same outcome and the same head;
// - what ours accepts Beast accepts, and both read the same method, target, version, status, fields, length, coding,
//   persistence and end of the head;
// - where Beast accepts and ours refuses, the reason is one of those listed here: strictness that is meant;
// - where ours wants more, Beast has not come to the end of the head either.
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "cuts.hpp"
#include "http/head_parser.hpp"

namespace {

namespace beast = boost::beast::http;
using namespace weir::http;
using Kind = ParseOutcome::Kind;

// What a head says, as both parsers can tell it.
struct Reading {
  std::string first_line;  // method and target, or status
  int version = 0;         // 10 or 11
  std::vector<std::string> fields;
  bool has_length = false;
  std::uint64_t length = 0;
  bool chunked = false;
  bool keep_alive = false;
  std::size_t consumed = 0;
  friend bool operator==(const Reading&, const Reading&) = default;
};

// Beast's parser with callbacks that only take notes. Its own `fields` container would reorder repeated names.
template <bool is_request>
class Second : public beast::basic_parser<is_request> {
 public:
  Reading reading;

 private:
  using Text = boost::beast::string_view;
  using ErrorCode = boost::beast::error_code;

  static std::string text_of(Text text) { return {text.data(), text.size()}; }
  void on_request_impl(beast::verb, Text method, Text target, int version, ErrorCode&) override {
    reading.first_line = text_of(method) + ' ' + text_of(target);
    reading.version = version;
  }
  void on_response_impl(int code, Text reason, int version, ErrorCode&) override {
    reading.first_line = std::to_string(code) + ' ' + text_of(reason);
    reading.version = version;
  }
  void on_field_impl(beast::field, Text name, Text value, ErrorCode&) override {
    reading.fields.push_back(text_of(name) + ": " + text_of(value));
  }
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) override { return body.size(); }
  void on_finish_impl(ErrorCode&) override {}
};

struct Opinion {
  bool accepts = false;
  std::string error;
  Reading reading;
};

template <bool is_request>
Opinion second_opinion(std::string_view bytes) {
  Second<is_request> parser;
  parser.header_limit(1024 * 1024);
  parser.body_limit(boost::none);
  boost::beast::error_code error;
  const std::size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (!parser.is_header_done()) {
    return {.error = error.message()};
  }
  Opinion opinion{.accepts = true, .reading = parser.reading};
  opinion.reading.consumed = used;
  opinion.reading.chunked = parser.chunked();
  opinion.reading.has_length = parser.content_length().has_value();
  opinion.reading.length = parser.content_length().value_or(0);
  opinion.reading.keep_alive = parser.keep_alive();
  return opinion;
}

void note_fields(const Headers& headers, Reading& reading) {
  for (const Header& field : headers) {
    reading.fields.push_back(std::string(field.name) + ": " + std::string(field.value));
  }
}

Reading read_off(const RequestHead& head, std::size_t consumed) {
  Reading reading{.first_line = std::string(head.method_text) + ' ' + std::string(head.target_text),
                  .version = head.version == Version::http_1_1 ? 11 : 10,
                  .has_length = head.framing == BodyFraming::length,
                  .length = head.content_length,
                  .chunked = head.framing == BodyFraming::chunked,
                  .keep_alive = head.keep_alive,
                  .consumed = consumed};
  note_fields(head.headers, reading);
  return reading;
}

Reading read_off(const ResponseHead& head, std::size_t consumed) {
  Reading reading{.first_line = std::to_string(head.status) + ' ' + std::string(head.reason),
                  .version = head.version == Version::http_1_1 ? 11 : 10,
                  .has_length = head.has_content_length,
                  .length = head.content_length,
                  .chunked = head.headers.has(KnownHeader::transfer_encoding),
                  .keep_alive = head.keep_alive,
                  .consumed = consumed};
  note_fields(head.headers, reading);
  return reading;
}

ParseOutcome parse(std::string_view bytes, ParseState& state, RequestHead& head) {
  return parse_request_head(bytes, state, head);
}

ParseOutcome parse(std::string_view bytes, ParseState& state, ResponseHead& head) {
  return parse_response_head(bytes, state, head, Method::post);
}

// Refusals that are meant. Everything else that Beast accepts must be accepted.
bool is_meant(HeadFault fault, bool is_request) {
  switch (fault) {
    case HeadFault::folded_line:      // Beast joins the lines (RFC 9112 section 5.2 lets it)
    case HeadFault::bad_target:       // Beast takes any byte but controls and blanks, and any form
    case HeadFault::method_refused:   // CONNECT
    case HeadFault::too_many_fields:  // Beast counts bytes only
    case HeadFault::head_too_large:   // a lower limit than the one set here for Beast
    case HeadFault::request_line_too_long:
    case HeadFault::host_missing:  // Beast leaves Host to its user
    case HeadFault::host_repeated:
    case HeadFault::host_invalid:
    case HeadFault::length_repeated:    // Beast takes equal numbers for one
    case HeadFault::length_invalid:     // "5, 5", and numbers of 20 digits
    case HeadFault::length_and_coding:  // Beast does not see a coding that does not end in chunked
    case HeadFault::coding_invalid:
    case HeadFault::coding_repeated:
    case HeadFault::coding_unknown:
    case HeadFault::coding_in_http_1_0:
    case HeadFault::expectation_unknown: return true;
    case HeadFault::bad_status_line: return !is_request;  // Beast takes the status 000 to 099
    default: return false;
  }
}

template <class Head>
void check(std::string_view input) {
  constexpr bool is_request = std::is_same_v<Head, RequestHead>;
  ParseState state;
  Head head;
  const ParseOutcome outcome = parse(input, state, head);

  // In pieces.
  weir::fuzz::Dice dice(input);
  ParseState cut_state;
  Head cut_head;
  ParseOutcome cut_outcome;
  std::unique_ptr<char[]> place;
  for (const std::size_t end : weir::fuzz::cuts(input.size(), dice)) {
    auto moved = std::make_unique_for_overwrite<char[]>(end);  // exactly as long: ASan sees a read beyond it
    std::copy_n(input.data(), end, moved.get());
    cut_outcome = parse({moved.get(), end}, cut_state, cut_head);
    place = std::move(moved);
    if (cut_outcome.kind != Kind::need_more) {
      break;
    }
  }
  WEIR_ASSERT(cut_outcome.kind == outcome.kind && cut_outcome.fault == outcome.fault &&
                  cut_outcome.consumed == outcome.consumed,
              "a cut changes the outcome");
  if (outcome.kind == Kind::done) {
    WEIR_ASSERT(read_off(head, outcome.consumed) == read_off(cut_head, cut_outcome.consumed), "a cut changes the head");
  }

  // The second opinion does not skip the empty line that ours tolerates before a request.
  const std::size_t skipped = is_request && input.starts_with("\r\n") ? 2 : 0;
  const Opinion second = second_opinion<is_request>(input.substr(skipped));
  switch (outcome.kind) {
    case Kind::need_more: WEIR_ASSERT(!second.accepts, "ours wants more where Beast has a whole head"); break;
    case Kind::error:
      if (second.accepts && !is_meant(outcome.fault, is_request)) {
        weir::assertion_failed(outcome.reason(), "ours refuses what Beast accepts", __FILE__, __LINE__);
      }
      break;
    case Kind::done: {
      const Headers& headers = head.headers;
      if (!second.accepts) {
        // Beast refuses a Connection field that is no list of names, also in a response, where ours only closes, and
        // it reads Proxy-Connection of old proxies in the same way. It wants the space behind a status.
        const bool is_excused = headers.has(KnownHeader::proxy_connection) ||
                                (!is_request && headers.has(KnownHeader::connection) && !head.keep_alive) ||
                                (!is_request && input[std::string_view("HTTP/1.1 200").size()] == '\r');
        if (!is_excused) {
          weir::assertion_failed(second.error.c_str(), "ours accepts what Beast refuses", __FILE__, __LINE__);
        }
        break;
      }
      Reading ours = read_off(head, outcome.consumed - skipped);
      Reading theirs = second.reading;
      if (headers.has(KnownHeader::proxy_connection)) {
        ours.keep_alive = theirs.keep_alive;
      }
      if constexpr (!is_request) {
        // Where a response has no body, ours gives up a connection on which one was announced; Beast goes on.
        if (head.is_interim() || head.status == 204) {
          ours.keep_alive = theirs.keep_alive = false;
        }
      }
      WEIR_ASSERT(ours == theirs, "ours and Beast read different heads");
      break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with("HTTP")) {
    check<ResponseHead>(input);
  } else {
    check<RequestHead>(input);
  }
  return 0;
}

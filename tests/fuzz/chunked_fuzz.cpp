// LINKS: weir_http
//
// Chunked bodies, read by our decoder and by Boost.Beast's as the second opinion.
//
// Checked for each input: in pieces it gives the same payload, the same end and the same verdict; what ours accepts
// Beast accepts with the same payload and the same end of the body (or refuses for what it checks and we drop:
// extensions and trailers); where Beast accepts and ours refuses, the reason is one of those listed here; a payload
// that is encoded again comes back.
#include <boost/beast/http.hpp>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "cuts.hpp"
#include "http/chunked.hpp"

namespace {

namespace beast = boost::beast::http;
using weir::http::ChunkedDecoder;
using Kind = ChunkedDecoder::Kind;

struct Reading {
  Kind end = Kind::need_more;
  std::string reason;
  std::string payload;
  std::size_t consumed = 0;  // for Kind::done
  friend bool operator==(const Reading&, const Reading&) = default;
};

Reading read(std::string_view input, const std::vector<std::size_t>& ends) {
  ChunkedDecoder decoder;
  Reading reading;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    const std::vector<char> piece(input.begin() + static_cast<std::ptrdiff_t>(begin),
                                  input.begin() + static_cast<std::ptrdiff_t>(end));
    std::string_view rest(piece.data(), piece.size());
    for (;;) {
      const auto step = decoder.next(rest);
      WEIR_ASSERT(step.consumed <= rest.size(), "more is used than was given");
      WEIR_ASSERT((step.kind == Kind::payload) == !step.payload.empty(), "a payload step has a payload");
      reading.payload += step.payload;
      rest.remove_prefix(step.consumed);
      if (step.kind == Kind::payload) {
        continue;
      }
      if (step.kind != Kind::need_more) {
        reading.end = step.kind;
        reading.reason = decoder.reason();
        reading.consumed = step.kind == Kind::done ? end - rest.size() : 0;
        return reading;
      }
      WEIR_ASSERT(rest.empty(), "need_more leaves bytes behind");
      break;
    }
    begin = end;
  }
  return reading;
}

class Second : public beast::basic_parser<false> {
 public:
  std::string payload;

 private:
  using Text = boost::beast::string_view;
  using ErrorCode = boost::beast::error_code;
  void on_request_impl(beast::verb, Text, Text, int, ErrorCode&) override {}
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_field_impl(beast::field, Text, Text, ErrorCode&) override {}
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) override {
    payload.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(ErrorCode&) override {}
};

// Reasons that are meant: Beast lets these pass.
bool is_meant(std::string_view reason) {
  return reason == "a chunk size has more than 16 digits" || reason == "a chunk size is not a hexadecimal number" ||
         reason == "the chunk extensions are too large" ||
         reason == "the trailers behind the chunked body are too large" ||
         // A quoted LF.
         reason == "a chunk extension has a control character" ||
         // Folded lines.
         reason == "a trailer name is empty or has a character that is not allowed";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  weir::fuzz::Dice dice(input);
  const Reading whole = read(input, {size});
  WEIR_ASSERT(read(input, weir::fuzz::cuts(size, dice)) == whole, "a cut changes the body");

  if (!whole.payload.empty()) {
    std::string again;
    for (std::string_view rest = whole.payload; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + dice.below(rest.size()));
      again += weir::http::ChunkHead(piece.size()).view();
      again += piece;
      again += weir::http::chunk_end;
      rest.remove_prefix(piece.size());
    }
    again += weir::http::last_chunk;
    const Reading back = read(again, {again.size()});
    WEIR_ASSERT(back.end == Kind::done && back.payload == whole.payload && back.consumed == again.size(),
                "what is encoded does not come back");
  }

  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string message = head + std::string(input);
  Second second;
  second.eager(true);
  second.body_limit(boost::none);
  second.header_limit(1024 * 1024);
  boost::beast::error_code error;
  std::size_t used = 0;
  // put() gives up at a piece that it cannot use wholly; "need more" then ends the matter.
  do {
    used += second.put(boost::asio::const_buffer(message.data() + used, message.size() - used), error);
  } while (!error && !second.is_done() && used < message.size());

  if (whole.end == Kind::done) {
    if (second.is_done()) {
      WEIR_ASSERT(second.payload == whole.payload && used == head.size() + whole.consumed,
                  "ours and Beast read different bodies");
    } else {
      // Beast reads extensions and trailers by their own grammar; ours bounds and drops them.
      const bool is_excused = error == beast::error::bad_chunk_extension || error == beast::error::bad_content_length ||
                              error == beast::error::bad_transfer_encoding ||
                              error == beast::error::multiple_content_length || error == beast::error::bad_value ||
                              // It waits for the second quote of an extension, also beyond the line.
                              (error == beast::error::need_more && input.find('"') != std::string_view::npos);
      if (!is_excused) {
        weir::assertion_failed(error.message().c_str(), "ours accepts what Beast refuses", __FILE__, __LINE__);
      }
    }
  } else if (second.is_done() && !(whole.end == Kind::error && is_meant(whole.reason))) {
    weir::assertion_failed(whole.reason.c_str(), "ours refuses what Beast accepts", __FILE__, __LINE__);
  }
  return 0;
}

#include "http/head_fault.hpp"

#include <array>
#include <cstddef>

namespace weir::http {
namespace {

// In the order of the enumerators.
constexpr std::array<FaultDescription, static_cast<std::size_t>(HeadFault::count_)> descriptions = {{
    {200, "no fault"},
    {400, "a line ends with LF alone; HTTP/1.1 lines end with CRLF"},
    {400, "a CR stands without its LF"},
    {400, "more than one empty line before the request line"},
    {400, "a header line is folded (begins with a blank)"},
    {431, "the head is larger than this server accepts"},
    {431, "more header fields than this server accepts"},
    {414, "the request line is longer than this server accepts"},
    {400, "the request line is not METHOD SP TARGET SP HTTP/x.y"},
    {400, "the method has a character that is not allowed"},
    {405, "CONNECT is not served here"},
    {400, "the request target is not a path or an http address, or has a character that must be escaped"},
    {400, "the HTTP version cannot be read"},
    {505, "only HTTP/1.1 and HTTP/1.0 are served here"},
    {400, "the status line is not HTTP/x.y SP three digits SP reason"},
    {400, "a blank stands between a header name and its colon"},
    {400, "a header line has no colon"},
    {400, "a header name is empty or has a character that is not allowed"},
    {400, "a header value has a control character"},
    {400, "the Host header is missing"},
    {400, "more than one Host header"},
    {400, "the Host header is empty or has a character that is not allowed"},
    {400, "Content-Length is not one decimal number"},
    {400, "more than one Content-Length header"},
    {400, "both Content-Length and Transfer-Encoding are present"},
    {400, "Transfer-Encoding is empty or repeats a coding"},
    {400, "more than one Transfer-Encoding header"},
    {501, "the only transfer coding served here is chunked"},
    {400, "Transfer-Encoding in an HTTP/1.0 message"},
    {400, "the Connection header is not a list of names"},
    {417, "the only expectation served here is 100-continue"},
}};
static_assert(descriptions.back().status == 417, "each fault has its description");

}  // namespace

FaultDescription describe(HeadFault fault) {
  return descriptions[static_cast<std::size_t>(fault)];
}

}  // namespace weir::http

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::mock_upstream {

struct Request {
  std::string_view method;
  std::string_view target;  // path and query
  std::string_view body;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// Finds HTTP/1.1 requests in the bytes of one connection. Bodies are sized or chunked.
///
/// No I/O. It trusts its client (a proxy under test on this machine) and is no model for a server that must not.
/// Not thread-safe.
class RequestParser {
 public:
  /// Adds bytes that were read. Invalidates the views of the last request.
  void feed(std::string_view bytes);

  /// The next whole request; its views live until the next feed() or next(). Nothing when more bytes are needed, or
  /// when broken() is true.
  std::optional<Request> next();

  /// Once, after a head that asks for it: the client waits for "100 Continue" before it sends its body.
  bool take_continue();
  bool broken() const { return broken_; }

 private:
  bool parse_head();
  bool unchunk();

  std::string bytes_;
  std::size_t used_ = 0;      // of bytes_, by requests already returned
  std::size_t head_ = 0;      // size of the current head, 0: not yet whole
  std::size_t body_ = 0;      // size of the current body where it is sized
  std::size_t body_end_ = 0;  // of a chunked body, counted from the end of the head
  bool chunked_ = false;
  bool continue_due_ = false;
  bool broken_ = false;
  std::string unchunked_;
  Request request_;
};

}  // namespace weir::mock_upstream

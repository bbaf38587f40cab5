#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/head_writer.hpp"
#include "http/headers.hpp"
#include "platform/clock.hpp"
#include "platform/recycled_memory.hpp"
#include "platform/task.hpp"

namespace weir::gateway {

/// The head of what comes out. What it views lives until head() has returned.
struct ReplyHead {
  int status = 200;
  bool streamed = false;                  // events follow; else one body of `body_bytes`
  std::optional<std::size_t> body_bytes;  // absent: its end is not known yet
  RecycledVector<http::Header> passing;   // the provider's, as the head parser read them
  http::FieldLines own;                   // ours
};

/// A refusal or failure as the caller will see it: either our own words or the provider's whole answer.
struct Failure {
  Error error;
  std::string reply;  // the body or the event's data, on one line, where it is not made from the error
  std::optional<int> retry_after_seconds;
  http::FieldLines own;  // ours: ids, target, timing
};

/// Takes what comes out of one call: JSON, SSE, a WebSocket, a batch line, a cache. Each step ends when the receiver
/// has taken it, so a slow receiver stalls the provider.
///
/// Order: head, events*, then end or error; or error alone. After a result that is not a success (the receiver left)
/// nothing more is called. Views are used before the call returns.
class ReplySink {
 public:
  using Outcome = std::expected<void, Code>;  // reset, timeout, cancelled, shutting_down

  virtual ~ReplySink() = default;
  /// Held until there is something to send with it.
  virtual void head(const ReplyHead& head) = 0;
  /// Whole events of a stream with their blank lines, or parts of the body: each its own piece, all at once.
  virtual Task<Outcome> events(std::span<const std::string_view> events) = 0;
  /// The answer is whole with `last`, which may be empty.
  virtual Task<Outcome> end(std::string_view last) = 0;
  /// Nothing or not all could be delivered. Before the head: an error response; after it: the dialect's error event,
  /// or, where the form has no place for one, an end that cannot be mistaken for a good one.
  virtual Task<Outcome> error(const Failure& failure) = 0;
  /// How long it has waited for the receiver so far: time that weir did not add.
  [[nodiscard]] virtual platform::Duration stalled() const = 0;
  /// Bytes given to the receiver so far.
  [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;
};

}  // namespace weir::gateway

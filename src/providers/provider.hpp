#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/headers.hpp"
#include "observe/metrics.hpp"
#include "platform/loop.hpp"
#include "platform/task.hpp"
#include "providers/key_pool.hpp"
#include "providers/presets.hpp"

namespace weir::providers {

/// One upstream call as the gateway wants it. Everything it views lives until the reply object is gone.
struct UpstreamRequest {
  std::string_view method = "POST";        // or GET, without a body
  std::string_view path;                   // behind the base URL: "/chat/completions"
  std::string_view query;                  // the caller's, still escaped
  std::span<const std::string_view> body;  // slices in order
  std::size_t body_bytes = 0;
  std::span<const http::Header> headers;  // the caller's that pass
  std::string_view traceparent;
  std::string_view model;  // the provider's name for it
  std::string_view mock;   // the caller's x-mock
  // One of the provider's keys(), asked for when a connection is there: while the call waited for one, others may have
  // learned that a key does not serve. Lives until the reply object is gone. Empty: the provider takes one itself.
  std::function<const KeyPool::Lease*(platform::Instant)> choose_key;
  std::string_view idempotency_key;  // sent where the provider takes one and the caller sent none; empty: none
  bool stream = false;
  bool fresh_connection = false;                        // not a kept-alive one
  std::function<void(platform::Instant)> on_connected;  // called at once when a connection is there; may be empty
  platform::Instant connect_deadline = platform::never;
};

/// What is known of an upstream call beside its answer; filled while it runs, also when it fails.
struct UpstreamFacts {
  std::optional<platform::Instant> connected;  // a connection was there
  bool reused_connection = false;
  bool closed_before_reply = false;  // the connection ended before any byte of the answer
};

/// An answer that is being received. Destroying it gives the connection back if the answer was read to its end, and
/// cancels the upstream call otherwise.
class UpstreamReply {
 public:
  virtual ~UpstreamReply() = default;
  [[nodiscard]] virtual int status() const = 0;
  /// As clean as what the head parser accepts: they are passed on unchecked.
  [[nodiscard]] virtual const http::Headers& headers() const = 0;
  /// The next bytes of the body, empty at its end; they live until the next read(). Errors: timeout, cancelled; reset
  /// and end_of_stream where the body ended before its end; upstream_malformed.
  virtual Task<Result<std::string_view>> read(platform::Until until) = 0;
  /// The body's last byte has been returned by read().
  [[nodiscard]] virtual bool ended() const = 0;
  /// The whole body's size where the provider announced it.
  [[nodiscard]] virtual std::optional<std::uint64_t> body_bytes() const = 0;
  /// No more of the body is wanted, though its end may not have come: the connection is kept if the rest is already
  /// there or comes at once, else closed.
  virtual void finish() = 0;
  /// The body is not what it should be, so where it ended may be wrong too: its connection is not used again.
  virtual void distrust() {}
};

/// One company or server that answers, on one core. Belongs to that core's loop.
class Provider {
 public:
  virtual ~Provider() = default;
  /// Sends the request and waits for the answer's head. Errors: unreachable, refused, reset, end_of_stream (closed
  /// before the head), timeout, cancelled, upstream_malformed.
  virtual Task<Result<std::unique_ptr<UpstreamReply>>> send(const UpstreamRequest& request, UpstreamFacts& facts,
                                                            platform::Until until) = 0;
  [[nodiscard]] virtual const Quirks& quirks() const {
    static constexpr Quirks none;
    return none;
  }
  /// Our keys there; null where none is sent. Lives as long as the provider.
  [[nodiscard]] virtual KeyPool* keys() const { return nullptr; }
  /// Whether its streams tell a usage, as the last whole one showed; false before the first.
  [[nodiscard]] bool tells_stream_usage() const { return tells_stream_usage_; }
  void note_stream_usage(bool told) { tells_stream_usage_ = told; }
  /// Takes our credentials out of words that the provider sent: some echo what they were asked with.
  virtual void conceal(std::string& words) const = 0;
  /// Adds the provider's own numbers (connections) to a scrape.
  virtual void collect(observe::MetricShard& shard) const = 0;
  /// Gives back what it holds; must have returned before the destructor.
  virtual Task<void> close() = 0;

 private:
  bool tells_stream_usage_ = false;
};

}  // namespace weir::providers

#pragma once

#include <optional>

#include "gateway/call.hpp"
#include "gateway/core.hpp"
#include "gateway/reply_sink.hpp"
#include "net/task_group.hpp"

namespace weir::gateway {

/// Between a streamed call and its receiver: sends keep-alives while there is nothing to send, from a long silence on
/// until the first content, over all attempts.
///
/// The first one sends the head, with status 200 and nothing of a target; what the attempts would put into the head is
/// then lost, and a failure becomes an error event. A call that is answered in time pays for one timer. Life: on the
/// stack of one call; stop() must have returned before the destructor. Belongs to one loop.
class KeepAlive final : public ReplySink, platform::Timer {
 public:
  KeepAlive(Core& core, const Call& call, ReplySink& sink, ledger::RequestRecord& record)
      : core_(core), call_(call), sink_(sink), record_(record) {}
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;
  ~KeepAlive() = default;

  /// From here on, if the call is streamed and the options say so.
  void start();
  /// Once more, from a silence of their usual distance on: the answer broke off, and nothing comes for a while.
  void start_again();
  /// No further one; waits until the one that is being written has left. Every delivery does so by itself.
  Task<void> stop();
  /// A keep-alive has left, and the head with it.
  [[nodiscard]] bool head_sent() const { return head_sent_; }

  void head(const ReplyHead& head) override;
  Task<Outcome> events(std::span<const std::string_view> events) override;
  Task<Outcome> end(std::string_view last) override;
  Task<Outcome> error(const Failure& failure) override;
  [[nodiscard]] platform::Duration stalled() const override { return sink_.stalled(); }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return sink_.bytes_sent(); }

 private:
  void on_timer() override;
  void begin();
  void send_head();
  Task<void> keep_alive();
  WEIR_OWN_FRAME Task<Outcome> events_after(std::span<const std::string_view> events);
  WEIR_OWN_FRAME Task<Outcome> end_after(std::string_view last);
  WEIR_OWN_FRAME Task<Outcome> error_after(const Failure& failure);

  Core& core_;
  const Call& call_;
  ReplySink& sink_;
  ledger::RequestRecord& record_;
  std::optional<net::TaskGroup> writing_;  // once the first is due
  bool head_sent_ = false;
  bool amid_answer_ = false;  // the head is not its own
};

}  // namespace weir::gateway

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/attempt.hpp"
#include "gateway/call.hpp"
#include "gateway/charges.hpp"
#include "gateway/core.hpp"
#include "gateway/keep_alive.hpp"
#include "gateway/reply_sink.hpp"
#include "gateway/uncounted.hpp"
#include "http/server.hpp"
#include "ledger/request_record.hpp"
#include "routing/resolve.hpp"

namespace weir::gateway {

class Recovery;

/// In the place of the caller's key, in records of weir's own questions (Call::probe).
inline constexpr std::string_view probe_label = "weir-probe";

/// One call from authenticate to settle; the only way to a provider.
///
/// Life: one per call, on the stack of whoever received it; call, sink and end outlive it. Settles exactly once, at the
/// latest in its destructor: whatever way the call ends, its record is written and nothing stays open. Belongs to one
/// loop.
class Exchange {
 public:
  /// Sets `call.principal`.
  Exchange(Core& core, Call& call, ReplySink& sink, http::RequestEnd& end);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  Task<void> run();

 private:
  /// What a stage says: nothing (go on), or why the call is refused. A stage that can answer (lookup) will do so
  /// through the sink.
  using Refusal = std::optional<Error>;

  Refusal authenticate();
  Refusal resolve();
  Refusal authorize();
  Refusal admit();
  Refusal lookup();

  Task<void> run_stages();
  Task<void> attempts();
  WEIR_OWN_FRAME Task<void> tell_failure();
  WEIR_OWN_FRAME Task<void> turn_away(const Error& error, std::string_view reply = {});
  WEIR_OWN_FRAME Task<void> tell_broken(const Recovery& recovery);
  WEIR_OWN_FRAME Task<void> deliver_failure(const AttemptResult& last);
  WEIR_OWN_FRAME Task<void> refuse(Error error, std::optional<platform::Duration> retry_after = std::nullopt,
                                   std::string reply = {});
  WEIR_OWN_FRAME Task<void> ended_early();
  void settle(ledger::EndState end_state);
  /// Ids, target, timing; where the caller has limits, how he stands with them.
  void add_own_headers(http::FieldLines& out, bool provider_sent_id) const;

  /// The time that weir itself took of the call, for a head that is written now.
  [[nodiscard]] platform::Duration added_so_far() const {
    return core_.loop.look_at_clock() - call_.received - waited_;
  }
  [[nodiscard]] bool has_own_limits() const { return charges_ != nullptr && charges_->has_limits(); }

  Core& core_;
  Call& call_;
  http::RequestEnd& end_;
  std::shared_ptr<const Snapshot> snapshot_;  // pinned for the whole call
  std::shared_ptr<const auth::Gate> gate_;    // pinned: the principal looks into it
  std::shared_ptr<ledger::RequestRecord> record_;
  ledger::LiveCall live_;
  KeepAlive sink_;  // in front of the caller's
  routing::Plan plan_;
  platform::Duration waited_{};                        // for others: providers, back-offs
  std::optional<platform::Duration> come_back_after_;  // with a refusal by admit()
  std::unique_ptr<Charges> charges_;                   // null: nothing bounds the call; goes before snapshot_
  std::unique_ptr<Uncounted> uncounted_;               // of the last attempt; mostly null
  bool settled_ = false;
};

}  // namespace weir::gateway

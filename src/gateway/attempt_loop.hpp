#pragma once

#include <expected>
#include <forward_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/attempt.hpp"
#include "gateway/passed_over.hpp"
#include "gateway/recovery.hpp"
#include "gateway/uncounted.hpp"
#include "routing/resolve.hpp"
#include "routing/target_state.hpp"

namespace weir::gateway {

/// The attempts of one call: which member of which step is asked, how often, and when it is enough.
///
/// All members of a step are asked before the next step, in the order that balances the step while the call runs. Who
/// is left alone by its circuit breaker, or full, is passed over; where that is everybody, the one that recovers first
/// may get a trial. Ends before its call is settled: the row of an attempt that an exception ended is closed in the
/// destructor. Belongs to one loop.
class AttemptLoop {
 public:
  /// Everything outlives the loop; `deadline` of `attempt` is the whole call's.
  struct Context {
    Attempt::Context attempt;
    const Snapshot& snapshot;
    routing::Plan& plan;  // its members are put in order as they are chosen
    Recovery& recovery;
  };
  explicit AttemptLoop(Context context) : context_(context) {}
  AttemptLoop(const AttemptLoop&) = delete;
  AttemptLoop& operator=(const AttemptLoop&) = delete;
  ~AttemptLoop();

  WEIR_OWN_FRAME Task<void> run();
  /// Behind run(): how the last attempt ended. Failed: nobody is left to be asked, and nothing of any answer has left,
  /// or what has left broke off and could not be gone on with (Recovery::pending).
  [[nodiscard]] AttemptResult& last() { return last_; }

 private:
  enum class Next : std::uint8_t { member, nothing };

  /// Puts the member that is to be asked next in front.
  void put_best_first(const routing::PlanStep& step, std::span<routing::Candidate> members, bool first);
  /// For this call, at the prices of today.
  std::size_t cheapest(std::span<const routing::Candidate> members, double drawn);
  /// A place at this member; null, with the reason noted: it takes no call. `early`: though its breaker is open.
  struct Place {
    providers::Provider* provider = nullptr;
    routing::Slot slot;
  };
  /// The label of a target in metrics: a name that a caller made up must not become one. Lives as long as the plan.
  std::string_view label_of(const routing::Candidate& candidate);
  Place place_at(const routing::Step* step, const routing::Candidate& member, bool early);
  std::expected<routing::Slot, routing::Refused> take(const routing::Candidate& member, bool early);
  /// For another attempt at the same member; false, with the reason noted: it takes no call any more.
  bool take_again(const routing::Candidate& member, routing::Slot& slot);
  /// Nobody took the call: what the caller is told.
  void refuse();

  bool add_fallback();
  /// Null, with the reason in the record: it cannot be asked at all.
  providers::Provider* provider_of(const routing::Candidate& candidate);
  WEIR_OWN_FRAME Task<bool> wait_for_key();
  /// Time has passed: whoever was refused by a budget or a limit is asked again, and what was said then is forgotten.
  void decide_anew();
  /// After a failed attempt: who wants to be left alone until when.
  void note_wish();
  /// True, with the reason in the record: asking it could not help.
  bool is_in_vain(const routing::Candidate& candidate, providers::Provider& provider);
  /// The model that the configuration names for the cause of the last failure; empty: none.
  [[nodiscard]] std::string_view special_fallback() const;
  [[nodiscard]] std::string_view substitute() const;
  WEIR_OWN_FRAME Task<void> ask_instead(std::string_view model);
  enum class Pause : std::uint8_t { over, in_vain, caller_left };
  /// Before another attempt at the same member: waits, and longer where other calls have learned meanwhile that none of
  /// its keys serves yet. In vain, with the reason noted: none will serve for long.
  WEIR_OWN_FRAME Task<Pause> wait_to_ask_again(const routing::Candidate& candidate, const providers::KeyPool* pool,
                                               platform::Instant until);
  /// Asks one member, and again where that may help; how it ended is in last_.
  WEIR_OWN_FRAME Task<Next> ask(const routing::Candidate& candidate, providers::Provider& provider, routing::Slot slot);
  /// Gives the slot back with what the last attempt says of its target. True: its breaker opened.
  bool end(routing::Slot& slot);
  void tell_of_key(const ledger::AttemptRecord& row);
  /// Tokens and money for the attempt of the last row; false, with the reason noted and the row gone: there is not
  /// enough for it.
  bool reserve();
  /// The attempt of the last row has ended: what it used and cost, and what it held.
  void settle_attempt(const Attempt::Turn& turn);
  ledger::AttemptRecord& begin_row(const routing::Candidate& candidate);
  [[nodiscard]] bool has_other_members() const;
  [[nodiscard]] platform::Instant now() const { return context_.attempt.core.loop.now(); }
  [[nodiscard]] ledger::RequestRecord& record() { return context_.attempt.record; }

  Context context_;
  AttemptResult last_{.failure = {.code = Code::upstream_unreachable}};
  std::string_view label_;                      // of the member that is asked, in metrics
  std::forward_list<std::string> made_labels_;  // of those that have no state, whose name it is
  bool instead_ = false;                        // this is a special fallback already: there is no second one
  struct Resting {
    const routing::Target* target = nullptr;
    platform::Instant until;
  };
  std::vector<Resting> resting_;                // those without a usable key
  std::vector<const routing::Target*> unpaid_;  // those that a budget or a limit refused
  platform::Instant back_at_ = platform::never;
  bool last_resort_ = false;   // they alone are asked
  std::string_view left_for_;  // the label of the member that was asked before
  PassedOver passed_over_;
};

}  // namespace weir::gateway

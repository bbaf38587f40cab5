#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/attempt.hpp"
#include "gateway/call.hpp"
#include "gateway/continuation.hpp"
#include "gateway/core.hpp"
#include "ledger/live_feed.hpp"
#include "ledger/request_record.hpp"
#include "tokens/count.hpp"

namespace weir::gateway {

/// What is kept of an answer whose provider tells no usage, or may tell none, so that it can be counted. Of the last
/// attempt of a call; belongs to the call's loop.
struct Uncounted {
  std::string reply;                             // an answer that was not streamed
  std::optional<Delivered> text;                 // of a stream, where nobody else keeps it
  std::optional<tokens::CountJob> job;           // made when the attempt has ended: it can be counted exactly
  platform::MemoryBudget::Lease lease;           // for the job
  std::optional<ledger::AwaitedRecord> awaited;  // while it is counted
  std::string label;                             // of the attempt's target, in metrics
};

/// Where the provider cannot be trusted to tell what a stream used, keeps its text.
void keep_text(std::unique_ptr<Uncounted>& uncounted, const Core& core, const Call& call, Attempt::Turn& turn);
void keep_reply(std::unique_ptr<Uncounted>& uncounted, std::string_view reply);

/// Of an attempt that has ended, by what is known of it: says where its usage comes from. Where content had left and
/// its provider told no usage, estimates it; and if it can be counted exactly, there is a job in `uncounted` then.
void find_usage(const Core& core, const Call& call, const Delivered* delivered, ledger::AttemptRecord& row,
                std::unique_ptr<Uncounted>& uncounted);

/// The sums over the attempts: usage, its source, cost.
void add_up(ledger::RequestRecord& record);

/// Ends a call's record: to the journal, and to whoever takes records.
void hand_over(Core& core, std::shared_ptr<ledger::RequestRecord> record);
/// The same once its last attempt is counted; with the estimate where that does not come in time. Nobody waits for it.
void count_and_hand_over(Core& core, std::shared_ptr<ledger::RequestRecord> record,
                         std::unique_ptr<Uncounted> uncounted);

}  // namespace weir::gateway

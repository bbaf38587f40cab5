#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "gateway/allowances.hpp"
#include "gateway/call.hpp"
#include "gateway/core.hpp"
#include "gateway/rate_limit_headers.hpp"
#include "ledger/budgets.hpp"
#include "ledger/request_record.hpp"
#include "limits/limiter.hpp"

namespace weir::gateway {

/// What bounds one call, and what it has taken of it: a request and a place in flight when it is admitted, tokens and
/// money for each attempt, settled when that has ended. Whatever way the call ends, what it held is back when this is
/// destroyed.
///
/// One per call that anything bounds; null for all others. Its snapshot and its call outlive it; belongs to one loop.
class Charges {
 public:
  /// Null where nothing bounds this call. `route`: the entry of models that it means.
  static std::unique_ptr<Charges> of(Core& core, const Call& call, const Allowances* allowances,
                                     std::string_view route);
  Charges(const Charges&) = delete;
  Charges& operator=(const Charges&) = delete;
  ~Charges() = default;
  static void* operator new(std::size_t bytes) { return allocate_recycled(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_recycled(block, bytes); }

  /// Why the call may not go on.
  struct Refusal {
    Error error;
    std::optional<platform::Duration> retry_after;
    std::string_view substitute;  // the model that may be asked instead; mostly empty
    std::string by;               // for explain: "the budget of this key, $1 per day"
  };
  /// A request, and a place in flight: all limits grant it, or none counts it.
  std::optional<Refusal> admit();
  /// Before each attempt, in the row of the record that begins: tokens and money, in one decision. Who refuses it,
  /// where it is refused; then nothing is held. `deadline`: of the call.
  std::optional<std::string_view> reserve(ledger::AttemptRecord& row, platform::Instant deadline);
  /// Why no attempt could be paid for: of several refusals the one that leaves most hope.
  [[nodiscard]] const std::optional<Refusal>& refusal() const { return refusal_; }
  /// It is out of date: what is refused from now on counts alone.
  void forget_refusal() { refusal_.reset(); }
  /// The attempt of that row has ended, with its cost.
  void settle(ledger::AttemptRecord& row);
  /// The call has ended.
  void end();
  /// The call was refused before anything was asked of anybody: it does not count as a request.
  void give_back_admission();

  /// How many tokens an answer may have at most, where a budget is hard: what the provider has to be told.
  [[nodiscard]] std::optional<std::int64_t> output_limit() const;
  /// What the caller is told of his standing.
  void append_headers(http::FieldLines& fields) const { headers_.append_to(fields); }
  /// He has limits, whose standing he is told.
  [[nodiscard]] bool has_limits() const { return scope_count_ > 0; }

 private:
  Charges(Core& core, const Call& call, const Allowances& allowances) : core_(core), call_(call), all_(allowances) {}

  void add_scope(limits::ScopeKind kind, std::string_view id, const limits::LimitSet& set);
  void add_owner(ledger::OwnerKind kind, std::string_view id, const ledger::BudgetRules& rules);
  void find_all(std::string_view route);
  [[nodiscard]] std::span<const limits::Scope> scopes() const { return {scopes_.data(), scope_count_}; }
  [[nodiscard]] std::int64_t output_tokens(const ledger::ModelPrice* price) const;
  Refusal explain(const limits::Refusal& refusal, std::int64_t tokens);
  std::string_view keep(Refusal refusal);
  [[nodiscard]] llm::Usage estimated(const ledger::AttemptRecord& row) const;
  Refusal explain(const ledger::BudgetRefusal& refusal) const;
  void warn(const std::vector<ledger::BudgetWarning>& warnings);

  Core& core_;
  const Call& call_;
  const Allowances& all_;
  std::string user_;  // with its tenant
  std::array<char, 17> address_{};
  std::array<limits::Scope, limits::Limiter::scopes_per_call_max> scopes_{};
  std::size_t scope_count_ = 0;
  bool counts_tokens_ = false;
  std::vector<ledger::Budgets::Owner> owners_;
  ledger::Budgets::Purse purse_;

  std::int64_t estimate_ = -1;  // of the prompt; negative: not made yet
  limits::Limiter::Ticket ticket_;
  RateLimitHeaders headers_;
  std::optional<Refusal> refusal_;
  std::string by_;  // of the last refusal
  // Of the attempt that runs.
  bool reserved_ = false;
  std::int64_t output_ = 0;  // tokens that its answer may have
  ledger::Budgets::Lease lease_;
};

}  // namespace weir::gateway

#pragma once

#include <optional>
#include <string_view>

#include "gateway/attempt.hpp"
#include "providers/key_pool.hpp"

namespace weir::gateway {

/// The keys of one target in one call: which the next attempt takes, and whether another may be asked at once.
///
/// Life: while its target is asked; the pool, null where no key is sent, and the model's name outlive it. No I/O.
class KeyTurn {
 public:
  KeyTurn(providers::KeyPool* pool, std::string_view model) : pool_(pool), model_(model) {}

  /// The key of the next attempt; null: none is sent. Where all are out, the one that comes back first. The one of the
  /// last attempt stays, unless another call has learned meanwhile that it does not serve.
  const providers::KeyPool::Lease* key(platform::Instant now) {
    if (key_ && !pool_->serves(*key_, model_, now)) {
      key_.reset();
    }
    if (pool_ != nullptr && !key_) {
      key_ = pool_->take(model_, tried_, now);
      if (!key_) {
        key_ = pool_->take_anyway(model_, tried_, now);
      }
    }
    return key_ ? &*key_ : nullptr;
  }

  /// Tells the pool how the attempt ended. True: this opened the key's breaker.
  bool report(const AttemptResult& result, const providers::RateLimits& limits, platform::Instant now) {
    if (!key_) {
      return false;
    }
    std::optional<llm::Cause> cause;
    switch (result.kind) {
      case AttemptResult::Kind::delivered: break;
      case AttemptResult::Kind::caller_left: cause = llm::Cause::gateway; break;  // nothing is known of the key
      default: cause = result.failure.cause; break;
    }
    return pool_->report(*key_, model_, cause, limits, now);
  }

  /// After a failure: true if it was the key's fault and another key takes its place at once, which is no attempt more
  /// at this target. Else the next key() may be any.
  bool change(llm::Cause cause, platform::Instant now) {
    if (!key_) {
      return false;
    }
    if (llm::is_keys_fault(cause)) {
      tried_.set(key_->index());
      auto other = pool_->take(model_, tried_, now);
      if (other) {
        key_ = std::move(other);
        return true;
      }
    }
    key_.reset();
    tried_.reset();
    return false;
  }

 private:
  providers::KeyPool* pool_;
  std::string_view model_;
  providers::KeySet tried_;
  std::optional<providers::KeyPool::Lease> key_;
};

}  // namespace weir::gateway

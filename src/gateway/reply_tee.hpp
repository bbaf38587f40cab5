#pragma once

#include <string_view>

#include "gateway/call.hpp"
#include "gateway/reply_sink.hpp"

namespace weir::gateway {

/// Sees what is delivered, from the commit point on: caches, audit and joined calls stand here. Must not block and must
/// bound what it keeps; the views live for the call of the function only.
class ReplyTee {
 public:
  virtual ~ReplyTee() = default;
  virtual void committed(const Call& call, const ReplyHead& head) = 0;
  virtual void delivered(const Call& call, std::string_view bytes) = 0;
  /// `complete`: the answer was whole and successful, and nothing was left out.
  virtual void ended(const Call& call, bool complete) = 0;
};

}  // namespace weir::gateway

#include "llm/cause.hpp"

namespace weir::llm {

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::callers_fault: return "callers_fault";
    case Cause::credential: return "credential";
    case Cause::key_quota: return "key_quota";
    case Cause::rate: return "rate";
    case Cause::overload: return "overload";
    case Cause::context_window: return "context_window";
    case Cause::content_policy: return "content_policy";
    case Cause::unsupported: return "unsupported";
    case Cause::model_missing: return "model_missing";
    case Cause::transport: return "transport";
    case Cause::malformed: return "malformed";
    case Cause::slow: return "slow";
    case Cause::gateway: return "gateway";
  }
  return "gateway";
}

bool is_targets_fault(Cause cause) {
  switch (cause) {
    case Cause::overload:
    case Cause::transport:
    case Cause::malformed:
    case Cause::slow: return true;
    default: return false;
  }
}

bool is_keys_fault(Cause cause) {
  return cause == Cause::credential || cause == Cause::key_quota || cause == Cause::rate;
}

}  // namespace weir::llm

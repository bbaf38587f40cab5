#pragma once

#include <boost/intrusive/list.hpp>

namespace weir::platform {

/// Something that wants to hear of a cancellation. Unlinks itself when destroyed.
class CancelHook : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void on_cancel() = 0;

 protected:
  ~CancelHook() = default;
};

/// "Stop what you are doing": set once, heard by every wait that was given it, and by its children.
///
/// Waits end through the loop's ready queue, never inside cancel(), so the caller of cancel() stays valid.
/// Not thread-safe: belongs to one loop. Must outlive the waits that use it (they unlink themselves when they end).
class Cancellation final : public CancelHook {
 public:
  explicit Cancellation(Cancellation* parent = nullptr) {
    if (parent == nullptr) {
      return;
    }
    if (parent->cancelled_) {
      cancelled_ = true;
    } else {
      parent->hooks_.push_back(*this);
    }
  }
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  void cancel() {
    cancelled_ = true;
    while (!hooks_.empty()) {
      CancelHook& hook = hooks_.front();
      hooks_.pop_front();
      hook.on_cancel();
    }
  }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  void add(CancelHook& hook) { hooks_.push_back(hook); }

 private:
  void on_cancel() override { cancel(); }

  boost::intrusive::list<CancelHook, boost::intrusive::constant_time_size<false>> hooks_;
  bool cancelled_ = false;
};

}  // namespace weir::platform

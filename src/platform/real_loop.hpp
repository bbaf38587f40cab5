#pragma once

#include <boost/asio.hpp>

#include "platform/inherited_sockets.hpp"
#include "platform/loop.hpp"
#include "platform/real_clock.hpp"

namespace weir::platform {

/// A pending read that began without looking at its socket; see SocketOps.
class UnverifiedHook
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void verify() = 0;

 protected:
  ~UnverifiedHook() = default;
};

/// A loop on the real machine: one `io_context`, run by one thread. Others may post to it; its sockets are
/// this thread's alone, so Asio need not lock them, which is all that its hint says more than `io_context(1)`.
///
/// Timers are kept in our own queue; Asio's timer is armed for the earliest only, and only moved forward when something
/// earlier comes: a deadline that never passes costs no system call.
class RealLoop final : public Loop {
 public:
  RealLoop();
  RealLoop(const RealLoop&) = delete;
  RealLoop& operator=(const RealLoop&) = delete;
  ~RealLoop() override;

  /// Runs until stop(); on the thread that owns everything made on this loop.
  void run();
  /// From any thread.
  void stop();

  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall_now() const override;
  Instant look_at_clock() override {
    forget_time();
    return now();
  }
  void post(std::move_only_function<void()> work) override;
  [[nodiscard]] Random& random() override { return random_; }
  Task<Result<std::vector<IpAddress>>> resolve(const std::string& host, Until until) override;
  Task<Result<std::unique_ptr<Stream>>> dial(const Peer& peer, Until until) override;
  using Loop::listen;
  Result<std::unique_ptr<Listener>> listen(const Peer& at, AcceptHandler& handler,
                                           const ListenOptions& options) override;

  bool hold(HeldWrite& write) override;

  [[nodiscard]] boost::asio::io_context& context() { return context_; }

  /// listen() looks here first; null: nowhere. Before the loop runs.
  void use_inherited(InheritedSockets* sockets) { inherited_ = sockets; }

  /// Calls `read.verify()` if nothing came to it for a while: between one and two of `verify_interval`.
  void expect_unseen_end(UnverifiedHook& read);

  /// One entry from the outside: at its end everything that became ready runs.
  class Turn {
   public:
    explicit Turn(RealLoop& loop) : loop_(loop) {
      loop_.in_turn_ = true;
      loop_.forget_time();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      loop_.run_ready();
      loop_.in_turn_ = false;
    }

   private:
    RealLoop& loop_;
  };

 private:
  WEIR_OWN_FRAME Task<Result<std::unique_ptr<Stream>>> dial_name(const Peer& peer, Until until);
  void timer_added(Instant due) override;
  void arm();
  void forget_time() {
    now_ = never;
    wall_now_ = WallTime::max();
  }
  void look_for_a_crowd();
  void let_writes_leave();

  static constexpr auto verify_interval = std::chrono::milliseconds(20);
  class VerifyTimer final : public Timer {
   public:
    explicit VerifyTimer(RealLoop& loop) : loop_(loop) {}
    void on_timer() override { loop_.verify_reads(); }

   private:
    RealLoop& loop_;
  };
  using Unverified = boost::intrusive::list<UnverifiedHook, boost::intrusive::constant_time_size<false>>;
  void verify_reads();

  boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_{context_.get_executor()};
  boost::asio::steady_timer wake_{context_};
  Instant armed_for_ = never;
  InheritedSockets* inherited_ = nullptr;
  RealClock clock_;
  bool in_turn_ = false;
  // What the clocks said when they were asked first in this turn: for each call they are asked some 25 times.
  mutable Instant now_ = never;
  mutable WallTime wall_now_ = WallTime::max();
  Random random_;
  Unverified recent_;  // since the last look
  Unverified older_;   // for longer than one interval
  VerifyTimer verify_timer_{*this};
  bool crowded_ = false;      // many writes between two looks for events: they are held
  std::uint32_t writes_ = 0;  // so far
  std::uint32_t small_ = 0;   // how often in a row fewer left together
};

}  // namespace weir::platform

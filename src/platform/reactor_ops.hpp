#pragma once

#include <boost/asio.hpp>
#include <boost/intrusive/list.hpp>
#include <span>

#include "platform/real_loop.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// The read and the wait for room of one socket, as operations of Asio's reactor that are made once and used again.
///
/// Asio's own read tries a recv() each time it is started, which finds nothing when it follows a read that emptied the
/// socket: one wasted system call for each message. Ours says "done, and nothing is left" instead, so the next read
/// waits for the next edge without trying. What such a read cannot see is an end that came together with the data;
/// RealLoop looks for it a moment later
/// (`verify()`). Why, and the numbers: docs/decisions/0012-reads-without-a-wasted-try.md.
///
/// Life: counted, because a completion may still be queued in Asio when the stream is gone; detach() cuts it off from
/// the waiters. One thread. Built on boost::asio::detail of the pinned Boost 1.81.
class SocketOps final : public UnverifiedHook {
 public:
  static SocketOps* make(RealLoop& loop, int descriptor) { return new SocketOps(loop, descriptor); }
  SocketOps(const SocketOps&) = delete;
  SocketOps& operator=(const SocketOps&) = delete;

  void start_read(ReadWaiter& waiter);
  void start_writable(WriteWaiter& waiter);
  /// Ends what is pending: reads with Code::cancelled, waits for room as if there were some.
  void cancel();
  /// No waiter is called and no buffer is touched from now on; closes the socket and gives back the reference of the
  /// stream.
  void close();
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  using Reactor = boost::asio::detail::epoll_reactor;
  using ReactorOp = boost::asio::detail::reactor_op;
  using Operation = boost::asio::detail::operation;

  struct ReadOp final : ReactorOp {
    explicit ReadOp(SocketOps& owner);
    static status perform(ReactorOp* base);
    static void complete(void* scheduler, Operation* base, const boost::system::error_code&, std::size_t);
    SocketOps& ops;
    bool emptied = false;  // the last recv() took all that was there
    bool look_again = false;
    bool broken = false;  // verify() took the error from the socket, where it is told only once
  };
  struct WriteOp final : ReactorOp {
    explicit WriteOp(SocketOps& owner);
    static status perform(ReactorOp*) { return done; }
    static void complete(void* scheduler, Operation* base, const boost::system::error_code&, std::size_t);
    SocketOps& ops;
  };

  SocketOps(RealLoop& loop, int descriptor);
  ~SocketOps() = default;
  void verify() override;
  void release();

  RealLoop& loop_;
  Reactor& reactor_;
  Reactor::per_descriptor_data registration_{};
  int descriptor_;
  ReadWaiter* reader_ = nullptr;
  WriteWaiter* writer_ = nullptr;
  ReadOp read_;
  WriteOp write_;
  std::uint32_t references_ = 1;  // the stream's, and one for each operation in Asio's hands
};

}  // namespace weir::platform

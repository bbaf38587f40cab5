#include "platform/reactor_ops.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "platform/socket_calls.hpp"

namespace weir::platform {

namespace asio = boost::asio;

SocketOps::ReadOp::ReadOp(SocketOps& owner) : ReactorOp({}, &ReadOp::perform, &ReadOp::complete), ops(owner) {}
SocketOps::WriteOp::WriteOp(SocketOps& owner) : ReactorOp({}, &WriteOp::perform, &WriteOp::complete), ops(owner) {}

SocketOps::SocketOps(RealLoop& loop, int descriptor)
    : loop_(loop),
      reactor_(asio::use_service<Reactor>(loop.context())),
      descriptor_(descriptor),
      read_(*this),
      write_(*this) {
  reactor_.init_task();
  reactor_.register_descriptor(descriptor_,
                               registration_);  // a failure shows itself as an error of the first operation
}

asio::detail::reactor_op::status SocketOps::ReadOp::perform(ReactorOp* base) {
  auto& op = static_cast<ReadOp&>(*base);
  const std::span<char> into = op.ops.reader_->read_space();
  while (true) {
    const ssize_t got = receive_from_socket(op.ops.descriptor_, into, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      op.ops.reader_->read_space_unused();
      return not_done;
    }
    if (got < 0) {
      op.ec_ = asio::error::connection_reset;
      return done;
    }
    if (got == 0) {
      op.ec_ = asio::error::eof;
      return done;
    }
    op.bytes_transferred_ = static_cast<std::size_t>(got);
    op.emptied = op.bytes_transferred_ < into.size();
    return op.emptied ? done_and_exhausted : done;
  }
}

void SocketOps::ReadOp::complete(void* scheduler, Operation* base, const boost::system::error_code&, std::size_t) {
  SocketOps& ops = static_cast<ReadOp*>(base)->ops;
  ReadOp& op = ops.read_;
  ReadWaiter* reader = scheduler != nullptr ? std::exchange(ops.reader_, nullptr) : nullptr;
  if (reader != nullptr) {
    const RealLoop::Turn turn(ops.loop_);
    ops.UnverifiedHook::unlink();
    if (std::exchange(op.look_again, false) && op.ec_ == asio::error::operation_aborted) {
      op.ec_.clear();
      ops.reader_ = reader;
      if (perform(&op) == not_done) {
        op.ec_.clear();  // what verify() saw is gone again: wait on, with Asio's own try
        ++ops.references_;
        ops.reactor_.start_op(Reactor::read_op, ops.descriptor_, ops.registration_, &op, false, true);
        ops.release();
        return;
      }
      ops.reader_ = nullptr;
    }
    if (!op.ec_) {
      reader->on_read(op.bytes_transferred_);
    } else if (op.ec_ == asio::error::operation_aborted) {
      reader->on_read(std::unexpected(Code::cancelled));
    } else {
      const bool orderly = op.ec_ == asio::error::eof && !op.broken;
      reader->on_read(std::unexpected(orderly ? Code::end_of_stream : Code::reset));
    }
  }
  ops.release();
}

void SocketOps::WriteOp::complete(void* scheduler, Operation* base, const boost::system::error_code&, std::size_t) {
  SocketOps& ops = static_cast<WriteOp*>(base)->ops;
  if (WriteWaiter* writer = scheduler != nullptr ? std::exchange(ops.writer_, nullptr) : nullptr; writer != nullptr) {
    const RealLoop::Turn turn(ops.loop_);
    writer->on_writable();  // an error shows itself in the next write
  }
  ops.release();
}

void SocketOps::start_read(ReadWaiter& waiter) {
  reader_ = &waiter;
  read_.ec_.clear();
  read_.bytes_transferred_ = 0;
  ++references_;
  if (read_.emptied) {
    loop_.expect_unseen_end(*this);
  }
  reactor_.start_op(Reactor::read_op, descriptor_, registration_, &read_, false, true);
}

void SocketOps::start_writable(WriteWaiter& waiter) {
  writer_ = &waiter;
  ++references_;
  reactor_.start_op(Reactor::write_op, descriptor_, registration_, &write_, false, false);
}

void SocketOps::cancel() {
  reactor_.cancel_ops(descriptor_, registration_);
}

/// Looks whether something came together with the data after which this read was started, and if so lets the read have
/// it.
void SocketOps::verify() {
  char byte = 0;
  const ssize_t seen = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return;
  }
  read_.broken = read_.broken || seen < 0;
  read_.look_again = true;
  cancel();
}

void SocketOps::close() {
  reader_ = nullptr;
  writer_ = nullptr;
  UnverifiedHook::unlink();
  reactor_.deregister_descriptor(descriptor_, registration_, true);
  ::close(descriptor_);
  reactor_.cleanup_descriptor_data(registration_);
  release();
}

void SocketOps::release() {
  if (--references_ == 0) {
    delete this;
  }
}

}  // namespace weir::platform

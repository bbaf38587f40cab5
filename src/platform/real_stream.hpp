#pragma once

#include "platform/reactor_ops.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// A stream over a connected socket of the operating system.
class RealStream final : public Stream {
 public:
  /// Takes the connected, non-blocking `descriptor` over.
  RealStream(RealLoop& loop, int descriptor, std::string peer);
  RealStream(const RealStream&) = delete;
  RealStream& operator=(const RealStream&) = delete;
  ~RealStream() override;

  void start_read(ReadWaiter& waiter) override;
  void stop_read() override;
  IoResult write_now(std::span<const std::string_view> slices) override;
  void start_writable(WriteWaiter& waiter) override;
  void shutdown_send() override;
  void close() override;
  void abort() override;
  [[nodiscard]] std::string peer() const override { return peer_; }
  void keep_alive(const TcpKeepAlive& settings) override;

 private:
  SocketOps* ops_;  // null once closed: then nothing is started any more
  std::string peer_;
};

/// Of a listening socket: for all that it accepts.
void set_keep_alive(int descriptor, const TcpKeepAlive& settings);

}  // namespace weir::platform

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/tls_engine.hpp"
#include "platform/recycled_memory.hpp"
#include "platform/signal.hpp"
#include "platform/stream.hpp"

namespace weir::net {

/// TLS over a byte stream, itself a byte stream.
///
/// An end without the peer's close_notify is told as Code::reset: what came may have been cut off by anybody on the
/// way. write_now() counts bytes as written once the stream below has taken the record that holds them, so at most one
/// record waits here, and closing loses nothing that was counted. Whoever was told that some bytes were not written
/// comes again with the same bytes, as every writer of a Stream does. Belongs to one loop.
class TlsStream final : public platform::Stream, platform::ReadWaiter, platform::WriteWaiter, platform::ReadyHook {
 public:
  TlsStream(platform::Loop& loop, std::unique_ptr<platform::Stream> below, SslPtr ssl);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream() override;

  /// Must have succeeded before the stream is used. Errors: timeout, cancelled; end_of_stream and reset: how the peer
  /// left; upstream_malformed: TLS failed, engine().reason() and the certificate's verdict tell why.
  Task<std::expected<void, Code>> handshake(platform::Until until);
  [[nodiscard]] const TlsEngine& engine() const { return engine_; }
  /// The first bytes that the peer sent, for the words about a peer that speaks no TLS.
  [[nodiscard]] const std::string& first_bytes() const { return first_bytes_; }
  /// The stream below, after a handshake that failed.
  std::unique_ptr<platform::Stream> release();

  void start_read(platform::ReadWaiter& waiter) override;
  void stop_read() override;
  platform::IoResult write_now(std::span<const std::string_view> slices) override;
  [[nodiscard]] bool holds_uncounted() const override { return owed_ > 0; }
  void start_writable(platform::WriteWaiter& waiter) override;
  void shutdown_send() override;
  void close() override;
  void abort() override;
  [[nodiscard]] std::string peer() const override { return below_ == nullptr ? std::string() : below_->peer(); }

 private:
  enum class Flushed : std::uint8_t { all, part, broken };

  std::span<char> read_space() override;
  void on_read(platform::IoResult result) override;
  void on_writable() override;
  void resume() override;

  void read_below();
  void release_input();
  std::optional<platform::IoResult> decrypt();
  void deliver(platform::IoResult result);
  Flushed flush();
  void wait_for_room();

  platform::Loop& loop_;
  std::unique_ptr<platform::Stream> below_;
  TlsEngine engine_;
  RecycledBytes input_;                         // ciphertext that has come and is not decrypted yet; else empty
  std::size_t owed_ = 0;                        // plaintext of the record in output(), not yet counted as written
  platform::ReadWaiter* reader_ = nullptr;      // while a read is pending
  std::optional<platform::IoResult> delivery_;  // what resume() tells it
  platform::WriteWaiter* writer_ = nullptr;     // while a wait for room is pending
  platform::Signal* handshaking_ = nullptr;     // while the handshake runs
  std::optional<Code> ended_;                   // no more plaintext will come
  std::string first_bytes_;                     // kept during the handshake only
  bool reading_ = false;                        // below
  bool much_ = false;                           // the last read filled its buffer
  bool waiting_for_room_ = false;               // below
  bool shut_ = false;                           // shutdown_send() was called
  bool broken_ = false;                         // nothing can be written any more
};

}  // namespace weir::net

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "platform/sim/faults.hpp"
#include "platform/sim/simulated_loop.hpp"
#include "platform/stream.hpp"

namespace weir::platform {

/// What a test may know of a connection, beside what its own end was told. Kept by whoever asks, also after the streams
/// are gone.
struct LinkReport {
  std::optional<Instant> closed[2];  // when each side closed or aborted
  std::optional<Instant>
      end_arrived[2];      // when the first FIN or RST of the other side (or of the network) came to each side
  bool disturbed = false;  // the network broke it, stopped it for ever, or lost bytes to a reset
  bool stalled = false;    // the network stopped it for a while
};

/// Two ends and what travels between them, with TCP's manners: bytes keep their order; what was written and not yet
/// read is bounded; a FIN comes after the bytes before it; a close with unread bytes, or bytes that come to a closed
/// end, are answered with a RST.
///
/// Held by its streams and by the events under way. Waiters are called from events only, never from a call of their
/// own.
class SimulatedConnection final : public std::enable_shared_from_this<SimulatedConnection> {
 public:
  enum Side : std::uint8_t { dialling = 0, accepting = 1 };
  enum class How : std::uint8_t { orderly, reset };
  struct Place {
    SimulatedLoop* loop;
    std::string address;
  };
  SimulatedConnection(SimulatedWorld& world, std::uint64_t number, const LinkFaults& faults, Place dialler,
                      Place acceptor);

  /// The stream at one side, opened once.
  static std::unique_ptr<Stream> open(std::shared_ptr<SimulatedConnection> connection, Side side, SimulatedLoop& loop);
  void close(Side side, How how);
  /// The process at these loops was killed: its end says goodbye as a kernel does. What the dead process still tries
  /// finds a broken connection.
  void kill_ends_of(std::span<SimulatedLoop* const> loops);
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::shared_ptr<const LinkReport> report() const { return report_; }

 private:
  friend class SimulatedStream;

  struct Segment {
    enum class Kind : std::uint8_t { bytes, fin, reset } kind = Kind::bytes;
    Instant arrives;
    std::string bytes;
  };
  /// One side: what comes in, and who waits here.
  struct End {
    Place place;
    std::deque<Segment> on_the_way;  // towards this end, in order
    std::string unread;              // arrived
    std::size_t capacity = 0;        // bound of both together
    Instant last_arrival{};
    bool fin_arrived = false;
    bool reset_on_the_way = false;
    bool reset_arrived = false;

    bool fin_sent = false;
    bool open = false;    // a stream exists
    bool closed = false;  // and now no more
    bool killed = false;  // with its process; the stream may still be there

    ReadWaiter* reader = nullptr;
    bool read_stopped = false;
    std::uint64_t read_token = 0;  // which start_read() a scheduled completion belongs to
    WriteWaiter* writer = nullptr;
    std::uint64_t write_token = 0;
  };

  void start_read(Side side, ReadWaiter& waiter);
  void stop_read(Side side);
  IoResult write_now(Side side, std::span<const std::string_view> slices);
  void start_writable(Side side, WriteWaiter& waiter);
  void shutdown_send(Side side);

  static Side other(Side side) { return side == dialling ? accepting : dialling; }
  [[nodiscard]] std::size_t room_towards(Side side) const;
  void send(Side to, Segment::Kind kind, std::string bytes);
  void send_reset(Side to);
  void arrive(Side side);
  void wake_reader(Side side);
  void finish_read(Side side, std::uint64_t token);
  void wake_writer(Side side, Instant at);

  SimulatedWorld& world_;
  std::uint64_t number_;
  LinkFaults faults_;
  End ends_[2];
  std::shared_ptr<LinkReport> report_ = std::make_shared<LinkReport>();
};

/// The report on the connection of a simulated stream; the stream must be one.
std::shared_ptr<const LinkReport> report_of(const Stream& stream);

}  // namespace weir::platform

#include "platform/sim/simulated_connection.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::platform {

/// A stream over one side of a simulated connection.
class SimulatedStream final : public Stream {
 public:
  SimulatedStream(std::shared_ptr<SimulatedConnection> connection, SimulatedConnection::Side side)
      : connection_(std::move(connection)), side_(side) {}
  SimulatedStream(const SimulatedStream&) = delete;
  SimulatedStream& operator=(const SimulatedStream&) = delete;
  ~SimulatedStream() override { connection_->close(side_, SimulatedConnection::How::orderly); }

  void start_read(ReadWaiter& waiter) override { connection_->start_read(side_, waiter); }
  void stop_read() override { connection_->stop_read(side_); }
  IoResult write_now(std::span<const std::string_view> slices) override {
    return connection_->write_now(side_, slices);
  }
  void start_writable(WriteWaiter& waiter) override { connection_->start_writable(side_, waiter); }
  void shutdown_send() override { connection_->shutdown_send(side_); }
  void close() override { connection_->close(side_, SimulatedConnection::How::orderly); }
  void abort() override { connection_->close(side_, SimulatedConnection::How::reset); }
  [[nodiscard]] std::string peer() const override {
    return connection_->ends_[SimulatedConnection::other(side_)].place.address;
  }
  [[nodiscard]] std::shared_ptr<const LinkReport> report() const { return connection_->report(); }

 private:
  std::shared_ptr<SimulatedConnection> connection_;
  SimulatedConnection::Side side_;
};

SimulatedConnection::SimulatedConnection(SimulatedWorld& world, std::uint64_t number, const LinkFaults& faults,
                                         Place dialler, Place acceptor)
    : world_(world), number_(number), faults_(faults) {
  ends_[dialling].place = std::move(dialler);
  ends_[accepting].place = std::move(acceptor);
  for (End& end : ends_) {
    end.capacity = world.pick(faults.capacity);
  }
}

std::unique_ptr<Stream> SimulatedConnection::open(std::shared_ptr<SimulatedConnection> connection, Side side,
                                                  SimulatedLoop& loop) {
  End& end = connection->ends_[side];
  WEIR_ASSERT(!end.open && !end.closed, "an end is opened once");
  end.open = true;
  end.place.loop = &loop;
  ++connection->world_.network().open_streams_;
  return std::make_unique<SimulatedStream>(std::move(connection), side);
}

void SimulatedConnection::close(Side side, How how) {
  End& end = ends_[side];
  if (end.closed) {
    return;
  }
  world_.trace(how == How::reset ? "abort" : "close", number_, side);
  end.closed = true;
  if (!end.killed) {
    report_->closed[side] = world_.now();
  }
  end.reader = nullptr;
  end.writer = nullptr;
  if (end.open) {
    --world_.network().open_streams_;
  }
  if (end.reset_arrived) {
    return;
  }
  if (how == How::reset || !end.unread.empty()) {
    send_reset(other(side));
  } else if (!end.fin_sent) {
    send(other(side), Segment::Kind::fin, {});
  }
  end.fin_sent = true;
}

void SimulatedConnection::kill_ends_of(std::span<SimulatedLoop* const> loops) {
  for (const Side side : {dialling, accepting}) {
    End& end = ends_[side];
    if (end.closed || end.killed || std::ranges::find(loops, end.place.loop) == loops.end()) {
      continue;
    }
    world_.trace("killed", number_, side);
    end.killed = true;
    report_->closed[side] = world_.now();
    if (!end.reset_arrived && !end.unread.empty()) {
      send_reset(other(side));
    } else if (!end.reset_arrived && !end.fin_sent) {
      send(other(side), Segment::Kind::fin, {});
    }
    end.fin_sent = true;
    end.reset_arrived = true;
    end.unread.clear();
    wake_reader(side);
    wake_writer(side, world_.now());
  }
}

void SimulatedConnection::start_read(Side side, ReadWaiter& waiter) {
  End& end = ends_[side];
  WEIR_ASSERT(end.reader == nullptr, "one read at a time");
  WEIR_ASSERT(!end.closed, "a closed stream is not read");
  end.reader = &waiter;
  end.read_stopped = false;
  ++end.read_token;
  wake_reader(side);
}

void SimulatedConnection::stop_read(Side side) {
  ends_[side].read_stopped = true;
  wake_reader(side);
}

IoResult SimulatedConnection::write_now(Side side, std::span<const std::string_view> slices) {
  End& end = ends_[side];
  if (end.closed || end.fin_sent || end.reset_arrived) {
    return std::unexpected(Code::reset);
  }
  std::size_t offered = 0;
  for (const std::string_view slice : slices) {
    offered += slice.size();
  }
  if (offered == 0) {
    return 0;
  }
  const std::size_t room = room_towards(other(side));
  if (room == 0) {
    world_.fault_counts().count(Fault::no_room);
    return 0;
  }
  std::size_t count = std::min(offered, room);
  if (count > 1 && world_.chance(faults_.partial_write)) {
    world_.fault_counts().count(Fault::partial_write);
    count = 1 + world_.choices().below(count - 1);
  }
  std::string bytes;
  bytes.reserve(count);
  for (const std::string_view slice : slices) {
    bytes.append(slice.substr(0, count - bytes.size()));
  }
  world_.trace("write", number_ * 2 + side, std::hash<std::string>()(bytes));
  world_.tell(bytes);

  End& peer = ends_[other(side)];
  if (world_.chance(faults_.stall_for_ever)) {
    world_.fault_counts().count(Fault::stall_for_ever);
    report_->disturbed = true;
    peer.last_arrival = never;
  } else if (world_.chance(faults_.stall)) {
    world_.fault_counts().count(Fault::stall);
    report_->stalled = true;
    peer.last_arrival = std::max(peer.last_arrival, world_.now() + world_.pick(faults_.stall_for));
  }
  if (count > 1 && world_.chance(faults_.split)) {
    world_.fault_counts().count(Fault::split_segment);
    const std::size_t at = 1 + world_.choices().below(count - 1);
    send(other(side), Segment::Kind::bytes, bytes.substr(0, at));
    bytes.erase(0, at);
  }
  send(other(side), Segment::Kind::bytes, std::move(bytes));
  if (world_.chance(faults_.reset)) {
    world_.fault_counts().count(Fault::reset);
    report_->disturbed = true;
    send_reset(side);
    send_reset(other(side));
  }
  return count;
}

void SimulatedConnection::start_writable(Side side, WriteWaiter& waiter) {
  End& end = ends_[side];
  WEIR_ASSERT(!end.closed, "a closed stream is not written");
  end.writer = &waiter;
  ++end.write_token;
  if (room_towards(other(side)) > 0 || end.reset_arrived || end.fin_sent) {
    wake_writer(side, world_.now());
  } else if (world_.chance(faults_.spurious_wake)) {
    world_.fault_counts().count(Fault::spurious_wake);
    wake_writer(side, world_.now() + world_.pick(faults_.latency));
  }
}

void SimulatedConnection::shutdown_send(Side side) {
  End& end = ends_[side];
  if (end.closed || end.fin_sent || end.reset_arrived) {
    return;
  }
  world_.trace("fin", number_, side);
  end.fin_sent = true;
  send(other(side), Segment::Kind::fin, {});
}

std::size_t SimulatedConnection::room_towards(Side side) const {
  const End& end = ends_[side];
  std::size_t used = end.unread.size();
  for (const Segment& segment : end.on_the_way) {
    used += segment.bytes.size();
  }
  return end.capacity - std::min(used, end.capacity);
}

void SimulatedConnection::send(Side to, Segment::Kind kind, std::string bytes) {
  End& end = ends_[to];
  Duration takes = world_.pick(faults_.latency);
  if (kind != Segment::Kind::bytes && world_.chance(faults_.late_close)) {
    world_.fault_counts().count(Fault::late_close);
    takes += world_.pick(faults_.late_close_by);
  }
  end.last_arrival = std::max(end.last_arrival, world_.now() + takes);
  end.on_the_way.push_back({.kind = kind, .arrives = end.last_arrival, .bytes = std::move(bytes)});
  if (end.last_arrival != never) {
    world_.schedule(end.last_arrival, *end.place.loop, [self = shared_from_this(), to] { self->arrive(to); });
  }
}

void SimulatedConnection::send_reset(Side to) {
  End& end = ends_[to];
  if (end.reset_on_the_way) {
    return;
  }
  end.reset_on_the_way = true;
  if (!end.on_the_way.empty() && world_.chance(faults_.reset_discards)) {
    world_.fault_counts().count(Fault::discarded_by_reset);
    report_->disturbed = true;
    end.on_the_way.clear();
  }
  send(to, Segment::Kind::reset, {});
}

void SimulatedConnection::arrive(Side side) {
  End& end = ends_[side];
  bool refused = false;
  while (!end.on_the_way.empty() && end.on_the_way.front().arrives <= world_.now()) {
    const Segment segment = std::move(end.on_the_way.front());
    end.on_the_way.pop_front();
    world_.trace("arrival", number_ * 2 + side, segment.bytes.size());
    if (segment.kind != Segment::Kind::bytes && !report_->end_arrived[side]) {
      report_->end_arrived[side] = world_.now();
    }
    switch (segment.kind) {
      case Segment::Kind::bytes:
        if (end.closed || end.killed) {
          refused = true;
        } else if (!end.reset_arrived) {
          end.unread += segment.bytes;
        }
        break;
      case Segment::Kind::fin: end.fin_arrived = true; break;
      case Segment::Kind::reset:
        end.reset_arrived = true;
        if (!end.unread.empty() && world_.chance(faults_.reset_discards)) {
          world_.fault_counts().count(Fault::discarded_by_reset);
          report_->disturbed = true;
          end.unread.clear();
        }
        break;
    }
  }
  if (refused) {
    send_reset(other(side));
  }
  wake_reader(side);
  if (end.reset_arrived) {
    wake_writer(side, world_.now());
  }
}

void SimulatedConnection::wake_reader(Side side) {
  const End& end = ends_[side];
  if (end.reader == nullptr || (end.unread.empty() && !end.fin_arrived && !end.reset_arrived && !end.read_stopped)) {
    return;
  }
  world_.schedule(world_.now() + world_.pick(world_.faults().wake_delay), *end.place.loop,
                  [self = shared_from_this(), side, token = end.read_token] { self->finish_read(side, token); });
}

void SimulatedConnection::finish_read(Side side, std::uint64_t token) {
  End& end = ends_[side];
  if (end.reader == nullptr || end.read_token != token) {
    return;  // done by an earlier event, or closed
  }
  IoResult result = std::unexpected(Code::cancelled);
  if (!end.unread.empty()) {
    const std::span<char> into = end.reader->read_space();
    WEIR_ASSERT(!into.empty(), "a read has room");
    std::size_t count = std::min(into.size(), end.unread.size());
    if (count > 1 && world_.chance(faults_.partial_read)) {
      world_.fault_counts().count(Fault::partial_read);
      count = 1 + world_.choices().below(count - 1);
    }
    std::copy_n(end.unread.data(), count, into.data());
    end.unread.erase(0, count);
    // The news that there is room again travels back as an acknowledgement does.
    wake_writer(other(side), world_.now() + world_.pick(faults_.latency));
    result = count;
  } else if (end.reset_arrived) {
    result = std::unexpected(Code::reset);
  } else if (end.fin_arrived) {
    result = std::unexpected(Code::end_of_stream);
  } else if (!end.read_stopped) {
    return;
  }
  world_.trace("read", number_ * 2 + side, result ? *result : 1'000'000 + static_cast<std::uint64_t>(result.error()));
  std::exchange(end.reader, nullptr)->on_read(result);  // may have destroyed the stream
}

void SimulatedConnection::wake_writer(Side side, Instant at) {
  const End& end = ends_[side];
  if (end.writer == nullptr) {
    return;
  }
  world_.schedule(at + world_.pick(world_.faults().wake_delay), *end.place.loop,
                  [self = shared_from_this(), side, token = end.write_token] {
                    End& woken = self->ends_[side];
                    if (woken.writer != nullptr && woken.write_token == token) {
                      self->world_.trace("writable", self->number_, side);
                      std::exchange(woken.writer, nullptr)->on_writable();
                    }
                  });
}

std::shared_ptr<const LinkReport> report_of(const Stream& stream) {
  return static_cast<const SimulatedStream&>(stream)
      .report();  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
}

}  // namespace weir::platform

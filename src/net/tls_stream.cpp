#include "net/tls_stream.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace weir::net {

using platform::IoResult;
using platform::Until;

namespace {

// Held only from the arrival of bytes to their decryption. The first is a size class of recycled memory; whoever fills
// it gets the second for what follows.
constexpr std::size_t input_bytes = 4096;
constexpr std::size_t input_bytes_of_much = std::size_t{16} * 1024;
constexpr std::size_t first_bytes_max = 16;

/// At most one record's plaintext from the front of `slices`, without its first `skip` bytes: a view of the one slice
/// that holds it, or put together in `joined`, so that head and first body bytes share a record.
std::string_view next_piece(std::span<const std::string_view> slices, std::size_t skip, std::string& joined) {
  joined.clear();
  std::string_view piece;
  for (std::string_view slice : slices) {
    const std::size_t gone = std::min(skip, slice.size());
    skip -= gone;
    slice.remove_prefix(gone);
    if (slice.empty()) {
      continue;
    }
    slice = slice.substr(0, TlsEngine::record_bytes_max - piece.size());
    if (piece.empty()) {
      piece = slice;
    } else {
      if (joined.empty()) {
        joined.assign(piece);
      }
      joined.append(slice);
      piece = joined;
    }
    if (piece.size() == TlsEngine::record_bytes_max) {
      break;
    }
  }
  return piece;
}

}  // namespace

TlsStream::TlsStream(platform::Loop& loop, std::unique_ptr<platform::Stream> below, SslPtr ssl)
    : loop_(loop), below_(std::move(below)), engine_(std::move(ssl)) {}

TlsStream::~TlsStream() {
  close();
}

std::unique_ptr<platform::Stream> TlsStream::release() {
  WEIR_ASSERT(!reading_, "nobody reads from a stream that is taken apart");
  return std::move(below_);
}

Task<std::expected<void, Code>> TlsStream::handshake(Until until) {
  platform::Signal progress(loop_);
  struct Running {
    platform::Signal*& place;
    ~Running() { place = nullptr; }
  };
  const Running running{handshaking_};
  handshaking_ = &progress;
  while (true) {
    const TlsEngine::Step step = engine_.handshake();
    release_input();
    const Flushed flushed = flush();
    if (step == TlsEngine::Step::failed || step == TlsEngine::Step::closed) {
      co_return std::unexpected(Code::upstream_malformed);  // the alert that tells the peer why has left, if it could
    }
    if (flushed == Flushed::broken) {
      // The peer may have said why before it left: a reset would hide it.
      if (step == TlsEngine::Step::done || ended_) {
        co_return std::unexpected(ended_.value_or(Code::reset));
      }
    }
    if (step == TlsEngine::Step::done && flushed != Flushed::part) {
      first_bytes_ = {};
      co_return std::expected<void, Code>();
    }
    if (step == TlsEngine::Step::want_input) {
      if (ended_) {
        co_return std::unexpected(*ended_);
      }
      read_below();
    }
    const platform::Wake wake = co_await progress.wait(until);
    if (wake != platform::Wake::notified) {
      co_return std::unexpected(platform::code_of(wake));
    }
  }
}

void TlsStream::read_below() {
  if (!reading_) {
    reading_ = true;
    below_->start_read(*this);
  }
}

std::span<char> TlsStream::read_space() {
  if (input_.data() == nullptr) {
    input_ = RecycledBytes(much_ ? input_bytes_of_much : input_bytes);
  }
  return {input_.data(), input_.size()};
}

void TlsStream::start_read(platform::ReadWaiter& waiter) {
  if (below_ == nullptr) {
    return;
  }
  reader_ = &waiter;
  if (ended_ || engine_.may_hold_data()) {
    if ((delivery_ = decrypt())) {
      loop_.make_ready(*this);
      return;
    }
  }
  read_below();
}

/// What a pending read gets from what is here; nothing when more must come.
std::optional<IoResult> TlsStream::decrypt() {
  if (ended_) {
    return std::unexpected(*ended_);
  }
  const TlsEngine::Step step = engine_.look();
  std::optional<IoResult> result;
  switch (step) {
    case TlsEngine::Step::done: result = engine_.read(reader_->read_space()); break;
    case TlsEngine::Step::want_input: break;
    case TlsEngine::Step::closed: ended_ = Code::end_of_stream; break;
    case TlsEngine::Step::failed: ended_ = Code::reset; break;
  }
  release_input();
  if (!engine_.output().empty() && !waiting_for_room_) {
    flush();  // reading may have answers of its own: key updates, alerts
  }
  if (ended_) {
    return std::unexpected(*ended_);
  }
  return result;
}

void TlsStream::release_input() {
  if (engine_.input_left() == 0 && !reading_) {
    input_ = RecycledBytes();
  }
}

void TlsStream::deliver(IoResult result) {
  std::exchange(reader_, nullptr)->on_read(result);  // may destroy this
}

void TlsStream::resume() {
  const IoResult result = *std::exchange(delivery_, std::nullopt);
  deliver(result);
}

void TlsStream::on_read(IoResult result) {
  reading_ = false;
  if (result) {
    engine_.feed({input_.data(), *result});
    much_ = *result == input_.size();
    if (handshaking_ != nullptr && first_bytes_.size() < first_bytes_max) {
      first_bytes_.append(input_.data(), std::min(*result, first_bytes_max - first_bytes_.size()));
    }
  } else if (result.error() != Code::cancelled) {
    // Without close_notify an end is no end: anybody on the way could have made it.
    ended_ = handshaking_ != nullptr ? result.error() : Code::reset;
  }
  if (handshaking_ != nullptr) {
    handshaking_->notify();
    return;
  }
  if (reader_ == nullptr) {
    return;
  }
  if (!result) {
    deliver(std::unexpected(ended_.value_or(Code::cancelled)));
  } else if (const auto plain = decrypt()) {
    deliver(*plain);
  } else {
    read_below();
  }
}

void TlsStream::stop_read() {
  if (below_ == nullptr || reader_ == nullptr || delivery_) {
    return;
  }
  below_->stop_read();
}

/// Sends what was encrypted, as far as it goes.
TlsStream::Flushed TlsStream::flush() {
  while (!engine_.output().empty()) {
    if (broken_) {
      return Flushed::broken;
    }
    const std::string_view out = engine_.output();
    const IoResult written = below_->write_now({&out, 1});
    if (!written) {
      broken_ = true;
      return Flushed::broken;
    }
    engine_.take_output(*written);
    if (*written == 0) {
      wait_for_room();
      return Flushed::part;
    }
  }
  return broken_ ? Flushed::broken : Flushed::all;
}

void TlsStream::wait_for_room() {
  if (!waiting_for_room_) {
    waiting_for_room_ = true;
    below_->start_writable(*this);
  }
}

IoResult TlsStream::write_now(std::span<const std::string_view> slices) {
  if (below_ == nullptr || broken_ || shut_) {
    return std::unexpected(Code::reset);
  }
  switch (flush()) {
    case Flushed::broken: return std::unexpected(Code::reset);
    case Flushed::part: return 0;
    case Flushed::all: break;
  }
  std::size_t total = std::exchange(owed_, 0);
  std::string joined;
  while (true) {
    const std::string_view piece = next_piece(slices, total, joined);
    if (piece.empty()) {
      return total;
    }
    if (!engine_.write(piece)) {
      broken_ = true;
      return std::unexpected(Code::reset);
    }
    const Flushed flushed = flush();
    if (flushed == Flushed::broken) {
      return std::unexpected(Code::reset);
    }
    if (flushed == Flushed::part) {
      owed_ = piece.size();
      return total;
    }
    total += piece.size();
  }
}

void TlsStream::start_writable(platform::WriteWaiter& waiter) {
  if (below_ != nullptr) {
    writer_ = &waiter;
    wait_for_room();
  }
}

void TlsStream::on_writable() {
  waiting_for_room_ = false;
  if (flush() == Flushed::part) {
    return;  // waits on
  }
  if (shut_) {
    below_->shutdown_send();
  }
  if (handshaking_ != nullptr) {
    handshaking_->notify();
  } else if (writer_ != nullptr) {
    std::exchange(writer_, nullptr)->on_writable();  // may destroy this
  }
}

void TlsStream::shutdown_send() {
  if (below_ == nullptr || shut_) {
    return;
  }
  shut_ = true;
  engine_.close_notify();
  if (flush() != Flushed::part) {
    below_->shutdown_send();
  }
}

void TlsStream::close() {
  if (below_ == nullptr) {
    return;
  }
  if (!shut_ && owed_ == 0 && handshaking_ == nullptr) {
    engine_.close_notify();
    flush();
  }
  platform::ReadyHook::unlink();
  reader_ = nullptr;
  writer_ = nullptr;
  below_->close();
  below_.reset();
}

void TlsStream::abort() {
  if (below_ == nullptr) {
    return;
  }
  platform::ReadyHook::unlink();
  below_->abort();
  below_.reset();
}

}  // namespace weir::net

#include "platform/byte_reader.hpp"

#include <algorithm>
#include <cstring>

namespace weir::platform {

ByteReader::ByteReader(Loop& loop, Stream& stream, Options options)
    : stream_(stream), options_(options), arrived_(loop) {}

void ByteReader::start() {
  started_ = true;
  read_on();
}

void ByteReader::consume(std::size_t count) {
  begin_ += count;
  in_use_ -= std::min(in_use_, count);
  release_if_drained();
  if (!reading_) {
    read_on();
  }
}

void ByteReader::pin(std::size_t in_use) {
  pinned_ = true;
  in_use_ = in_use;
  if (!reading_) {
    read_on();  // may have been full
  }
}

void ByteReader::unpin() {
  pinned_ = false;
  in_use_ = 0;
  take_aside();
  release_if_drained();
  if (!reading_) {
    read_on();
  }
}

void ByteReader::resize(std::size_t capacity) {
  // Not initialised: the kernel or the next read fills it; only the padding must not be garbage for valgrind's sake.
  RecycledBytes other(capacity + padding);
  if (unread() > 0) {
    std::memcpy(other.data(), buffer_.data() + begin_, unread());
  }
  std::memset(other.data() + capacity, 0, padding);
  end_ = unread();
  begin_ = 0;
  buffer_ = std::move(other);
  capacity_ = capacity;
}

void ByteReader::release_if_drained() {
  if (unread() > 0 || pinned_ || space_given_ || (capacity_ > options_.initial_bytes && !shrink_)) {
    return;
  }
  buffer_ = RecycledBytes();
  capacity_ = begin_ = end_ = 0;
  shrink_ = false;
}

/// What was read aside joins the rest.
void ByteReader::take_aside() {
  if (aside_end_ == 0 || pinned_ || space_given_) {
    return;
  }
  if (capacity_ - end_ < aside_end_) {
    resize(std::max(unread() + aside_end_, std::min(options_.initial_bytes, bound())));
  }
  std::memcpy(buffer_.data() + end_, aside_.data(), aside_end_);
  end_ += aside_end_;
  aside_ = RecycledBytes();
  aside_end_ = 0;
}

bool ByteReader::full() const {
  return unread() - in_use_ + aside_end_ >= (in_use_ > 0 ? options_.bytes_max : bound());
}

void ByteReader::read_on() {
  if (!started_ || reading_ || ended_ || full()) {
    return;  // full: the peer feels it until somebody consumes
  }
  reading_ = true;
  stream_.start_read(*this);
}

/// Somewhere behind the data, which may move.
void ByteReader::make_room() {
  if (begin_ > 0 && unread() > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, unread());
  }
  end_ -= begin_;
  begin_ = 0;
  if (capacity_ < wanted_) {
    resize(wanted_);
  } else if (end_ == capacity_) {
    resize(std::clamp(capacity_ * 2, std::min(options_.initial_bytes, bound()), bound()));
  }
}

std::span<char> ByteReader::read_space() {
  constexpr std::size_t aside_bytes_first = 512;
  space_given_ = true;
  aside_given_ = pinned_ && end_ == capacity_;
  if (!pinned_) {
    make_room();
  } else if (aside_given_) {
    if (aside_end_ == aside_.size()) {
      RecycledBytes larger(std::max(aside_.size() * 2, aside_bytes_first));
      std::copy_n(aside_.data(), aside_end_, larger.data());
      aside_ = std::move(larger);
    }
    return {aside_.data() + aside_end_, aside_.size() - aside_end_};
  }
  return {buffer_.data() + end_, capacity_ - end_};
}

void ByteReader::read_space_unused() {
  space_given_ = false;
  take_aside();
  release_if_drained();
}

void ByteReader::on_read(IoResult result) {
  reading_ = false;
  space_given_ = false;
  if (result) {
    if (aside_given_) {
      aside_end_ += *result;
      take_aside();
    } else {
      end_ += *result;
    }
  } else if (result.error() != Code::cancelled) {
    ended_ = result.error();
  }
  if (on_arrival_) {
    on_arrival_();
  }
  if (ended_) {
    arrived_.notify();
    if (on_end_) {
      std::exchange(on_end_, nullptr)();
    }
    return;
  }
  read_on();
  if (result) {
    arrived_.notify();
  }
}

Task<std::expected<void, Code>> ByteReader::more(std::size_t have, Until until) {
  while (unread() <= have) {
    if (ended_) {
      co_return std::unexpected(*ended_);
    }
    if (!reading_) {
      read_on();
      if (!reading_) {
        co_return std::unexpected(Code::end_of_stream);
      }
    }
    arrived_.clear();
    const Wake wake = co_await arrived_.wait(until);
    if (wake != Wake::notified && unread() <= have) {
      co_return std::unexpected(code_of(wake));
    }
  }
  co_return std::expected<void, Code>();
}

void ByteReader::trim() {
  constexpr std::size_t worth_moving = 1024;
  if (!space_given_ && unread() > 0 && capacity_ > unread() + worth_moving) {
    resize(unread());
  }
}

void ByteReader::shrink() {
  shrink_ = true;
  release_if_drained();
}

}  // namespace weir::platform

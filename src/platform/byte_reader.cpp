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
  if (!reading_) {
    read_on();
  }
}

void ByteReader::unpin() {
  pinned_ = false;
  if (!reading_) {
    read_on();
  }
}

void ByteReader::resize(std::size_t capacity) {
  // Not value-initialised: the kernel or the next read fills it; only the padding must not be garbage for valgrind's
  // sake.
  auto larger = std::make_unique_for_overwrite<char[]>(capacity + padding);
  if (unread() > 0) {
    std::memcpy(larger.get(), buffer_.get() + begin_, unread());
  }
  std::memset(larger.get() + capacity, 0, padding);
  end_ = unread();
  begin_ = 0;
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

void ByteReader::read_on() {
  if (!started_ || reading_ || ended_) {
    return;
  }
  const std::size_t bound = std::max(options_.bytes_max, wanted_);
  if (!pinned_) {
    if (shrink_ && unread() == 0) {
      buffer_.reset();
      capacity_ = 0;
      begin_ = end_ = 0;
      wanted_ = 0;
    }
    shrink_ = false;
    if (begin_ > 0 && unread() > 0) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, unread());
    }
    end_ -= begin_;
    begin_ = 0;
    if (capacity_ < wanted_) {
      resize(wanted_);
    } else if (end_ == capacity_ && capacity_ < bound) {
      resize(std::clamp(capacity_ * 2, options_.initial_bytes, bound));
    }
  }
  if (end_ == capacity_ || unread() >= bound) {
    return;  // full: the peer feels it until somebody consumes
  }
  reading_ = true;
  stream_.start_read({buffer_.get() + end_, capacity_ - end_}, *this);
}

void ByteReader::on_read(IoResult result) {
  reading_ = false;
  if (result) {
    end_ += *result;
  } else if (result.error() != Code::cancelled) {  // cancelled: shrink() asked for it
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

void ByteReader::shrink() {
  if (capacity_ <= std::max(options_.initial_bytes * 4, std::size_t{16} * 1024)) {
    return;
  }
  shrink_ = true;
  if (reading_) {
    stream_.stop_read();  // ends in on_read(cancelled), which starts again with a small buffer
  } else {
    read_on();
  }
}

}  // namespace weir::platform

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "platform/test_machine.hpp"

/// For tests: one suite for both platforms. What a Loop, its streams, its waits and its files promise holds on the real
/// machine, on the simulated one, and on the simulated one when it is as rough as a lawful network may be (everything
/// in pieces, late and reordered).
namespace weir::platform {

using namespace std::chrono_literals;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<TestMachine>()> make;
};
inline void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class Contract : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<TestMachine> machine = GetParam().make();
};

// A test is a coroutine on the machine's loop. It must not use ASSERT_*, which returns.
#define CONTRACT(name)                   \
  Task<void> name(TestMachine& machine); \
  TEST_P(Contract, name) {               \
    machine->run(name(*machine));        \
  }                                      \
  Task<void> name(TestMachine& machine)

/// Reads and writes by hand, and remembers what it was told.
class Hand final : public ReadWaiter, public WriteWaiter {
 public:
  Hand(Loop& loop, Stream& stream) : stream_(stream), told_(loop) {}

  void start_read(std::size_t bytes_max) {
    buffer_.resize(bytes_max);
    result_.reset();
    stream_.start_read(*this);
  }
  Task<IoResult> read_some(std::size_t bytes_max) {
    start_read(bytes_max);
    co_return co_await finish_read();
  }
  Task<IoResult> finish_read() {
    while (!result_) {
      std::ignore = co_await told_.wait({});
    }
    co_return *result_;
  }
  /// Reads until `count` bytes or the end.
  Task<std::string> read(std::size_t count) {
    std::string all;
    while (all.size() < count) {
      const IoResult got = co_await read_some(count - all.size());
      if (!got) {
        ended = got.error();
        break;
      }
      all.append(buffer_.data(), *got);
    }
    co_return all;
  }
  Task<void> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view slices[] = {bytes};
      const IoResult written = stream_.write_now(slices);
      if (!written) {
        ended = written.error();
        co_return;
      }
      bytes.remove_prefix(*written);
      if (*written == 0) {
        co_await room();
      }
    }
  }
  Task<void> room() {
    writable = 0;
    stream_.start_writable(*this);
    EXPECT_EQ(writable, 0) << "never inside start_writable()";
    while (writable == 0) {
      std::ignore = co_await told_.wait({});
    }
  }

  std::span<char> read_space() override { return buffer_; }
  void on_read(IoResult result) override {
    ++reads;
    result_ = result;
    told_.notify();
  }
  void on_writable() override {
    ++writable;
    told_.notify();
  }
  int reads = 0;
  int writable = 0;
  std::optional<Code> ended;

 private:
  Stream& stream_;
  Signal told_;
  std::string buffer_;
  std::optional<IoResult> result_;
};

class Accepting final : public AcceptHandler {
 public:
  explicit Accepting(Loop& loop) : loop_(loop), arrived_(loop) {}
  void on_accept(std::unique_ptr<Accepted> connection) override {
    waiting_.push_back(std::move(connection));
    arrived_.notify();
  }
  Task<std::unique_ptr<Stream>> accept() {
    while (waiting_.empty()) {
      std::ignore = co_await arrived_.wait({});
    }
    auto stream = waiting_.front()->open_on(loop_);
    waiting_.erase(waiting_.begin());
    co_return stream;
  }

 private:
  Loop& loop_;
  Signal arrived_;
  std::vector<std::unique_ptr<Accepted>> waiting_;
};

struct Pair {
  std::unique_ptr<Stream> dialler;
  std::unique_ptr<Stream> acceptor;
};

inline Task<Pair> connect(Loop& loop) {
  Accepting accepting(loop);
  const auto listener = loop.listen({"127.0.0.1", 0}, accepting);
  EXPECT_TRUE(listener.has_value());
  auto dialled = co_await loop.dial({"127.0.0.1", (*listener)->port()}, {});
  EXPECT_TRUE(dialled.has_value());
  Pair pair;
  pair.dialler = std::move(*dialled);
  pair.acceptor = co_await accepting.accept();
  co_return pair;
}

inline Task<void> drain(Hand& hand, std::size_t count, std::string& into) {
  into = co_await hand.read(count);
}

inline Task<void> cancel_soon(Loop& loop, Cancellation& cancellation) {
  co_await sleep(loop, {.deadline = loop.now() + 5ms});
  cancellation.cancel();
}

/// Lets everything that is under way come to its end: bytes that were sent later arrive later.
inline Task<void> settle(Loop& loop) {
  Pair pair = co_await connect(loop);
  Hand here(loop, *pair.dialler);
  Hand there(loop, *pair.acceptor);
  for (int round = 0; round < 20; ++round) {
    co_await here.write("ping");
    EXPECT_EQ(co_await there.read(4), "ping");
    co_await there.write("pong");
    EXPECT_EQ(co_await here.read(4), "pong");
  }
}

}  // namespace weir::platform

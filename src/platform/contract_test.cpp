// One suite for both platforms: what a Loop, its streams, its waits and its files promise holds on the real machine, on
// the simulated one, and on the simulated one when it is as rough as a lawful network may be (everything in pieces,
// late and reordered).
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/test_machine.hpp"

namespace weir::platform {
namespace {

using namespace std::chrono_literals;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<TestMachine>()> make;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class Contract : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<TestMachine> machine = GetParam().make();
};

std::vector<Kind> kinds() {
  std::vector<Kind> all{{"real", real_machine}, {"simulated", simulated_machine}};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    all.push_back({"rough_" + std::to_string(seed), [seed] { return rough_machine(seed); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Platform, Contract, testing::ValuesIn(kinds()),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

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

Task<Pair> connect(Loop& loop) {
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

Task<void> drain(Hand& hand, std::size_t count, std::string& into) {
  into = co_await hand.read(count);
}

/// Lets everything that is under way come to its end: bytes that were sent later arrive later.
Task<void> settle(Loop& loop) {
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

// --- dialling
// ---------------------------------------------------------------------------------------------------------

CONTRACT(a_port_where_nobody_listens_refuses) {
  std::uint16_t port = 0;
  {
    Accepting accepting(machine.loop());
    const auto listener = machine.loop().listen({"127.0.0.1", 0}, accepting);
    EXPECT_TRUE(listener.has_value());
    port = (*listener)->port();
  }
  const auto dialled = co_await machine.loop().dial({"127.0.0.1", port}, {});
  EXPECT_FALSE(dialled.has_value());
  EXPECT_EQ(dialled.error().code, Code::refused);
}

CONTRACT(a_name_that_does_not_resolve_is_unreachable) {
  // Longer than a label may be: refused by every resolver without asking anybody.
  const auto dialled = co_await machine.loop().dial({std::string(70, 'x') + ".test", 80}, {});
  EXPECT_FALSE(dialled.has_value());
  EXPECT_EQ(dialled.error().code, Code::unreachable);
}

CONTRACT(localhost_resolves) {
  Accepting accepting(machine.loop());
  const auto listener = machine.loop().listen({"localhost", 0}, accepting);
  EXPECT_TRUE(listener.has_value());
  const auto dialled = co_await machine.loop().dial({"localhost", (*listener)->port()}, {});
  EXPECT_TRUE(dialled.has_value());
}

CONTRACT(a_dial_that_nobody_answers_ends_at_its_deadline) {
  const Instant deadline = machine.loop().now() + 20ms;
  const auto dialled = co_await machine.loop().dial(machine.silent_peer(), {.deadline = deadline});
  EXPECT_FALSE(dialled.has_value());
  EXPECT_EQ(dialled.error().code, Code::timeout);
  EXPECT_GE(machine.loop().now(), deadline);
}

Task<void> cancel_soon(Loop& loop, Cancellation& cancellation) {
  co_await sleep(loop, {.deadline = loop.now() + 5ms});
  cancellation.cancel();
}

CONTRACT(a_dial_that_nobody_answers_can_be_cancelled) {
  Cancellation cancellation;
  const Running canceller(machine.loop(), cancel_soon(machine.loop(), cancellation));
  const auto dialled = co_await machine.loop().dial(machine.silent_peer(), {.cancellation = &cancellation});
  EXPECT_FALSE(dialled.has_value());
  EXPECT_EQ(dialled.error().code, Code::cancelled);
}

CONTRACT(a_dial_under_a_cancellation_that_came_before_is_cancelled) {
  Cancellation cancellation;
  cancellation.cancel();
  const auto dialled = co_await machine.loop().dial(machine.silent_peer(), {.cancellation = &cancellation});
  EXPECT_FALSE(dialled.has_value());
  EXPECT_EQ(dialled.error().code, Code::cancelled);
}

Task<void> dial_and_fail(Loop& loop, Peer peer) {
  const auto dialled = co_await loop.dial(peer, {});
  ADD_FAILURE() << "was dropped while it waited";
}

CONTRACT(a_dialler_can_be_destroyed_while_it_waits) {
  {
    const Running dialler(machine.loop(), dial_and_fail(machine.loop(), machine.silent_peer()));
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 5ms});
    EXPECT_FALSE(dialler.done());
  }
  co_await settle(machine.loop());
}

CONTRACT(an_address_is_listened_on_once) {
  Accepting accepting(machine.loop());
  const auto first = machine.loop().listen({"127.0.0.1", 0}, accepting);
  EXPECT_TRUE(first.has_value());
  EXPECT_EQ((*first)->address(), "127.0.0.1:" + std::to_string((*first)->port()));
  const auto second = machine.loop().listen({"127.0.0.1", (*first)->port()}, accepting);
  EXPECT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::io_error);
  const auto name = machine.loop().listen({"not-an-address.test", 0}, accepting);
  EXPECT_FALSE(name.has_value());
  EXPECT_EQ(name.error().code, Code::invalid_request);
  co_return;
}

CONTRACT(a_listener_on_every_address_accepts_what_comes_to_one) {
  Accepting accepting(machine.loop());
  const auto listener = machine.loop().listen({"0.0.0.0", 0}, accepting);
  EXPECT_TRUE(listener.has_value());
  const auto dialled = co_await machine.loop().dial({"127.0.0.1", (*listener)->port()}, {});
  EXPECT_TRUE(dialled.has_value());
  const auto accepted = co_await accepting.accept();
  EXPECT_NE(accepted, nullptr);
}

CONTRACT(each_side_knows_where_the_other_is) {
  Accepting accepting(machine.loop());
  const auto listener = machine.loop().listen({"127.0.0.1", 0}, accepting);
  EXPECT_TRUE(listener.has_value());
  const auto dialled = co_await machine.loop().dial({"127.0.0.1", (*listener)->port()}, {});
  EXPECT_TRUE(dialled.has_value());
  const auto accepted = co_await accepting.accept();
  EXPECT_EQ((*dialled)->peer(), "127.0.0.1:" + std::to_string((*listener)->port()));
  EXPECT_TRUE(accepted->peer().starts_with("127.0.0.1:")) << accepted->peer();
  EXPECT_NE(accepted->peer(), (*dialled)->peer());
}

CONTRACT(a_connection_that_is_not_wanted_is_closed) {
  Accepting accepting(machine.loop());
  std::unique_ptr<Stream> dialler;
  {
    Accepting unwanted(machine.loop());
    const auto listener = machine.loop().listen({"127.0.0.1", 0}, unwanted);
    EXPECT_TRUE(listener.has_value());
    auto dialled = co_await machine.loop().dial({"127.0.0.1", (*listener)->port()}, {});
    EXPECT_TRUE(dialled.has_value());
    dialler = std::move(*dialled);
  }
  Hand hand(machine.loop(), *dialler);
  EXPECT_EQ(co_await hand.read(1), "");
  EXPECT_TRUE(hand.ended == Code::end_of_stream || hand.ended == Code::reset);
}

// --- streams
// ----------------------------------------------------------------------------------------------------------

CONTRACT(bytes_arrive_whole_and_in_order_both_ways) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  std::string sent;
  for (int i = 0; i < 3000; ++i) {
    sent += std::to_string(i) + ",";
  }
  std::string got;
  const Running reading(machine.loop(), drain(there, sent.size(), got));
  co_await here.write(sent);
  while (!reading.done()) {
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
  }
  EXPECT_EQ(got, sent);
  co_await there.write("thanks");
  EXPECT_EQ(co_await here.read(6), "thanks");
}

CONTRACT(slices_leave_in_their_order) {
  Pair pair = co_await connect(machine.loop());
  std::vector<std::string> pieces;
  for (int i = 0; i < 200; ++i) {
    pieces.push_back(i % 7 == 0 ? "" : std::to_string(i) + ";");  // more than fit one call, empty ones among them
  }
  const std::vector<std::string_view> slices(pieces.begin(), pieces.end());
  std::string whole;
  for (const std::string& piece : pieces) {
    whole += piece;
  }
  ByteWriter writer(machine.loop(), *pair.dialler);
  const auto written = co_await writer.write(slices, {});
  EXPECT_TRUE(written.has_value());
  Hand there(machine.loop(), *pair.acceptor);
  EXPECT_EQ(co_await there.read(whole.size()), whole);
}

CONTRACT(a_read_never_ends_inside_the_call_that_starts_it) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  co_await here.write("abcdef");
  for (const char* letter : {"a", "b", "c", "d", "e", "f"}) {
    there.start_read(1);
    EXPECT_FALSE(there.reads > 0);
    const IoResult got = co_await there.finish_read();
    EXPECT_TRUE(got.has_value()) << letter;
    EXPECT_EQ(there.reads, 1);
    there.reads = 0;
  }
}

CONTRACT(the_end_comes_after_the_last_byte_and_the_other_direction_goes_on) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  co_await here.write("last words");
  pair.dialler->shutdown_send();
  EXPECT_EQ(co_await there.read(1000), "last words");
  EXPECT_EQ(there.ended, Code::end_of_stream);
  co_await there.write("noted");
  EXPECT_EQ(co_await here.read(5), "noted");
  EXPECT_EQ(co_await there.read(1), "") << "and it stays ended";
  EXPECT_EQ(there.ended, Code::end_of_stream);
}

CONTRACT(writing_after_shutdown_send_fails) {
  Pair pair = co_await connect(machine.loop());
  pair.dialler->shutdown_send();
  Hand here(machine.loop(), *pair.dialler);
  co_await here.write("too late");
  EXPECT_EQ(here.ended, Code::reset);
}

CONTRACT(a_close_is_the_end_for_the_peer) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  co_await here.write("bye");
  pair.dialler->close();
  EXPECT_EQ(co_await there.read(1000), "bye");
  EXPECT_EQ(there.ended, Code::end_of_stream);
}

CONTRACT(a_close_with_unread_bytes_resets_the_peer) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  co_await here.write("nobody reads all of this");
  EXPECT_EQ(co_await there.read(1), "n");
  co_await settle(machine.loop());
  pair.acceptor->close();
  EXPECT_EQ(co_await here.read(1), "");
  EXPECT_EQ(here.ended, Code::reset);
}

CONTRACT(an_abort_is_a_reset_for_the_peer) {
  Pair pair = co_await connect(machine.loop());
  Hand there(machine.loop(), *pair.acceptor);
  there.start_read(100);
  pair.dialler->abort();
  const IoResult got = co_await there.finish_read();
  EXPECT_FALSE(got.has_value());
  EXPECT_EQ(got.error(), Code::reset);
}

CONTRACT(writing_to_a_peer_that_left_fails_in_the_end) {
  Pair pair = co_await connect(machine.loop());
  pair.acceptor->close();
  Hand here(machine.loop(), *pair.dialler);
  for (int i = 0; i < 1000 && !here.ended; ++i) {
    co_await here.write("is anybody there?");
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
  }
  EXPECT_EQ(here.ended, Code::reset);
}

CONTRACT(a_slow_reader_stops_the_writer_at_a_bound_and_lets_it_go_on) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  const std::string piece(64 * 1024, 'x');
  const std::string_view slices[] = {piece};
  constexpr std::size_t bound = std::size_t{64} * 1024 * 1024;
  std::size_t sent = 0;
  int refusals = 0;
  while (sent < bound && refusals < 20) {
    const IoResult written = pair.dialler->write_now(slices);
    EXPECT_TRUE(written.has_value());
    if (!written) {
      co_return;
    }
    sent += *written;
    if (*written == 0) {
      ++refusals;  // not for good: what is under way may still move into the peer's buffer
      co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
    } else {
      refusals = 0;
    }
  }
  EXPECT_LT(sent, bound) << "nobody reads, so it must stop";
  pair.dialler->start_writable(here);
  EXPECT_EQ(here.writable, 0);
  EXPECT_EQ((co_await there.read(sent)).size(), sent);
  while (here.writable == 0) {
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
  }
  co_await here.write("more");
  EXPECT_EQ(co_await there.read(4), "more");
}

CONTRACT(start_writable_tells_of_room_that_is_already_there) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  co_await here.room();
  EXPECT_EQ(here.writable, 1);
}

CONTRACT(a_new_wait_for_room_takes_the_place_of_a_pending_one) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  pair.dialler->start_writable(here);
  co_await here.room();
  co_await settle(machine.loop());
  EXPECT_EQ(here.writable, 1);
}

CONTRACT(a_waiting_writer_hears_of_a_reset) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  const std::string piece(64 * 1024, 'x');
  const std::string_view slices[] = {piece};
  for (IoResult written = 1; written && *written > 0;) {
    written = pair.dialler->write_now(slices);
  }
  pair.dialler->start_writable(here);
  pair.acceptor->abort();
  while (here.writable == 0) {
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
  }
  while (!here.ended) {  // room for a few more bytes may come first
    co_await here.write(piece);
  }
  EXPECT_EQ(here.ended, Code::reset);
}

CONTRACT(a_read_that_is_stopped_ends_as_cancelled_and_the_next_one_works) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  there.start_read(100);
  pair.acceptor->stop_read();
  EXPECT_EQ(there.reads, 0) << "not inside stop_read()";
  const IoResult got = co_await there.finish_read();
  EXPECT_FALSE(got.has_value());
  EXPECT_EQ(got.error(), Code::cancelled);
  co_await here.write("hello");
  EXPECT_EQ(co_await there.read(5), "hello");
}

CONTRACT(nobody_is_called_after_close) {
  Pair pair = co_await connect(machine.loop());
  Hand here(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  there.start_read(100);
  pair.acceptor->start_writable(there);
  co_await here.write("hello");
  pair.acceptor->close();
  co_await settle(machine.loop());
  EXPECT_EQ(there.reads, 0);
  EXPECT_EQ(there.writable, 0);
}

CONTRACT(nobody_is_called_after_abort_or_destruction) {
  for (const bool destroy : {false, true}) {
    Pair pair = co_await connect(machine.loop());
    Hand here(machine.loop(), *pair.dialler);
    Hand there(machine.loop(), *pair.acceptor);
    there.start_read(100);
    pair.acceptor->start_writable(there);
    co_await here.write("hello");
    if (destroy) {
      pair.acceptor.reset();
    } else {
      pair.acceptor->abort();
    }
    co_await settle(machine.loop());
    EXPECT_EQ(there.reads, 0);
    EXPECT_EQ(there.writable, 0);
  }
}

/// Destroys its stream from inside the callback.
class Quitter final : public ReadWaiter {
 public:
  explicit Quitter(Loop& loop) : gone(loop) {}
  std::span<char> read_space() override { return buffer; }
  void on_read(IoResult) override {
    stream.reset();
    gone.notify();
  }
  std::unique_ptr<Stream> stream;
  Signal gone;
  char buffer[16];
};

CONTRACT(a_stream_may_be_destroyed_from_its_own_callback) {
  Pair pair = co_await connect(machine.loop());
  Quitter quitter(machine.loop());
  quitter.stream = std::move(pair.acceptor);
  quitter.stream->start_read(quitter);
  Hand here(machine.loop(), *pair.dialler);
  co_await here.write("go");
  std::ignore = co_await quitter.gone.wait({});
  EXPECT_EQ(quitter.stream, nullptr);
}

// --- posts, timers, signals
// -------------------------------------------------------------------------------------------

CONTRACT(posts_run_later_and_in_order) {
  std::vector<int> ran;
  Signal done(machine.loop());
  for (int i = 0; i < 5; ++i) {
    machine.loop().post([&, i] {
      ran.push_back(i);
      if (i == 4) {
        done.notify();
      }
    });
  }
  EXPECT_TRUE(ran.empty()) << "not inside post()";
  std::ignore = co_await done.wait({});
  EXPECT_EQ(ran, (std::vector{0, 1, 2, 3, 4}));
}

CONTRACT(a_post_from_elsewhere_arrives) {
  Signal done(machine.loop());
  bool ran = false;
  machine.post_from_elsewhere([&] {
    ran = true;
    done.notify();
  });
  std::ignore = co_await done.wait({});
  EXPECT_TRUE(ran);
}

Task<void> note_after(Loop& loop, Instant due, int number, std::vector<int>& order) {
  co_await sleep(loop, {.deadline = due});
  order.push_back(number);
}

CONTRACT(sleepers_wake_in_the_order_of_their_deadlines) {
  std::vector<int> order;
  const Instant now = machine.loop().now();
  const Running third(machine.loop(), note_after(machine.loop(), now + 30ms, 3, order));
  const Running first(machine.loop(), note_after(machine.loop(), now + 10ms, 1, order));
  const Running second(machine.loop(), note_after(machine.loop(), now + 20ms, 2, order));
  co_await sleep(machine.loop(), {.deadline = now + 40ms});
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_GE(machine.loop().now(), now + 40ms);
  if (machine.time_is_exact()) {
    EXPECT_EQ(machine.loop().now(), now + 40ms);
  }
}

CONTRACT(a_deadline_in_the_past_ends_the_wait_soon) {
  Signal nobody(machine.loop());
  const Wake wake = co_await nobody.wait({.deadline = machine.loop().now() - 1s});
  EXPECT_EQ(wake, Wake::timeout);
}

CONTRACT(a_notify_without_a_waiter_is_kept_once) {
  Signal signal(machine.loop());
  signal.notify();
  signal.notify();
  EXPECT_EQ(co_await signal.wait({}), Wake::notified);
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout);
  signal.notify();
  signal.clear();
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout);
}

Task<void> wait_for(Signal& signal, Until until, std::vector<Wake>& wakes) {
  wakes.push_back(co_await signal.wait(until));
}

CONTRACT(a_waker_goes_on_before_the_one_it_woke) {
  Signal signal(machine.loop());
  std::vector<Wake> wakes;
  const Running waiter(machine.loop(), wait_for(signal, {}, wakes));
  co_await settle(machine.loop());
  signal.notify();
  EXPECT_TRUE(wakes.empty());
  co_await settle(machine.loop());
  EXPECT_EQ(wakes, (std::vector{Wake::notified}));
}

CONTRACT(a_cancellation_reaches_every_wait_below_it) {
  Cancellation parent;
  Cancellation child(&parent);
  Signal first(machine.loop());
  Signal second(machine.loop());
  std::vector<Wake> wakes;
  const Running a(machine.loop(), wait_for(first, {.cancellation = &parent}, wakes));
  const Running b(machine.loop(), wait_for(second, {.cancellation = &child}, wakes));
  co_await settle(machine.loop());
  parent.cancel();
  EXPECT_TRUE(wakes.empty()) << "not inside cancel()";
  co_await settle(machine.loop());
  EXPECT_EQ(wakes, (std::vector{Wake::cancelled, Wake::cancelled}));
  EXPECT_TRUE(child.cancelled());
  EXPECT_EQ(co_await first.wait({.cancellation = &child}), Wake::cancelled) << "and every later one";
}

CONTRACT(a_child_that_is_cancelled_leaves_its_parent_alone) {
  Cancellation parent;
  {
    Cancellation child(&parent);
    child.cancel();
  }
  EXPECT_FALSE(parent.cancelled());
  Signal signal(machine.loop());
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now(), .cancellation = &parent}), Wake::timeout);
}

CONTRACT(a_waiting_coroutine_can_be_destroyed) {
  Cancellation cancellation;
  Signal signal(machine.loop());
  std::vector<Wake> wakes;
  for (const bool woken_already : {false, true}) {
    {
      const Until until{.deadline = machine.loop().now() + 10ms, .cancellation = &cancellation};
      const Running waiter(machine.loop(), wait_for(signal, until, wakes));
      co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 2ms});
      if (woken_already) {
        signal.notify();  // it is in the ready queue when it goes
      }
    }
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 20ms});
  }
  cancellation.cancel();
  signal.clear();
  EXPECT_TRUE(wakes.empty());
  EXPECT_EQ(co_await signal.wait({.deadline = machine.loop().now()}), Wake::timeout)
      << "and the signal can be used again";
}

// --- ByteReader and ByteWriter
// ----------------------------------------------------------------------------------------

/// A reader on the acceptor's side of a connection. The stream is closed before the reader goes.
struct Reading {
  Reading(Loop& loop, Pair connected, ByteReader::Options options)
      : pair(std::move(connected)), reader(loop, *pair.acceptor, options), here(loop, *pair.dialler) {}
  ~Reading() { pair.acceptor->close(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  Pair pair;
  ByteReader reader;
  Hand here;
};

CONTRACT(a_reader_gathers_bytes_until_there_are_enough) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  co_await reading.here.write("abc");
  while (reading.reader.bytes().size() < 3) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  EXPECT_EQ(reading.reader.bytes(), "abc");
  reading.reader.consume(2);
  EXPECT_EQ(reading.reader.bytes(), "c");
  const auto none = co_await reading.reader.more(1, {.deadline = machine.loop().now() + 5ms});
  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(none.error(), Code::timeout);
  co_await reading.here.write("d");
  EXPECT_TRUE((co_await reading.reader.more(1, {})).has_value());
  EXPECT_EQ(reading.reader.bytes(), "cd");
}

CONTRACT(a_reader_notices_the_end_while_nobody_waits) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  bool told = false;
  Signal ended(machine.loop());
  reading.reader.on_end([&] {
    told = true;
    ended.notify();
  });
  reading.reader.start();
  co_await reading.here.write("unread");
  reading.pair.dialler->shutdown_send();
  std::ignore = co_await ended.wait({});
  EXPECT_TRUE(told);
  EXPECT_EQ(reading.reader.ended(), Code::end_of_stream);
  EXPECT_EQ(reading.reader.bytes(), "unread") << "what came before the end stays";
  const auto more = co_await reading.reader.more(6, {});
  EXPECT_FALSE(more.has_value());
  EXPECT_EQ(more.error(), Code::end_of_stream);
}

CONTRACT(a_reader_tells_a_reset_from_an_end) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  reading.pair.dialler->abort();
  const auto more = co_await reading.reader.more(0, {});
  EXPECT_FALSE(more.has_value());
  EXPECT_EQ(more.error(), Code::reset);
}

CONTRACT(a_reset_right_behind_data_is_told_from_an_end) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  co_await reading.here.write("unread");
  reading.pair.dialler->abort();  // both are there before the reader looks
  std::size_t seen = 0;
  while (true) {
    const auto more = co_await reading.reader.more(seen, {});
    if (!more) {
      EXPECT_EQ(more.error(), Code::reset);
      break;
    }
    seen = reading.reader.bytes().size();
  }
  EXPECT_EQ(reading.reader.ended(), Code::reset);
}

CONTRACT(a_pinned_buffer_stays_where_it_is) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.initial_bytes = 64, .bytes_max = 1024});
  reading.reader.start();
  co_await reading.here.write("0123456789");
  while (reading.reader.bytes().size() < 10) {
    co_await reading.reader.more(reading.reader.bytes().size(), {});
  }
  const std::string_view view = reading.reader.bytes();
  reading.reader.pin();
  co_await reading.here.write(std::string(500, 'y'));
  co_await settle(machine.loop());
  EXPECT_EQ(view, "0123456789");
  EXPECT_EQ(reading.reader.bytes().data(), view.data());
  EXPECT_LE(reading.reader.bytes().size(), 64U) << "only into the room behind it";
  EXPECT_FALSE(reading.reader.ended());
  reading.reader.unpin();
  while (reading.reader.bytes().size() < 510) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  EXPECT_EQ(reading.reader.bytes(), "0123456789" + std::string(500, 'y'));
}

CONTRACT(the_end_is_noticed_while_the_buffer_is_pinned_and_full) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  co_await reading.here.write("0123456789");
  while (reading.reader.bytes().size() < 10) {
    co_await reading.reader.more(reading.reader.bytes().size(), {});
  }
  reading.reader.trim();
  reading.reader.pin();
  const std::string_view view = reading.reader.bytes();
  Signal ended(machine.loop());
  reading.reader.on_end([&] { ended.notify(); });
  reading.pair.dialler->abort();
  std::ignore = co_await ended.wait({machine.loop().now() + 10s});
  EXPECT_EQ(reading.reader.ended(), Code::reset);
  EXPECT_EQ(view, "0123456789");
}

CONTRACT(the_end_is_noticed_behind_much_that_came_while_the_buffer_was_pinned) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  co_await reading.here.write("body");
  while (reading.reader.bytes().size() < 4) {
    co_await reading.reader.more(reading.reader.bytes().size(), {});
  }
  reading.reader.trim();
  reading.reader.pin();
  Signal ended(machine.loop());
  reading.reader.on_end([&] { ended.notify(); });
  co_await reading.here.write(std::string(10'000, 'p'));
  reading.pair.dialler->shutdown_send();
  std::ignore = co_await ended.wait({machine.loop().now() + 10s});
  EXPECT_EQ(reading.reader.ended(), Code::end_of_stream);
  EXPECT_EQ(reading.reader.bytes(), "body");
  reading.reader.consume(4);
  reading.reader.unpin();
  EXPECT_EQ(reading.reader.bytes(), std::string(10'000, 'p'));
}

CONTRACT(what_comes_while_the_buffer_is_pinned_and_full_is_there_afterwards) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {});
  reading.reader.start();
  co_await reading.here.write("body");
  while (reading.reader.bytes().size() < 4) {
    co_await reading.reader.more(reading.reader.bytes().size(), {});
  }
  co_await settle(machine.loop());
  reading.reader.trim();
  reading.reader.pin();
  std::string next;
  for (int i = 0; i < 500; ++i) {
    next += std::to_string(i) + ",";
  }
  co_await reading.here.write(next);
  co_await settle(machine.loop());
  EXPECT_EQ(reading.reader.bytes(), "body");
  reading.reader.consume(4);
  reading.reader.unpin();
  while (reading.reader.bytes().size() < next.size()) {
    const auto more = co_await reading.reader.more(reading.reader.bytes().size(), {});
    EXPECT_TRUE(more.has_value());
    if (!more) {
      co_return;
    }
  }
  EXPECT_EQ(reading.reader.bytes(), next);
}

CONTRACT(a_reader_stops_at_its_bound_and_reserve_moves_it) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.initial_bytes = 64, .bytes_max = 256});
  reading.reader.start();
  const std::string sent(1000, 'z');
  co_await reading.here.write(sent);
  while ((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value()) {
  }
  EXPECT_EQ(reading.reader.bytes().size(), 256U);
  EXPECT_FALSE(reading.reader.ended()) << "full is not over";
  reading.reader.reserve(1000);
  while (reading.reader.bytes().size() < 1000) {
    const auto more = co_await reading.reader.more(reading.reader.bytes().size(), {});
    EXPECT_TRUE(more.has_value());
    if (!more) {
      co_return;
    }
  }
  EXPECT_EQ(reading.reader.bytes(), sent);
}

CONTRACT(behind_the_data_there_is_padding_that_can_be_read) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.initial_bytes = 64, .bytes_max = 64});
  reading.reader.start();
  co_await reading.here.write(std::string(64, 'p'));
  while (reading.reader.bytes().size() < 64) {
    co_await reading.reader.more(reading.reader.bytes().size(), {});
  }
  unsigned sum = 0;  // AddressSanitizer judges
  for (std::size_t i = 0; i < ByteReader::padding; ++i) {
    sum += static_cast<unsigned char>(*(reading.reader.bytes().data() + 64 + i));
  }
  EXPECT_EQ(sum, 0U);
}

CONTRACT(a_reader_that_shrank_reads_on) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.initial_bytes = 64});
  reading.reader.start();
  const std::string large(50'000, 'l');
  co_await reading.here.write(large);
  while (reading.reader.bytes().size() < large.size()) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  reading.reader.consume(large.size());
  reading.reader.shrink();
  co_await reading.here.write("small");
  while (reading.reader.bytes().size() < 5) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  EXPECT_EQ(reading.reader.bytes(), "small");
}

CONTRACT(a_writer_waits_for_a_slow_reader_and_loses_nothing) {
  Pair pair = co_await connect(machine.loop());
  std::string large;
  while (large.size() < 8'000'000) {
    large += std::to_string(large.size()) + " ";
  }
  ByteWriter writer(machine.loop(), *pair.dialler);
  Hand there(machine.loop(), *pair.acceptor);
  std::string got;
  const Running reading(machine.loop(), drain(there, large.size() + 3, got));
  const std::string_view slices[] = {"<", large, ">", ""};
  EXPECT_TRUE((co_await writer.write(slices, {})).has_value());
  co_await writer.write({}, {});
  co_await writer.write(std::vector<std::string_view>{"!"}, {});
  while (!reading.done()) {
    co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
  }
  EXPECT_TRUE(got == "<" + large + ">!");
}

CONTRACT(a_writer_gives_up_at_its_deadline_or_cancellation) {
  Pair pair = co_await connect(machine.loop());
  ByteWriter writer(machine.loop(), *pair.dialler);
  const std::string piece(std::size_t{32} * 1024 * 1024, 'x');
  const std::string_view slices[] = {piece};
  const auto late = co_await writer.write(slices, {.deadline = machine.loop().now() + 10ms});
  EXPECT_FALSE(late.has_value());
  EXPECT_EQ(late.error(), Code::timeout);
}

CONTRACT(a_writer_can_be_cancelled) {
  Pair pair = co_await connect(machine.loop());
  ByteWriter writer(machine.loop(), *pair.dialler);
  const std::string piece(std::size_t{32} * 1024 * 1024, 'x');
  const std::string_view slices[] = {piece};
  Cancellation cancellation;
  const Running canceller(machine.loop(), cancel_soon(machine.loop(), cancellation));
  const auto cancelled = co_await writer.write(slices, {.cancellation = &cancellation});
  EXPECT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error(), Code::cancelled);
}

// --- files
// ------------------------------------------------------------------------------------------------------------

CONTRACT(a_file_keeps_what_was_appended) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/log";
  {
    const auto file = files.open_append(path);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("one\n").has_value());
    EXPECT_TRUE((*file)->append("").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
  }
  {
    const auto again = files.open_append(path);
    EXPECT_TRUE(again.has_value());
    EXPECT_TRUE((*again)->append("two\n").has_value());
    const auto content = files.read(path);
    EXPECT_TRUE(content.has_value());
    EXPECT_EQ(*content, "one\ntwo\n") << "also while it is open";
  }
  co_return;
}

CONTRACT(what_is_not_there_is_an_error_with_its_path) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/missing";
  const auto content = files.read(path);
  EXPECT_FALSE(content.has_value());
  EXPECT_EQ(content.error().code, Code::io_error);
  EXPECT_TRUE(content.error().message.contains(path)) << content.error().message;
  const auto file = files.open_append(path + "/log");
  EXPECT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, Code::io_error);
  co_return;
}

CONTRACT(a_directory_is_made_once_and_may_be_made_again) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/sub";
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.open_append(path + "/log").has_value());
  EXPECT_FALSE(files.make_directory(machine.directory() + "/no/parent").has_value());
  co_return;
}

CONTRACT(a_unix_socket_carries_bytes_both_ways_and_says_what_it_is) {
  const Peer at{.unix_path = machine.directory() + "/s.sock"};
  Accepting accepting(machine.loop());
  const auto listener = machine.loop().listen(at, accepting);
  EXPECT_TRUE(listener.has_value());
  if (!listener) {
    co_return;
  }
  EXPECT_EQ((*listener)->address(), "unix:" + at.unix_path);
  auto dialled = co_await machine.loop().dial(at, {});
  EXPECT_TRUE(dialled.has_value());
  if (!dialled) {
    co_return;
  }
  const auto accepted = co_await accepting.accept();
  EXPECT_EQ(accepted->peer(), "unix:");
  Hand near(machine.loop(), **dialled);
  Hand far(machine.loop(), *accepted);
  co_await near.write("up");
  const std::string up = co_await far.read(2);
  EXPECT_EQ(up, "up");
  co_await far.write("down");
  const std::string down = co_await near.read(4);
  EXPECT_EQ(down, "down");
  accepted->close();
  const IoResult end = co_await near.read_some(1);
  EXPECT_EQ(end, std::unexpected(Code::end_of_stream));
}

CONTRACT(a_unix_socket_without_a_listener_is_no_place_to_dial_and_one_place_has_one_listener) {
  const Peer at{.unix_path = machine.directory() + "/s.sock"};
  Accepting accepting(machine.loop());
  {
    const auto listener = machine.loop().listen(at, accepting);
    EXPECT_TRUE(listener.has_value());
    const auto second = machine.loop().listen(at, accepting);
    EXPECT_FALSE(second.has_value());
    const auto dialled = co_await machine.loop().dial(at, {});
    EXPECT_TRUE(dialled.has_value()) << "the attempt to listen took nothing away";
  }
  const auto gone = co_await machine.loop().dial(at, {});
  EXPECT_FALSE(gone.has_value());
  if (!gone) {
    EXPECT_TRUE(gone.error().code == Code::refused || gone.error().code == Code::unreachable);
  }
  const auto again = machine.loop().listen(at, accepting);
  EXPECT_TRUE(again.has_value());
  // Who was accepted as the listener went is told a turn later: the handler is to be there.
  std::ignore = co_await sleep(machine.loop(), {machine.loop().now() + 50ms});
}

CONTRACT(a_name_resolves_to_its_addresses_and_an_address_to_itself) {
  const auto local = co_await machine.loop().resolve("localhost", {});
  EXPECT_TRUE(local.has_value() && !local->empty());
  const auto literal = co_await machine.loop().resolve("::1", {});
  EXPECT_TRUE(literal.has_value());
  if (literal) {
    EXPECT_EQ(to_string(literal->front()), "::1");
  }
  const auto nobody = co_await machine.loop().resolve(std::string(70, 'x') + ".test", {});
  EXPECT_FALSE(nobody.has_value());
  if (!nobody) {
    EXPECT_EQ(nobody.error().code, Code::unreachable);
  }
  co_return;
}

CONTRACT(an_allocated_file_is_zero_behind_what_was_appended) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/segment";
  {
    const auto file = files.create_allocated(path, 16);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("abc").has_value());
    EXPECT_TRUE((*file)->append("def").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
    EXPECT_FALSE((*file)->append("more than is left").has_value());
    EXPECT_TRUE((*file)->append("0123456789").has_value()) << "what did not fit has taken no place";
    EXPECT_FALSE(files.create_allocated(path, 16).has_value()) << "it is there";
  }
  EXPECT_EQ(files.read(path), "abcdef0123456789");
  EXPECT_EQ(files.read_at(path, 3, 5), "def01");
  EXPECT_EQ(files.read_at(path, 14, 5), "89");
  EXPECT_EQ(files.read_at(path, 99, 5), "");
  const auto other = files.create_allocated(path + "-2", 4);
  EXPECT_TRUE((*other)->append("a").has_value());
  EXPECT_EQ(files.read(path + "-2"), std::string("a\0\0\0", 4));
  co_return;
}

CONTRACT(a_directory_is_listed_and_emptied) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/listed";
  EXPECT_FALSE(files.list(path).has_value());
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.make_directory(path + "/b").has_value());
  EXPECT_TRUE(files.open_append(path + "/a").has_value());
  EXPECT_TRUE(files.open_append(path + "/b/c").has_value());
  EXPECT_EQ(files.list(path), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(files.remove(path).has_value()) << "it is not empty";
  EXPECT_TRUE(files.remove(path + "/b/c").has_value());
  EXPECT_TRUE(files.remove(path + "/b").has_value());
  EXPECT_FALSE(files.remove(path + "/b").has_value());
  EXPECT_EQ(files.list(path), std::vector<std::string>{"a"});
  co_return;
}

CONTRACT(a_lock_on_a_file_has_one_holder) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/lock";
  {
    const auto first = files.lock(path);
    EXPECT_TRUE(first.has_value() && *first != nullptr);
    const auto second = files.lock(path);
    EXPECT_TRUE(second.has_value() && *second == nullptr);
  }
  const auto third = files.lock(path);
  EXPECT_TRUE(third.has_value() && *third != nullptr);
  EXPECT_FALSE(files.lock(machine.directory() + "/no/lock").has_value());
  co_return;
}

}  // namespace
}  // namespace weir::platform

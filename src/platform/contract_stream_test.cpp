// What streams promise.
#include "platform/byte_writer.hpp"
#include "platform/test_contract.hpp"

namespace weir::platform {
namespace {

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
  Hand there(machine.loop(), *pair.acceptor);
  ByteWriter writer(machine.loop(), *pair.dialler);
  for (const std::size_t more : {0U, 100U}) {  // few bytes may go as one piece, many are more than fit one call
    std::vector<std::string> pieces;
    std::string whole;
    for (int i = 0; i < 200; ++i) {
      pieces.push_back(i % 7 == 0 ? "" : std::to_string(i) + std::string(more, '.') + ";");
      whole += pieces.back();
    }
    const std::vector<std::string_view> slices(pieces.begin(), pieces.end());
    std::string got;
    const Running reading(machine.loop(), drain(there, whole.size(), got));
    const auto written = co_await writer.write(slices, {});
    EXPECT_TRUE(written.has_value());
    while (!reading.done()) {
      co_await sleep(machine.loop(), {.deadline = machine.loop().now() + 1ms});
    }
    EXPECT_EQ(got, whole);
  }
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

struct Talk {
  Talk(Loop& loop, Pair connected)
      : pair(std::move(connected)), asks(loop, *pair.dialler), hears(loop, *pair.acceptor), ended(loop) {}
  Pair pair;
  ByteWriter asks;
  Hand hears;
  std::string heard;
  Signal ended;
};

constexpr int talk_rounds = 100;

Task<void> talk(Talk& one) {
  for (int round = 0; round < talk_rounds; ++round) {
    const std::string word = std::to_string(round);
    const std::string_view slices[] = {word, "."};
    EXPECT_TRUE((co_await one.asks.write(slices, {})).has_value());
    one.heard += co_await one.hears.read(word.size() + 1);
  }
  one.ended.notify();
}

/// Many conversations at once: whether their writes are held or not, each hears its own words in their order.
CONTRACT(a_crowd_of_conversations_loses_no_byte) {
  std::vector<std::unique_ptr<Talk>> talks;
  for (int i = 0; i < 8; ++i) {
    talks.push_back(std::make_unique<Talk>(machine.loop(), co_await connect(machine.loop())));
  }
  std::vector<Running> running;
  for (const auto& one : talks) {
    running.emplace_back(machine.loop(), talk(*one));
  }
  for (const auto& one : talks) {
    std::ignore = co_await one->ended.wait({});
  }
  std::string expected;
  for (int round = 0; round < talk_rounds; ++round) {
    expected += std::to_string(round) + ".";
  }
  for (const auto& one : talks) {
    EXPECT_EQ(one->heard, expected);
  }
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

}  // namespace
}  // namespace weir::platform

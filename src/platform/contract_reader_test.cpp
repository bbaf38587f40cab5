// What ByteReader and ByteWriter promise over any stream.
#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/test_contract.hpp"

namespace weir::platform {
namespace {

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

CONTRACT(the_end_is_noticed_behind_what_is_in_use_however_much_that_is) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.bytes_max = 8192});
  const std::string body(20'000, 'b');
  reading.reader.reserve(body.size());
  reading.reader.start();
  co_await reading.here.write(body);
  while (reading.reader.bytes().size() < body.size()) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  co_await settle(machine.loop());
  reading.reader.pin(body.size());
  const std::string_view view = reading.reader.bytes();
  const std::string next(5000, 'n');
  co_await reading.here.write(next);
  Signal ended(machine.loop());
  reading.reader.on_end([&] { ended.notify(); });
  reading.pair.dialler->shutdown_send();
  std::ignore = co_await ended.wait({machine.loop().now() + 10s});
  EXPECT_EQ(reading.reader.ended(), Code::end_of_stream);
  EXPECT_EQ(view, body);
  reading.reader.consume(body.size());
  reading.reader.unpin();
  EXPECT_EQ(reading.reader.bytes(), next);
}

CONTRACT(behind_what_is_in_use_no_more_is_read_than_the_bound_lets_wait) {
  Reading reading(machine.loop(), co_await connect(machine.loop()), {.initial_bytes = 64, .bytes_max = 1024});
  const std::string body(3000, 'b');
  reading.reader.reserve(body.size());
  reading.reader.start();
  co_await reading.here.write(body);
  while (reading.reader.bytes().size() < body.size()) {
    EXPECT_TRUE((co_await reading.reader.more(reading.reader.bytes().size(), {})).has_value());
  }
  reading.reader.pin(body.size());
  const std::string next(1400, 'n');  // the rest has room on the way
  co_await reading.here.write(next);
  co_await settle(machine.loop());
  reading.reader.reserve(0);
  reading.reader.consume(body.size());
  EXPECT_EQ(reading.reader.bytes().size(), 0U);
  reading.reader.unpin();
  EXPECT_LE(reading.reader.bytes().size(), 1024U);
  reading.reader.reserve(next.size());
  while (reading.reader.bytes().size() < next.size()) {
    const auto more = co_await reading.reader.more(reading.reader.bytes().size(), {});
    EXPECT_TRUE(more.has_value());
    if (!more) {
      co_return;
    }
  }
  EXPECT_EQ(reading.reader.bytes(), next);
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

}  // namespace
}  // namespace weir::platform

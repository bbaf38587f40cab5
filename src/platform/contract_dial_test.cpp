// What loops promise of listening and dialling, by address, by name and by path.
#include "platform/test_contract.hpp"

namespace weir::platform {
namespace {

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

}  // namespace
}  // namespace weir::platform

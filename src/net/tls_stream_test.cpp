// TLS over the simulated network: whatever that does to the bytes below, what stands above sees a lawful stream.
#include "net/tls_stream.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <optional>
#include <string>
#include <vector>

#include "net/tls.hpp"
#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using platform::IoResult;
using platform::LinkFaults;
using platform::Running;
using platform::SimulatedLoop;
using platform::SimulatedWorld;
using platform::Stream;
using platform::WorldFaults;

struct Pem {
  std::string certificate;
  std::string key;
};

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

/// A certificate for 10.0.0.1 that signs itself.
const Pem& certificate() {
  static const Pem made = [] {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_NAME* name = X509_get_subject_name(x509);
    const std::string common = "weir test";
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.data()), -1, -1,
                               0);
    X509_set_issuer_name(x509, name);
    X509_set_pubkey(x509, key);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:10.0.0.1");
    X509_add_ext(x509, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x509, key, EVP_sha256());
    BIO* certificate_text = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(certificate_text, x509);
    BIO* key_text = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(key_text, key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(x509);
    EVP_PKEY_free(key);
    return Pem{text_of(certificate_text), text_of(key_text)};
  }();
  return made;
}

/// Passes everything through, but gives the reader at most `piece` bytes at a time and ends after `bytes_max`.
class Strait final : public Stream, platform::ReadWaiter {
 public:
  Strait(platform::Loop& loop, std::unique_ptr<Stream> below, std::size_t piece, std::size_t bytes_max)
      : loop_(loop), below_(std::move(below)), piece_(piece), left_(bytes_max) {}

  void start_read(platform::ReadWaiter& waiter) override {
    waiter_ = &waiter;
    if (left_ > 0) {
      below_->start_read(*this);
      return;
    }
    loop_.post([alive = std::weak_ptr(alive_), this] {
      if (alive.lock() != nullptr && waiter_ != nullptr) {
        std::exchange(waiter_, nullptr)->on_read(std::unexpected(Code::end_of_stream));
      }
    });
  }
  void stop_read() override { below_->stop_read(); }
  IoResult write_now(std::span<const std::string_view> slices) override { return below_->write_now(slices); }
  void start_writable(platform::WriteWaiter& waiter) override { below_->start_writable(waiter); }
  void shutdown_send() override { below_->shutdown_send(); }
  void close() override {
    waiter_ = nullptr;
    below_->close();
  }
  void abort() override { below_->abort(); }
  [[nodiscard]] std::string peer() const override { return below_->peer(); }
  std::size_t passed = 0;

 private:
  std::span<char> read_space() override {
    const std::span<char> space = waiter_->read_space();
    return space.first(std::min({space.size(), piece_, left_}));
  }
  void on_read(IoResult result) override {
    if (result) {
      left_ -= *result;
      passed += *result;
    }
    std::exchange(waiter_, nullptr)->on_read(result);
  }

  platform::Loop& loop_;
  std::unique_ptr<Stream> below_;
  std::size_t piece_;
  std::size_t left_;
  platform::ReadWaiter* waiter_ = nullptr;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

constexpr std::size_t unbounded = std::size_t{1} << 40;

class TlsStreams : public testing::Test, protected platform::AcceptHandler {
 protected:
  explicit TlsStreams(std::uint64_t seed = 1, WorldFaults faults = {}, LinkFaults link = {}) : world(seed, faults) {
    world.network().set_default_link(link);
    const auto roots = TlsRoots::from_pem(certificate().certificate);
    client = std::make_unique<TlsClient>(TlsClient::Options{.server_name = "10.0.0.1", .roots = *roots});
    const auto identity = TlsIdentity::from_pem(certificate().certificate, certificate().key);
    server = std::make_unique<TlsServer>(TlsServer::Options{.identity = *identity, .ticket_keys = make_ticket_keys()});
    listener_ = std::move(*here.listen({"10.0.0.1", 443}, *this));
  }
  void on_accept(std::unique_ptr<platform::Accepted> accepted) override { accepted_ = accepted->open_on(here); }

  /// Both ends of a plain connection.
  Task<void> connect() {
    below_client = std::move(*co_await there.dial({"10.0.0.1", 443}, {}));
    while (accepted_ == nullptr) {
      co_await platform::sleep(there, {.deadline = there.now() + 1ms});
    }
    below_server = std::move(accepted_);
  }
  Task<void> secure_client(std::unique_ptr<Stream> below) {
    client_end = co_await client->secure(there, std::move(below), {.deadline = there.now() + 10s});
  }
  Task<void> secure_server(std::unique_ptr<Stream> below) {
    server_end = co_await server->secure(here, std::move(below), {.deadline = here.now() + 10s});
  }
  void run(Task<void> task) {
    const Running running(there, std::move(task));
    EXPECT_EQ(world.run_until([&] { return running.done(); }, world.now() + 1h), SimulatedWorld::Stopped::satisfied);
  }
  /// Both handshakes, over straits.
  void handshake(std::size_t client_piece = 4096, std::size_t client_bytes = unbounded, std::size_t server_piece = 4096,
                 std::size_t server_bytes = unbounded) {
    run(connect());
    auto to_client = std::make_unique<Strait>(there, std::move(below_client), client_piece, client_bytes);
    auto to_server = std::make_unique<Strait>(here, std::move(below_server), server_piece, server_bytes);
    client_strait = to_client.get();
    server_strait = to_server.get();
    const Running server_side(here, secure_server(std::move(to_server)));
    const Running client_side(there, secure_client(std::move(to_client)));
    const auto stopped =
        world.run_until([&] { return server_side.done() && client_side.done(); }, world.now() + 1min, 2'000'000);
    EXPECT_EQ(stopped, SimulatedWorld::Stopped::satisfied) << "a handshake hangs";
  }

  SimulatedWorld world;
  SimulatedLoop& here = world.add_loop("10.0.0.1");
  SimulatedLoop& there = world.add_loop("10.0.0.2");
  std::unique_ptr<TlsClient> client;
  std::unique_ptr<TlsServer> server;
  std::unique_ptr<Stream> below_client;
  std::unique_ptr<Stream> below_server;
  Strait* client_strait = nullptr;
  Strait* server_strait = nullptr;
  std::optional<Result<std::unique_ptr<Stream>>> client_end;
  std::optional<Result<std::unique_ptr<Stream>>> server_end;

 private:
  std::unique_ptr<platform::Listener> listener_;
  std::unique_ptr<Stream> accepted_;
};

std::string pattern(std::size_t size, char from) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(from + static_cast<char>((i * 7 + i / 251) % 100));
  }
  return bytes;
}

/// Reads to the end, in bits and with pauses: a peer that is slower than its writer.
Task<void> collect(SimulatedLoop& loop, Stream& stream, std::size_t buffer, std::string& into,
                   std::optional<Code>& end) {
  platform::ByteReader reader(loop, stream, {.initial_bytes = buffer, .bytes_max = buffer});
  reader.start();
  while (true) {
    const auto arrived = co_await reader.more(0, {});
    if (!arrived) {
      end = arrived.error();
      break;
    }
    into += reader.bytes();
    reader.consume(reader.bytes().size());
    if (into.size() % 3 == 0) {
      co_await platform::sleep(loop, {.deadline = loop.now() + 1ms});
    }
  }
}

/// Writes all of it, in slices of odd sizes, and says goodbye.
Task<void> supply(SimulatedLoop& loop, Stream& stream, std::string bytes, bool& done) {
  platform::ByteWriter writer(loop, stream);
  std::size_t step = 1;
  for (std::string_view rest = bytes; !rest.empty(); step = step * 5 + 1) {
    const std::string_view piece = rest.substr(0, step);
    const std::array<std::string_view, 3> slices{piece.substr(0, piece.size() / 3), "", piece.substr(piece.size() / 3)};
    EXPECT_TRUE((co_await writer.write(slices, {})).has_value());
    rest.remove_prefix(piece.size());
  }
  stream.shutdown_send();
  done = true;
}

class RoughTlsStreams : public TlsStreams, public testing::WithParamInterface<std::uint64_t> {
 protected:
  RoughTlsStreams()
      : TlsStreams(GetParam(), WorldFaults{.reorder = true, .wake_delay = {0us, 100us}},
                   LinkFaults{.latency = {10us, 2ms},
                              .capacity = {1000, 200'000},
                              .partial_read = 0.3,
                              .partial_write = 0.3,
                              .split = 0.3,
                              .spurious_wake = 0.5,
                              .late_close = 0.5,
                              .late_close_by = {0us, 20ms}}) {}
};

INSTANTIATE_TEST_SUITE_P(Seeds, RoughTlsStreams, testing::Range<std::uint64_t>(1, 21));

TEST_P(RoughTlsStreams, carry_both_directions_whole_to_an_orderly_end_and_never_spin) {
  handshake();
  ASSERT_TRUE(client_end->has_value() && server_end->has_value());
  const std::string up = pattern(150'000, 'A');
  const std::string down = pattern(90'000, 'a');
  std::string got_up;
  std::string got_down;
  std::optional<Code> end_up;
  std::optional<Code> end_down;
  bool sent_up = false;
  bool sent_down = false;
  const std::uint64_t steps_before = world.steps();
  {
    const Running reading_up(here, collect(here, ***server_end, 700 + GetParam() * 100, got_up, end_up));
    const Running reading_down(there, collect(there, ***client_end, 64, got_down, end_down));
    const Running writing_up(there, supply(there, ***client_end, up, sent_up));
    const Running writing_down(here, supply(here, ***server_end, down, sent_down));
    world.run_until([&] { return end_up && end_down && sent_up && sent_down; }, world.now() + 1h);
    world.run_until([&] { return reading_up.done() && reading_down.done(); }, world.now() + 1h);
  }
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
  EXPECT_EQ(end_up, Code::end_of_stream);
  EXPECT_EQ(end_down, Code::end_of_stream);
  EXPECT_LT(world.steps() - steps_before, 200'000U) << "somebody is woken for nothing";
  client_end.reset();
  server_end.reset();
  EXPECT_EQ(world.network().open_streams(), 0U);
}

TEST_F(TlsStreams, work_when_every_read_below_brings_one_byte) {
  handshake(1, unbounded, 1, unbounded);
  ASSERT_TRUE(client_end->has_value() && server_end->has_value());
  std::string got;
  std::optional<Code> end;
  bool sent = false;
  const Running reading(here, collect(here, ***server_end, 4096, got, end));
  const Running writing(there, supply(there, ***client_end, pattern(5000, 'x'), sent));
  world.run_until([&] { return reading.done() && writing.done(); }, world.now() + 1h);
  EXPECT_EQ(got, pattern(5000, 'x'));
  EXPECT_EQ(end, Code::end_of_stream);
}

class CutHandshake : public testing::Test {
 protected:
  struct Probe final : TlsStreams {
    void TestBody() override {}
    using TlsStreams::client_end;
    using TlsStreams::client_strait;
    using TlsStreams::handshake;
    using TlsStreams::server_end;
    using TlsStreams::server_strait;
    using TlsStreams::world;
  };
};

TEST_F(CutHandshake, that_ends_at_any_byte_is_an_error_for_the_client_and_never_a_hang) {
  std::size_t whole = 0;
  {
    Probe probe;
    probe.handshake();
    ASSERT_TRUE(probe.client_end->has_value());
    whole = probe.client_strait->passed;
  }
  ASSERT_GT(whole, 500U);
  for (std::size_t cut = 0; cut + 20 < whole; ++cut) {  // signatures differ in length by a few bytes
    Probe probe;
    probe.handshake(4096, cut);
    ASSERT_FALSE(probe.client_end->has_value()) << cut;
    ASSERT_EQ(probe.client_end->error().code, Code::end_of_stream) << cut;
    ASSERT_TRUE(probe.client_end->error().message.contains("during the TLS handshake")) << cut;
  }
}

TEST_F(CutHandshake, that_ends_at_any_byte_is_an_error_for_the_server_and_never_a_hang) {
  std::size_t whole = 0;
  {
    Probe probe;
    probe.handshake();
    ASSERT_TRUE(probe.server_end->has_value());
    whole = probe.server_strait->passed;
  }
  for (std::size_t cut = 0; cut < whole; ++cut) {
    Probe probe;
    probe.handshake(4096, unbounded, 4096, cut);
    ASSERT_FALSE(probe.server_end->has_value()) << cut;
    ASSERT_EQ(probe.server_end->error().code, Code::end_of_stream) << cut;
  }
}

TEST_F(TlsStreams, tell_a_cut_from_an_end) {
  for (const bool orderly : {true, false}) {
    handshake();
    ASSERT_TRUE(client_end->has_value() && server_end->has_value());
    std::string got;
    std::optional<Code> end;
    const Running reading(there, collect(there, ***client_end, 4096, got, end));
    const std::string_view words = "the last words";
    EXPECT_EQ((**server_end)->write_now({&words, 1}), words.size());
    if (orderly) {
      (**server_end)->close();
    } else {
      server_strait->shutdown_send();  // FIN below TLS, as anybody on the way could send it
    }
    world.run_until([&] { return reading.done(); }, world.now() + 1h);
    EXPECT_EQ(got, words);
    EXPECT_EQ(end, orderly ? Code::end_of_stream : Code::reset);
  }
}

TEST_F(TlsStreams, refuse_bytes_that_were_changed_on_the_way) {
  handshake();
  ASSERT_TRUE(client_end->has_value() && server_end->has_value());
  std::string got;
  std::optional<Code> end;
  const Running reading(there, collect(there, ***client_end, 4096, got, end));
  const std::string forged = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'f');  // a record of 32 bytes
  const std::string_view slice = forged;
  EXPECT_TRUE(server_strait->write_now({&slice, 1}).has_value());
  world.run_until([&] { return reading.done(); }, world.now() + 1h);
  EXPECT_EQ(got, "");
  EXPECT_EQ(end, Code::reset);
}

TEST_F(TlsStreams, come_back_with_their_session) {
  for (const bool resumed : {false, true, true}) {
    handshake();
    ASSERT_TRUE(client_end->has_value() && server_end->has_value());
    EXPECT_EQ(client->statistics().resumed > 0, resumed);
    std::string got;
    std::optional<Code> end;
    {
      // The tickets come with what is read first.
      const Running reading(there, collect(there, ***client_end, 4096, got, end));
      (**server_end)->close();
      world.run_until([&] { return reading.done(); }, world.now() + 1h);
    }
  }
  EXPECT_EQ(client->statistics().handshakes, 3U);
  EXPECT_EQ(client->statistics().resumed, 2U);
  EXPECT_EQ(server->statistics().resumed, 2U);
}

TEST_F(TlsStreams, are_not_made_with_somebody_else) {
  const auto roots = TlsRoots::from_pem(certificate().certificate);
  client = std::make_unique<TlsClient>(TlsClient::Options{.server_name = "10.0.0.9", .roots = *roots});
  handshake();
  ASSERT_FALSE(client_end->has_value());
  EXPECT_EQ(client_end->error().message, "TLS: its certificate is not for 10.0.0.9 but for 10.0.0.1");
  EXPECT_EQ(client->statistics().failed, 1U);
}

}  // namespace
}  // namespace weir::net

#include "http/connector.hpp"

#include <fmt/format.h>

#include <array>

#include "http/head_parser.hpp"
#include "http/head_writer.hpp"
#include "platform/byte_writer.hpp"
#include "platform/signal.hpp"

namespace weir::http {

namespace {

constexpr std::size_t answer_bytes_max = std::size_t{16} * 1024;

/// Reads the head of a proxy's answer, and not one byte more than came with it: no read is left pending.
class AnswerReader final : platform::ReadWaiter {
 public:
  AnswerReader(platform::Loop& loop, platform::Stream& stream) : stream_(stream), arrived_(loop) {}
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;
  ~AnswerReader() = default;  // the stream is closed before, unless no read is pending

  /// More bytes behind those that text() shows.
  Task<std::expected<void, Code>> more(platform::Until until) {
    result_.reset();
    arrived_.clear();
    stream_.start_read(*this);
    const platform::Wake wake = co_await arrived_.wait(until);
    if (wake != platform::Wake::notified) {
      stream_.close();
      co_return std::unexpected(platform::code_of(wake));
    }
    if (!*result_) {
      co_return std::unexpected(result_->error());
    }
    text_.append(part_.data(), **result_);
    co_return std::expected<void, Code>();
  }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::span<char> read_space() override { return part_; }
  void on_read(platform::IoResult result) override {
    result_ = result;
    arrived_.notify();
  }

  platform::Stream& stream_;
  platform::Signal arrived_;
  std::array<char, 2048> part_;
  std::string text_;
  std::optional<platform::IoResult> result_;
};

std::string request_for_tunnel(const platform::Peer& to, const Secret& credentials) {
  std::string head;
  HeadWriter writer(head);
  const std::string address = to_string(to);
  static_cast<void>(writer.request_line("CONNECT", address));
  writer.field("Host", address);
  if (!credentials.empty()) {
    writer.field("Proxy-Authorization", basic_authorization(credentials));
  }
  writer.end();
  return head;
}

Error refusal(const ResponseHead& head, const std::string& proxy) {
  if (head.status == 407) {
    return {Code::unreachable, fmt::format("the proxy {} wants other credentials (407); they stand in its address: "
                                           "http://user:password@host:port",
                                           proxy)};
  }
  return {Code::unreachable, fmt::format("the proxy {} refused the tunnel: {} {}", proxy, head.status,
                                         reason_phrase(static_cast<unsigned>(head.status)))};
}

}  // namespace

std::string basic_authorization(const Secret& credentials) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string& text = credentials.reveal();
  std::string value = "Basic ";
  for (std::size_t at = 0; at < text.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8U | (at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      value += at + i > text.size() ? '=' : alphabet[bits >> (18U - 6U * i) & 63U];
    }
  }
  return value;
}

Connector::Connector(platform::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      tls_(options_.tls ? std::make_unique<net::TlsClient>(*options_.tls) : nullptr) {}

net::TlsStatistics Connector::tls_statistics() const {
  return tls_ == nullptr ? net::TlsStatistics() : tls_->statistics();
}

Task<Result<std::unique_ptr<platform::Stream>>> Connector::connect(platform::Until until) {
  return options_.proxy || tls_ != nullptr ? connect_in_layers(until) : dial(options_.peer, until);
}

Task<Result<std::unique_ptr<platform::Stream>>> Connector::connect_in_layers(platform::Until until) {
  auto stream = options_.proxy ? co_await tunnel(until) : co_await dial(options_.peer, until);
  if (stream && tls_ != nullptr) {
    stream = co_await tls_->secure(loop_, std::move(*stream), until);
  }
  co_return stream;
}

Task<Result<std::unique_ptr<platform::Stream>>> Connector::tunnel(platform::Until until) {
  const std::string proxy = to_string(options_.proxy->peer);
  auto stream = co_await dial(options_.proxy->peer, until);
  if (!stream) {
    co_return fail(stream.error().code, fmt::format("the proxy {}: {}", proxy, stream.error().message));
  }
  const std::string request = request_for_tunnel(options_.peer, options_.proxy->credentials);
  const std::string_view slice = request;
  platform::ByteWriter writer(loop_, **stream);
  AnswerReader reader(loop_, **stream);
  if (const auto sent = co_await writer.write({&slice, 1}, until); !sent) {
    co_return fail(sent.error(), fmt::format("the proxy {} did not take the request for a tunnel", proxy));
  }
  ParseState state;
  ResponseHead head;
  while (true) {
    const ParseOutcome outcome = reader.text().empty()
                                     ? ParseOutcome{}
                                     : parse_response_head(reader.text(), state, head, Method::other,
                                                           HeadLimits{.head_bytes_max = answer_bytes_max});
    if (outcome.kind == ParseOutcome::Kind::error) {
      co_return fail(Code::unreachable,
                     fmt::format("the proxy {} does not answer in HTTP: {}", proxy, outcome.reason()));
    }
    if (outcome.kind == ParseOutcome::Kind::done) {
      if (head.status < 200 || head.status > 299) {
        co_return std::unexpected(refusal(head, proxy));
      }
      if (outcome.consumed != reader.text().size()) {
        // A TLS server waits for our first word: whatever this is, it does not come from there.
        co_return fail(Code::unreachable,
                       fmt::format("the proxy {} sent bytes before the tunnel's other end could", proxy));
      }
      co_return stream;
    }
    if (const auto arrived = co_await reader.more(until); !arrived) {
      co_return fail(arrived.error(), arrived.error() == Code::timeout
                                          ? fmt::format("the proxy {} did not answer in time", proxy)
                                          : fmt::format("the proxy {} closed the connection", proxy));
    }
  }
}

}  // namespace weir::http

#include "providers/decoded_reply.hpp"

#include <fmt/format.h>

#include "http/content_decoder.hpp"
#include "platform/signal.hpp"

namespace weir::providers {

namespace {

constexpr std::size_t room_bytes = std::size_t{16} << 10;
constexpr std::size_t bytes_in_a_row = std::size_t{256} << 10;  // then others of this core get their turn

class DecodedReply final : public UpstreamReply {
 public:
  DecodedReply(platform::Loop& loop, std::unique_ptr<UpstreamReply> encoded, std::optional<http::ContentCoding> coding)
      : loop_(loop), encoded_(std::move(encoded)) {
    for (const http::Header& header : encoded_->headers()) {
      // Nor the length: it is that of the encoded body.
      if (header.known == http::KnownHeader::content_encoding) {
        coding_name_ = header.value.substr(0, 100);
      } else if (header.known != http::KnownHeader::content_length) {
        headers_.add(header.name, header.value);
      }
    }
    if (coding) {
      decoder_.emplace(*coding);
      room_.resize(room_bytes);
    }
  }

  [[nodiscard]] int status() const override { return encoded_->status(); }
  [[nodiscard]] const http::Headers& headers() const override { return headers_; }
  [[nodiscard]] bool ended() const override { return all_given_ && encoded_->ended(); }
  [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override { return std::nullopt; }
  void finish() override { encoded_->finish(); }
  void distrust() override { encoded_->distrust(); }

  Task<Result<std::string_view>> read(platform::Until until) override {
    if (!decoder_) {
      co_return fail(Code::upstream_malformed,
                     fmt::format("its answer has the content encoding \"{}\", which was not asked for", coding_name_));
    }
    while (true) {
      if (all_given_) {
        if (encoded_->ended()) {
          co_return check_end();
        }
        const auto bytes = co_await encoded_->read(until);
        if (!bytes) {
          co_return bytes;
        }
        if (bytes->empty()) {
          co_return check_end();
        }
        left_ = *bytes;
        in_a_row_ = 0;
      } else if (in_a_row_ >= bytes_in_a_row) {
        // Little that decodes to much: nothing here waits for the network, so it has to stop by itself.
        in_a_row_ = 0;
        if (co_await platform::sleep(loop_, {loop_.now(), until.cancellation}) == platform::Wake::cancelled) {
          co_return fail(Code::cancelled, "cancelled");
        }
        if (loop_.now() >= until.deadline) {
          co_return fail(Code::timeout, "no further part of the answer came in time");
        }
      }
      const auto step = decoder_->next(left_, room_);
      left_.remove_prefix(step.consumed);
      in_a_row_ += step.produced;
      all_given_ = step.kind == http::ContentDecoder::Kind::need_more;
      if (step.produced != 0) {
        co_return std::string_view(room_.data(), step.produced);
      }
      if (step.kind == http::ContentDecoder::Kind::error) {
        co_return fail(Code::upstream_malformed,
                       fmt::format("its answer cannot be decoded ({}): {}", coding_name_, decoder_->reason()));
      }
    }
  }

 private:
  [[nodiscard]] Result<std::string_view> check_end() const {
    if (!decoder_->complete()) {
      return fail(Code::end_of_stream, "the answer ended before its end");
    }
    return std::string_view();
  }

  platform::Loop& loop_;
  std::unique_ptr<UpstreamReply> encoded_;
  http::Headers headers_;
  std::string_view coding_name_;
  std::optional<http::ContentDecoder> decoder_;
  std::vector<char> room_;
  std::string_view left_;  // of what was read last
  bool all_given_ = true;  // of it
  std::size_t in_a_row_ = 0;
};

}  // namespace

std::unique_ptr<UpstreamReply> decoded(platform::Loop& loop, std::unique_ptr<UpstreamReply> reply) {
  const http::Headers& headers = reply->headers();
  const std::string_view field = headers.value(http::KnownHeader::content_encoding);
  const bool several = headers.repeated(http::KnownHeader::content_encoding);
  const auto coding = several ? std::nullopt : http::parse_content_encoding(field);
  if (coding == http::ContentCoding::identity) {
    return reply;
  }
  return std::make_unique<DecodedReply>(loop, std::move(reply), coding);
}

}  // namespace weir::providers

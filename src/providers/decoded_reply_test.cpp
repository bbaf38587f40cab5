// Replies that come encoded although identity was asked for.
#include "providers/decoded_reply.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "http/test_codings.hpp"
#include "platform/sim/running.hpp"
#include "platform/sim/simulated_world.hpp"

namespace weir::providers {
namespace {

using namespace std::chrono_literals;

class PiecesReply final : public UpstreamReply {
 public:
  PiecesReply(std::vector<std::pair<std::string, std::string>> headers, std::deque<std::string> pieces)
      : header_texts_(std::move(headers)), pieces_(std::move(pieces)) {
    for (const auto& [name, value] : header_texts_) {
      headers_.add(name, value);
    }
  }
  [[nodiscard]] int status() const override { return 429; }
  [[nodiscard]] const http::Headers& headers() const override { return headers_; }
  [[nodiscard]] bool ended() const override { return pieces_.empty(); }
  [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override { return 17; }
  void finish() override {}
  Task<Result<std::string_view>> read(platform::Until) override {
    if (pieces_.empty()) {
      co_return std::string_view();
    }
    now_ = std::move(pieces_.front());
    pieces_.pop_front();
    co_return std::string_view(now_);
  }

 private:
  std::vector<std::pair<std::string, std::string>> header_texts_;
  http::Headers headers_;
  std::deque<std::string> pieces_;
  std::string now_;
};

class DecodedReplyTest : public testing::Test {
 protected:
  std::unique_ptr<UpstreamReply> reply(std::string coding, std::deque<std::string> pieces) {
    return decoded(loop_, std::make_unique<PiecesReply>(
                              std::vector<std::pair<std::string, std::string>>{{"Content-Type", "application/json"},
                                                                               {"Content-Length", "17"},
                                                                               {"Content-Encoding", std::move(coding)},
                                                                               {"Retry-After", "3"}},
                              std::move(pieces)));
  }
  Task<void> read_all(UpstreamReply& reply, platform::Until until) {
    while (true) {
      const auto bytes = co_await reply.read(until);
      if (!bytes) {
        error_ = bytes.error();
        co_return;
      }
      if (bytes->empty()) {
        co_return;
      }
      ++reads_;
      text_ += *bytes;
      ended_at_last_ = reply.ended();
    }
  }
  /// Whether anything else of this loop gets its turn while a reply is being read.
  Task<void> watch(bool& turn) {
    for (int i = 0; i < 1000 && !turn; ++i) {
      co_await platform::sleep(loop_, {.deadline = loop_.now()});
      turn = !text_.empty() && text_.size() < 8'000'000;
    }
  }
  void run(UpstreamReply& reply, platform::Until until = {}) {
    const platform::Running running(loop_, read_all(reply, until));
    world_.run_until([&] { return running.done(); }, world_.now() + 1h);
    EXPECT_TRUE(running.done());
  }

  platform::SimulatedWorld world_{1};
  platform::SimulatedLoop& loop_ = world_.add_loop("10.0.0.1");
  std::string text_;
  int reads_ = 0;
  bool ended_at_last_ = false;
  std::optional<Error> error_;
};

TEST_F(DecodedReplyTest, gives_the_plain_bytes_and_headers_that_fit_them) {
  std::string text(100'000, 'a');
  text += "end";
  const std::string bytes = http::gzip(text);
  auto encoded = reply("gzip", {bytes.substr(0, 20), bytes.substr(20)});
  EXPECT_EQ(encoded->status(), 429);
  EXPECT_EQ(encoded->headers().find("content-encoding"), nullptr);
  EXPECT_EQ(encoded->headers().find("content-length"), nullptr);
  EXPECT_EQ(encoded->headers().value("retry-after"), "3");
  EXPECT_EQ(encoded->body_bytes(), std::nullopt);
  EXPECT_FALSE(encoded->ended());
  run(*encoded);
  EXPECT_EQ(text_, text);
  EXPECT_FALSE(error_);
  EXPECT_TRUE(encoded->ended());
}

TEST_F(DecodedReplyTest, a_reply_without_coding_stays_what_it_is) {
  auto plain = reply("identity", {"abc"});
  EXPECT_NE(dynamic_cast<PiecesReply*>(plain.get()), nullptr);
}

TEST_F(DecodedReplyTest, a_body_that_ends_too_early_is_no_whole_one) {
  const std::string bytes = http::gzip("{\"a\":1}");
  auto cut = reply("gzip", {bytes.substr(0, bytes.size() - 3)});
  run(*cut);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, Code::end_of_stream);
}

TEST_F(DecodedReplyTest, what_is_not_its_coding_or_of_an_unknown_one_is_malformed_and_keeps_its_status) {
  for (const std::string coding : {"gzip", "compress", "gzip, br"}) {
    error_.reset();
    auto wrong = reply(coding, {"plain text"});
    EXPECT_EQ(wrong->status(), 429);
    EXPECT_EQ(wrong->headers().value("retry-after"), "3");
    run(*wrong);
    ASSERT_TRUE(error_) << coding;
    EXPECT_EQ(error_->code, Code::upstream_malformed);
  }
}

TEST_F(DecodedReplyTest, a_bomb_ends_with_the_time_of_its_reader_and_lets_others_work_meanwhile) {
  const std::string bomb = http::gzip(std::string(8'000'000, '\0'));
  auto encoded = reply("gzip", {bomb});
  bool worked_meanwhile = false;
  const platform::Running watching(loop_, watch(worked_meanwhile));
  run(*encoded);
  EXPECT_EQ(text_.size(), 8'000'000U);
  EXPECT_TRUE(worked_meanwhile);
  EXPECT_GT(reads_, 400) << "each read gives a bounded piece";

  text_.clear();
  auto again = reply("gzip", {bomb});
  run(*again, {.deadline = loop_.now()});
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, Code::timeout);
  EXPECT_LT(text_.size(), 1'000'000U);
}

}  // namespace
}  // namespace weir::providers

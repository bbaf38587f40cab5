#include "providers/mock_provider.hpp"

#include "dialects/openai/errors.hpp"
#include "platform/signal.hpp"
#include "providers/mock_script.hpp"

namespace weir::providers {

namespace {

class MockReply final : public UpstreamReply {
 public:
  MockReply(platform::Loop& loop, MockScript script) : loop_(loop), script_(std::move(script)), last_(loop.now()) {
    headers_.add("content-type", script_.content_type);
    for (const auto& [name, value] : script_.headers) {
      headers_.add(name, value);
    }
  }

  [[nodiscard]] int status() const override { return script_.status; }
  [[nodiscard]] const http::Headers& headers() const override { return headers_; }
  [[nodiscard]] bool ended() const override { return next_ == script_.steps.size(); }
  [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override { return std::nullopt; }
  void finish() override {}

  Task<Result<std::string_view>> read(platform::Until until) override {
    if (ended()) {
      co_return std::string_view();
    }
    const MockStep& step = script_.steps[next_];
    if (step.kind == MockStep::Kind::cut) {
      co_return fail(Code::end_of_stream, "the answer ended before its end");
    }
    const platform::Instant due = step.kind == MockStep::Kind::stall ? platform::never : last_ + step.delay;
    if (due > loop_.now()) {
      const platform::Wake wake = co_await platform::sleep(loop_, until.at_most(due));
      if (wake == platform::Wake::cancelled) {
        co_return fail(Code::cancelled, "cancelled");
      }
      if (loop_.now() < due) {
        co_return fail(Code::timeout, "no further part of the answer came in time");
      }
    }
    last_ = loop_.now();
    ++next_;
    co_return std::string_view(step.bytes);
  }

 private:
  platform::Loop& loop_;
  MockScript script_;
  http::Headers headers_;
  std::size_t next_ = 0;
  platform::Instant last_;
};

}  // namespace

Task<Result<std::unique_ptr<UpstreamReply>>> MockProvider::send(const UpstreamRequest& request, UpstreamFacts& facts,
                                                                platform::Until) {
  facts.connected = loop_.now();
  if (request.method == "GET") {
    co_return std::make_unique<MockReply>(loop_, make_script(request.path, {}, {}, options_, false));
  }
  if (request.on_connected) {
    request.on_connected(*facts.connected);
  }
  std::string body;
  for (const std::string_view slice : request.body) {
    body += slice;
  }
  auto options = with_overrides(options_, request.model);
  if (options && !request.mock.empty()) {
    options = with_overrides(std::move(*options), request.mock);
  }
  if (!options) {
    MockScript refusal{.status = 400, .headers = {}, .steps = {}};
    refusal.steps.push_back({.delay = {}, .bytes = openai::error_body(options.error())});
    co_return std::make_unique<MockReply>(loop_, std::move(refusal));
  }
  ++calls_;
  const MockFault& fault = options->fault;
  const bool fails =
      fault.kind != MockFaultKind::none &&
      (fault.every > 0 ? calls_ % static_cast<std::uint64_t>(fault.every) == 0 : loop_.random().unit() < fault.rate);
  if (fails && fault.kind == MockFaultKind::reset) {
    co_return fail(Code::reset, "the connection was reset before an answer");
  }
  co_return std::make_unique<MockReply>(loop_, make_script(request.path, body, request.model, *options, fails));
}

}  // namespace weir::providers

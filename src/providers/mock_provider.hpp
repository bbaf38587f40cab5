#pragma once

#include "providers/mock_options.hpp"
#include "providers/provider.hpp"

namespace weir::providers {

/// Answers in process, as a provider of OpenAI's dialect would: for trying weir out, for demos, and for tests of
/// failures.
class MockProvider final : public Provider {
 public:
  MockProvider(platform::Loop& loop, MockOptions options) : loop_(loop), options_(std::move(options)) {}

  Task<Result<std::unique_ptr<UpstreamReply>>> send(const UpstreamRequest& request, UpstreamFacts& facts,
                                                    platform::Until until) override;
  void conceal(std::string&) const override {}
  void collect(observe::MetricShard&) const override {}
  Task<void> close() override { co_return; }

 private:
  platform::Loop& loop_;
  MockOptions options_;
  std::uint64_t calls_ = 0;
};

}  // namespace weir::providers

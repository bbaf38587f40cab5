#include <fmt/format.h>

#include <algorithm>

#include "load/load.hpp"

namespace weir::load {
namespace {

constexpr std::array<std::string_view, fault_count> fault_names = {
    "connect", "closed", "reset", "status", "framing", "body", "error_event", "timeout", "not_sent"};

double microseconds(std::chrono::nanoseconds value) {
  return static_cast<double>(value.count()) / 1000;
}

// What stands where a delayed acknowledgement (40 ms on Linux) would put it, beyond what stands on either side: a
// queue's long tail passes through 40 ms too, but smoothly.
std::uint64_t steps_near_40ms(const Histogram& histogram) {
  using namespace std::chrono_literals;
  auto here = histogram.count_between(38ms, 48ms);
  auto beside = std::max(histogram.count_between(28ms, 38ms), histogram.count_between(48ms, 58ms));
  return here > beside ? here - beside : 0;
}

std::string json_of(const Histogram& histogram) {
  return fmt::format(
      R"({{"count":{},"min":{:.1f},"mean":{:.1f},"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f},"steps_40ms":{}}})",
      histogram.count(), microseconds(histogram.min()), microseconds(histogram.mean()),
      microseconds(histogram.quantile(0.5)), microseconds(histogram.quantile(0.9)),
      microseconds(histogram.quantile(0.99)), microseconds(histogram.quantile(0.999)), microseconds(histogram.max()),
      steps_near_40ms(histogram));
}

}  // namespace

std::string_view name_of(Fault fault) {
  return fault_names[static_cast<std::size_t>(fault)];
}

std::uint64_t Report::errors() const {
  std::uint64_t sum = 0;
  for (auto number : faults) {
    sum += number;
  }
  return sum;
}

std::string Report::json(const Options& options) const {
  auto seconds = static_cast<double>(duration.count()) / 1e9;
  std::string by_kind;
  for (std::size_t i = 0; i < fault_count; ++i) {
    by_kind += fmt::format(R"({}"{}":{})", i == 0 ? "" : ",", fault_names[i], faults[i]);
  }
  auto text = fmt::format(
      R"({{"loop":"{}","stream":{},"connections":{},"rate":{:.1f},"requests":{},"complete":{},"errors":{},"errors_by_kind":{{{}}},)"
      R"("reconnects":{},"duration_s":{:.6f},"requests_per_s":{:.1f},"body_bytes":{},"latency_us":{})",
      options.rate > 0 ? "open" : "closed", options.stream, options.connections, options.rate, complete + errors(),
      complete, errors(), by_kind, reconnects, seconds, seconds > 0 ? static_cast<double>(complete) / seconds : 0,
      body_bytes, json_of(latency));
  if (options.rate > 0) {
    text += fmt::format(R"(,"late_us":{})", json_of(late));
  }
  if (options.stream) {
    text += fmt::format(R"(,"events":{},"shared_reads":{},"first_event_us":{},"event_gap_us":{},"event_transit_us":{})",
                        events, shared_reads, json_of(first_event), json_of(gap), json_of(transit));
  }
  return text + "}";
}

}  // namespace weir::load

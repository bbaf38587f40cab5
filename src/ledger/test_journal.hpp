#pragma once

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "ledger/journal.hpp"
#include "platform/sim/simulated_files.hpp"

namespace weir::ledger {

/// Of all frames of a segment's bytes, in order.
inline std::vector<std::string> payloads(std::string_view bytes, std::uint64_t number) {
  JournalReader reader(bytes, number);
  std::vector<std::string> found;
  while (const auto frame = reader.next()) {
    found.emplace_back(frame->payload);
  }
  return found;
}

/// Everything in the files of the first core, in order, as a recovery would read it. Whatever became of the process,
/// that takes nothing in them for damage.
inline std::vector<std::string> on_disk(platform::SimulatedFiles& files, const std::string& directory) {
  std::vector<std::string> found;
  for (const std::string& name : *files.list(directory)) {
    if (const auto number = segment_number(name)) {
      const auto content = files.read(directory + "/" + name);
      for (std::string& payload : payloads(*content, *number)) {
        found.push_back(std::move(payload));
      }
      JournalReader reader(*content, *number);
      while (reader.next()) {
      }
      EXPECT_FALSE(reader.skip_damage()) << name;
    }
  }
  return found;
}

/// A journal of one core on a simulated disk; `expected` is what was appended.
struct JournalBench {
  explicit JournalBench(std::size_t segment_bytes = 1000, std::size_t overflow_bytes_max = 1000, std::uint64_t seed = 1)
      : files(seed) {
    EXPECT_TRUE(files.make_directory("data"));
    auto opened = Journal::open(files, {.directory = "data/journal",
                                        .name = "one",
                                        .cores = 1,
                                        .segment_bytes = segment_bytes,
                                        .overflow_bytes_max = overflow_bytes_max});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    journal = std::move(*opened);
  }
  void append(int from, int to) {
    for (int i = from; i < to; ++i) {
      journal->core(0).append(FrameKind::closed, fmt::format("record {}", i));
      expected.push_back(fmt::format("record {}", i));
    }
  }
  platform::SimulatedFiles files;
  std::unique_ptr<Journal> journal;
  std::vector<std::string> expected;
};

}  // namespace weir::ledger

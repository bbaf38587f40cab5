#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "providers/mock_script.hpp"

namespace weir::providers {

/// Builds one answer of the mock: what all kinds of answers have in common, pace and faults above all.
class MockWriter {
 public:
  /// `id`: what the answer's id begins with. `options` outlives the writer.
  MockWriter(std::string_view id, std::string_view body, std::string_view model, const MockOptions& options,
             bool fails);
  virtual ~MockWriter() = default;
  MockWriter(const MockWriter&) = delete;
  MockWriter& operator=(const MockWriter&) = delete;

  MockScript write();

 protected:
  virtual void write_answer() = 0;

  void add(std::string bytes, platform::Duration delay);
  void end_with(MockStep::Kind kind);
  [[nodiscard]] platform::Duration time_of(std::size_t tokens) const;
  /// The whole body, or the way in which it fails.
  void add_whole(std::string body, std::size_t tokens);
  /// True where the stream has gone wrong as it was told to, and ends: `events` with content were sent.
  bool fault_after(int events);
  void add_done();

  // NOLINTBEGIN(*-non-private-member-variables-in-classes): a base for three writers that stand next to it
  const MockOptions& options_;
  MockFaultKind fault_;
  std::string id_;
  std::string model_;  // as JSON
  MockScript script_;
  // NOLINTEND(*-non-private-member-variables-in-classes)
};

std::size_t count_words(std::string_view text);
/// Words with the blanks before them: what a stream sends one after the other.
std::vector<std::string> tokens_of(std::string_view text);
/// `text` as a JSON string.
std::string json(std::string_view text);
std::string completion_usage(std::size_t prompt_tokens, std::size_t completion_tokens);

/// The answer to a legacy completion: one choice for each prompt and each of `n`, one after the other.
MockScript make_completion(std::string_view body, std::string_view model, const MockOptions& options, bool fails);
/// The answer to an embeddings request. A vector depends on its text alone: texts that share words are near each other.
MockScript make_embeddings(std::string_view body, std::string_view model, const MockOptions& options, bool fails);

}  // namespace weir::providers

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tokens/encoding.hpp"
#include "tokens/vocabularies.hpp"

namespace weir::tokens {

/// Where the prompt stands in a request.
enum class PromptIn : std::uint8_t { messages, prompt, input };

/// What one call has to be counted of: its request and what was answered, copied.
struct CountJob {
  Encoding encoding = Encoding::o200k_base;
  PromptIn prompt_in = PromptIn::messages;
  std::string request;             // a whole JSON object, validated before
  std::string reply;               // likewise, of an answer that was not streamed; empty: none
  std::vector<std::string> texts;  // of a streamed answer

  [[nodiscard]] std::size_t bytes() const;
};

struct Count {
  std::int64_t input = 0;
  std::int64_t output = 0;
  bool exact = true;  // false: something is in it whose weight providers do not publish
  friend bool operator==(const Count&, const Count&) = default;
};

/// Takes time that grows with the job's bytes alone, some 10 MB a second: not for request threads. `abandoned`: nobody
/// waits for it any more; it then ends soon, with a result that means nothing.
Result<Count> count(Vocabularies& vocabularies, const CountJob& job, const std::atomic<bool>& abandoned);

/// Who counts beside the request threads.
class Counting {
 public:
  virtual ~Counting() = default;
  /// Nothing: it could not be counted. Called on any thread; must not block.
  using Done = std::move_only_function<void(std::optional<Count>)>;
  /// Who asked sets it true when he no longer waits: the job is then left as it is.
  using Abandoned = std::shared_ptr<std::atomic<bool>>;
  /// False where too much waits; `done` is then not called. From any thread; does not block.
  virtual bool submit(CountJob job, Abandoned abandoned, Done done) = 0;
};

}  // namespace weir::tokens

#include "tokens/count.hpp"

#include "tokens/chat.hpp"
#include "tokens/tokenizer.hpp"

namespace weir::tokens {

std::size_t CountJob::bytes() const {
  std::size_t bytes = request.size() + reply.size();
  for (const std::string& text : texts) {
    bytes += text.size();
  }
  return bytes;
}

Result<Count> count(Vocabularies& vocabularies, const CountJob& job, const std::atomic<bool>& abandoned) {
  const auto vocabulary = vocabularies.get(job.encoding);
  if (!vocabulary) {
    return std::unexpected(vocabulary.error());
  }
  Tokenizer tokenizer(job.encoding, **vocabulary, {.abandoned = &abandoned});
  const PromptCount prompt = job.prompt_in == PromptIn::messages ? count_chat(tokenizer, job.request)
                             : job.prompt_in == PromptIn::prompt ? count_prompt(tokenizer, job.request, "prompt")
                                                                 : count_prompt(tokenizer, job.request, "input");
  Count sum{.input = prompt.tokens, .output = 0, .exact = prompt.exact};
  if (!job.reply.empty()) {
    const PromptCount reply = count_reply(tokenizer, job.reply);
    sum.output = reply.tokens;
    sum.exact = sum.exact && reply.exact;
  }
  for (const std::string& text : job.texts) {
    sum.output += static_cast<std::int64_t>(tokenizer.count(text));
  }
  return sum;
}

}  // namespace weir::tokens

#include "providers/presets.hpp"

#include <algorithm>
#include <array>

namespace weir::providers {

namespace {

using openai::Prefill;

// Addresses and names of variables as each provider's own documentation and SDK have them; looked at in August 2026
// where no other date stands. docs/providers.md tells the rest of what differs.
constexpr std::array presets{
    Preset{.word = "openai", .dialect = "openai", .base_url = "https://api.openai.com/v1", .key = "OPENAI_API_KEY"},
    Preset{.word = "anthropic",
           .dialect = "anthropic",
           .base_url = "https://api.anthropic.com",
           .key = "ANTHROPIC_API_KEY",
           .built = false},
    Preset{.word = "gemini",
           .dialect = "gemini",
           .base_url = "https://generativelanguage.googleapis.com",
           .key = "GEMINI_API_KEY",
           .built = false},
    Preset{.word = "azure", .dialect = "azure", .base_url = "", .key = "AZURE_OPENAI_API_KEY", .built = false},
    // Ollama speaks OpenAI's format below /v1, which is how this version reaches it.
    Preset{.word = "ollama", .dialect = "openai", .base_url = "http://127.0.0.1:11434", .key = "", .needs_key = false},
    Preset{.word = "mock", .dialect = "mock", .base_url = "", .key = "", .needs_key = false},
    // groq.com/docs/openai: usage stands in x_groq too, on the last chunk, whether asked for or not.
    Preset{.word = "groq", .dialect = "openai", .base_url = "https://api.groq.com/openai/v1", .key = "GROQ_API_KEY"},
    // docs.mistral.ai/api: usage comes on the last chunk; a field that the API does not know, stream_options among
    // them, is answered with 422. An answer to a last message with `prefix` begins with that message's text.
    Preset{.word = "mistral",
           .dialect = "openai",
           .base_url = "https://api.mistral.ai/v1",
           .key = "MISTRAL_API_KEY",
           .quirks = {.stream_usage = StreamUsage::unasked, .prefill = Prefill::prefix_echoed}},
    // api-docs.deepseek.com: comments and empty lines while a call waits for its turn, up to ten minutes. `prefix` is
    // known below /beta alone.
    Preset{.word = "deepseek",
           .dialect = "openai",
           .base_url = "https://api.deepseek.com/v1",
           .key = "DEEPSEEK_API_KEY",
           .quirks = {.prefill = Prefill::prefix}},
    // openrouter.ai/docs: usage comes always, and asking for it does no harm.
    Preset{.word = "openrouter",
           .dialect = "openai",
           .base_url = "https://openrouter.ai/api/v1",
           .key = "OPENROUTER_API_KEY"},
    Preset{
        .word = "together", .dialect = "openai", .base_url = "https://api.together.xyz/v1", .key = "TOGETHER_API_KEY"},
    Preset{.word = "fireworks",
           .dialect = "openai",
           .base_url = "https://api.fireworks.ai/inference/v1",
           .key = "FIREWORKS_API_KEY"},
    Preset{.word = "xai", .dialect = "openai", .base_url = "https://api.x.ai/v1", .key = "XAI_API_KEY"},
    Preset{
        .word = "cerebras", .dialect = "openai", .base_url = "https://api.cerebras.ai/v1", .key = "CEREBRAS_API_KEY"},
    Preset{.word = "perplexity",
           .dialect = "openai",
           .base_url = "https://api.perplexity.ai",
           .key = "PERPLEXITY_API_KEY"},
    Preset{.word = "nvidia",
           .dialect = "openai",
           .base_url = "https://integrate.api.nvidia.com/v1",
           .key = "NVIDIA_API_KEY"},
    Preset{.word = "cohere",
           .dialect = "openai",
           .base_url = "https://api.cohere.ai/compatibility/v1",
           .key = "COHERE_API_KEY"},
    // A vllm server listens on 8000 like weir itself, so its address must be named.
    Preset{.word = "vllm",
           .dialect = "openai",
           .base_url = "",
           .key = "",
           .needs_key = false,
           .quirks = {.prefill = Prefill::continue_final}},
    Preset{.word = "sglang",
           .dialect = "openai",
           .base_url = "http://127.0.0.1:30000/v1",
           .key = "",
           .needs_key = false,
           .quirks = {.prefill = Prefill::continue_final}},
    // llama.cpp v0.5.0: with X-Conversation-Id a generation outlives its client's leaving. LLAMA_API_KEY is not taken:
    // the same name holds the key of another company's API. A last assistant message is gone on with.
    Preset{.word = "llama-server",
           .dialect = "openai",
           .base_url = "http://127.0.0.1:8080/v1",
           .key = "",
           .needs_key = false,
           .quirks = {.withheld_header = "x-conversation-id", .prefill = Prefill::last_message}},
    Preset{.word = "llama_server",
           .dialect = "openai",
           .base_url = "http://127.0.0.1:8080/v1",
           .key = "",
           .needs_key = false,
           .quirks = {.withheld_header = "x-conversation-id", .prefill = Prefill::last_message}},
    Preset{.word = "llamacpp",
           .dialect = "openai",
           .base_url = "http://127.0.0.1:8080/v1",
           .key = "",
           .needs_key = false,
           .quirks = {.withheld_header = "x-conversation-id", .prefill = Prefill::last_message}},
    Preset{
        .word = "lmstudio", .dialect = "openai", .base_url = "http://127.0.0.1:1234/v1", .key = "", .needs_key = false},
    Preset{
        .word = "localai", .dialect = "openai", .base_url = "http://127.0.0.1:8080/v1", .key = "", .needs_key = false},
};

}  // namespace

const Preset* find_preset(std::string_view word) {
  const auto* found = std::ranges::find(presets, word, &Preset::word);
  return found == presets.end() ? nullptr : &*found;
}

std::span<const Preset> all_presets() {
  return presets;
}

std::vector<std::string> dialect_words() {
  std::vector<std::string> words;
  for (const Preset& preset : presets) {
    words.emplace_back(preset.word);
  }
  return words;
}

}  // namespace weir::providers

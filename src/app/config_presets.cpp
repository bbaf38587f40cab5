#include "app/config_presets.hpp"

#include <algorithm>
#include <array>

namespace weir::app {

namespace {

// Addresses as the providers document them (July 2025). Ollama speaks OpenAI's format below /v1, which is how this
// version reaches it. A vllm server listens on 8000 like weir itself, so its address must be named.
constexpr std::array<Preset, 22> presets{{
    {.word = "openai", .dialect = "openai", .base_url = "https://api.openai.com/v1"},
    {.word = "anthropic", .dialect = "anthropic", .base_url = "https://api.anthropic.com", .built = false},
    {.word = "azure", .dialect = "azure", .base_url = "", .built = false},
    {.word = "gemini", .dialect = "gemini", .base_url = "https://generativelanguage.googleapis.com", .built = false},
    {.word = "ollama", .dialect = "openai", .base_url = "http://127.0.0.1:11434", .needs_key = false},
    {.word = "mock", .dialect = "mock", .base_url = "", .needs_key = false},
    {.word = "groq", .dialect = "openai", .base_url = "https://api.groq.com/openai/v1"},
    {.word = "mistral", .dialect = "openai", .base_url = "https://api.mistral.ai/v1"},
    {.word = "deepseek", .dialect = "openai", .base_url = "https://api.deepseek.com/v1"},
    {.word = "openrouter", .dialect = "openai", .base_url = "https://openrouter.ai/api/v1"},
    {.word = "together", .dialect = "openai", .base_url = "https://api.together.xyz/v1"},
    {.word = "fireworks", .dialect = "openai", .base_url = "https://api.fireworks.ai/inference/v1"},
    {.word = "xai", .dialect = "openai", .base_url = "https://api.x.ai/v1"},
    {.word = "cerebras", .dialect = "openai", .base_url = "https://api.cerebras.ai/v1"},
    {.word = "perplexity", .dialect = "openai", .base_url = "https://api.perplexity.ai"},
    {.word = "nvidia", .dialect = "openai", .base_url = "https://integrate.api.nvidia.com/v1"},
    {.word = "cohere", .dialect = "openai", .base_url = "https://api.cohere.ai/compatibility/v1"},
    {.word = "vllm", .dialect = "openai", .base_url = "", .needs_key = false},
    {.word = "sglang", .dialect = "openai", .base_url = "http://127.0.0.1:30000/v1", .needs_key = false},
    {.word = "llamacpp", .dialect = "openai", .base_url = "http://127.0.0.1:8080/v1", .needs_key = false},
    {.word = "lmstudio", .dialect = "openai", .base_url = "http://127.0.0.1:1234/v1", .needs_key = false},
    {.word = "localai", .dialect = "openai", .base_url = "http://127.0.0.1:8080/v1", .needs_key = false},
}};

}  // namespace

const Preset* find_preset(std::string_view word) {
  auto found = std::ranges::find(presets, word, &Preset::word);
  return found == presets.end() ? nullptr : &*found;
}

std::vector<std::string> dialect_words() {
  std::vector<std::string> words;
  for (const Preset& preset : presets) {
    words.emplace_back(preset.word);
  }
  return words;
}

}  // namespace weir::app

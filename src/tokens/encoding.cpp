#include "tokens/encoding.hpp"

#include <array>

namespace weir::tokens {

std::string_view to_string(Encoding encoding) {
  return encoding == Encoding::cl100k_base ? "cl100k_base" : "o200k_base";
}

EncodingChoice encoding_of(std::string_view model) {
  if (const auto slash = model.rfind('/'); slash != std::string_view::npos) {
    model.remove_prefix(slash + 1);
  }
  if (model.starts_with("ft:")) {
    model.remove_prefix(3);
  }
  struct Row {
    std::string_view prefix;
    Encoding encoding;
  };
  // The longer prefix stands before the shorter one that it begins with.
  static constexpr std::array rows = {
      Row{"gpt-5", Encoding::o200k_base},
      Row{"gpt-4.5", Encoding::o200k_base},
      Row{"gpt-4.1", Encoding::o200k_base},
      Row{"gpt-4o", Encoding::o200k_base},
      Row{"gpt-oss", Encoding::o200k_base},
      Row{"chatgpt-4o", Encoding::o200k_base},
      Row{"o1", Encoding::o200k_base},
      Row{"o3", Encoding::o200k_base},
      Row{"o4-mini", Encoding::o200k_base},
      Row{"gpt-4", Encoding::cl100k_base},
      Row{"gpt-3.5-turbo", Encoding::cl100k_base},
      Row{"gpt-35-turbo", Encoding::cl100k_base},
      Row{"text-embedding-ada-002", Encoding::cl100k_base},
      Row{"text-embedding-3-small", Encoding::cl100k_base},
      Row{"text-embedding-3-large", Encoding::cl100k_base},
      Row{"davinci-002", Encoding::cl100k_base},
      Row{"babbage-002", Encoding::cl100k_base},
  };
  for (const Row& row : rows) {
    if (model.starts_with(row.prefix)) {
      return {row.encoding, true};
    }
  }
  return {};
}

}  // namespace weir::tokens

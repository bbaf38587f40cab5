#include "app/config_load.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <random>
#include <string>

// Examples with small damages: whatever a person types, the answer is a config or errors of one line each that show no
// secret; never a crash, never a hang. Longer runs found `, x`, which gives the YAML parser documents without end.

namespace weir::app {
namespace {

std::string example(const std::string& name) {
  const auto folder = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "examples";
  return read_small_file((folder / name).string()).value_or("");
}

std::string damaged(std::string text, std::mt19937& random) {
  constexpr std::array<std::string_view, 24> pieces{"[",  "]",  "{",    "}",      ":",    "- ",     "&a ",  "*a",
                                                    "\"", "'",  "|\n",  "\n",     "\n  ", "${KEY}", "$KEY", "#",
                                                    "? ", "\t", "null", "!!str ", "*",    "<<: *a", "-1",   "%"};
  const auto below = [&random](std::size_t bound) { return random() % bound; };
  for (std::size_t left = 1 + below(5); left > 0 && !text.empty(); --left) {
    const std::size_t at = below(text.size());
    switch (below(4)) {
      case 0: text.erase(at, 1 + below(8)); break;
      case 1: text.insert(at, pieces[below(pieces.size())]); break;
      case 2: text[at] = static_cast<char>(below(256)); break;
      default: text.insert(at, text.substr(below(text.size()), below(60))); break;
    }
  }
  return text;
}

TEST(DamagedConfig, is_answered_with_a_config_or_with_errors_that_show_no_secret) {
  const std::string secret = "sk-hunter2-hunter2";
  const Environment environment{{"OPENAI_API_KEY", secret}, {"KEY", secret}};
  const std::array<std::string, 3> examples{example("weir.yaml"), example("faults.yaml"), example("local.yaml")};
  constexpr unsigned seed = 20'251;
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    ASSERT_FALSE(examples[static_cast<std::size_t>(round % 3)].empty());
    const std::string text = damaged(examples[static_cast<std::size_t>(round % 3)], random);
    const ConfigOutcome outcome = parse_config(text, "weir.yaml", environment, read_small_file);
    ASSERT_EQ(outcome.config.has_value(), outcome.errors.empty()) << "seed " << seed << " round " << round << "\n"
                                                                  << text;
    for (const auto* messages : {&outcome.errors, &outcome.notices}) {
      for (const std::string& message : *messages) {
        ASSERT_EQ(message.find(secret), std::string::npos) << message << "\nround " << round << "\n" << text;
        ASSERT_EQ(message.find('\n'), std::string::npos) << message << "\nround " << round << "\n" << text;
      }
    }
  }
}

}  // namespace
}  // namespace weir::app

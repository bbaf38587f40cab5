#include "settings/dotenv.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

TEST(Dotenv, reads_names_values_quotes_and_comments) {
  Report report;
  const Environment environment = parse_dotenv(
      "# keys\n"
      "OPENAI_API_KEY=sk-1\n"
      "export EXPORTED = spaced \n"
      "SINGLE='as $it is # here' # comment\n"
      "DOUBLE=\"line\\nend \\\"q\\\"\"\n"
      "HASH=pass#word # comment\n"
      "EMPTY=\n"
      "\r\n"
      "TWICE=1\nTWICE=2",
      ".env", report);
  const Environment expected{{"OPENAI_API_KEY", "sk-1"},
                             {"EXPORTED", "spaced"},
                             {"SINGLE", "as $it is # here"},
                             {"DOUBLE", "line\nend \"q\""},
                             {"HASH", "pass#word"},
                             {"EMPTY", ""},
                             {"TWICE", "2"}};
  EXPECT_EQ(environment, expected);
  EXPECT_TRUE(report.notices().empty());
}

TEST(Dotenv, names_the_line_that_it_cannot_use_and_never_its_text) {
  Report report;
  const Environment environment = parse_dotenv("A=1\nsecret stuff\n1B=2\nC='open\nD=\"x\" y\n", ".env", report);
  EXPECT_EQ(environment, (Environment{{"A", "1"}}));
  const std::vector<std::string> expected{".env:2: ignored: not NAME=value", ".env:3: ignored: not NAME=value",
                                          ".env:4: ignored: not NAME=value", ".env:5: ignored: not NAME=value"};
  EXPECT_EQ(report.notices(), expected);
}

}  // namespace
}  // namespace weir::settings

#include "platform/real_files.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "platform/test_page_cache.hpp"

namespace weir::platform {
namespace {

class RealFilesTest : public ::testing::Test {
 protected:
  RealFilesTest() {
    std::string made = ::testing::TempDir() + "weir-files-XXXXXX";
    directory = ::mkdtemp(made.data());
  }
  ~RealFilesTest() override { std::filesystem::remove_all(directory); }
  std::string directory;
  RealFiles files;
};

TEST_F(RealFilesTest, a_file_that_grows_leaves_the_page_cache_and_loses_nothing) {
  using namespace std::chrono_literals;
  constexpr std::size_t much = std::size_t{32} << 20;
  const std::string path = directory + "/log";
  ASSERT_TRUE((*files.open_append(path))->append("what was there before\n").has_value());
  const auto log = files.open_append(path);
  std::string expected = "what was there before\n";
  const auto append = [&](char letter) {
    const std::string lines(123'457, letter);
    ASSERT_TRUE((*log)->append(lines).has_value());
    expected += lines;
  };
  for (char letter = 'a'; expected.size() < much; letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
    append(letter);
  }
  // How soon is the disk's affair.
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (cached_bytes(path).value_or(0) > much / 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(20ms);
    append('+');
  }
  EXPECT_LE(cached_bytes(path).value_or(0), much / 2);
  EXPECT_EQ(files.read(path), expected);
}

}  // namespace
}  // namespace weir::platform

#include "platform/real_files.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

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
  constexpr std::size_t much = std::size_t{18} << 20;
  const std::string path = directory + "/log";
  std::string expected = "what was there before\n";
  ASSERT_TRUE((*files.open_append(path))->append(expected).has_value());
  const auto log = files.open_append(path);
  const auto append_until = [&](std::size_t bytes, char letter) {
    while (expected.size() < bytes) {
      const std::string line(123'457, letter);
      ASSERT_TRUE((*log)->append(line).has_value());
      expected += line;
    }
  };
  append_until(much, 'a');
  ASSERT_TRUE((*log)->sync().has_value());  // only what is on the disk can leave
  append_until(much + (std::size_t{2} << 20), 'b');
  EXPECT_LE(cached_bytes(path).value_or(0), std::size_t{8} << 20);
  EXPECT_EQ(files.read(path), expected);
}

}  // namespace
}  // namespace weir::platform

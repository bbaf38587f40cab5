#include "app/record_keeping.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "platform/real_files.hpp"

namespace weir::app {
namespace {

class StoreFileTest : public testing::Test {
 protected:
  StoreFileTest() {
    std::string name = testing::TempDir() + "weir-store-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~StoreFileTest() override { std::filesystem::remove_all(folder_); }
  auto open() { return open_store_file(files_, {.file = folder_ + "/weir.db"}); }

  std::string folder_;
  platform::RealFiles files_;
};

TEST_F(StoreFileTest, is_made_for_the_operator_alone) {
  ASSERT_TRUE(open());
  struct stat found{};
  ASSERT_EQ(::stat((folder_ + "/weir.db").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

// Without that lock another process that closes the database takes itself for the last one, and removes what this one
// has written and not yet moved to the main file.
TEST_F(StoreFileTest, stays_locked_for_who_has_it_open_when_it_is_opened_again) {
  const auto first = open();
  ASSERT_TRUE(first);
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(open());
  }
  const int other = ::open((folder_ + "/weir.db").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(other, 0);
  struct flock asked{.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
  ASSERT_EQ(::fcntl(other, F_OFD_GETLK, &asked), 0);
  EXPECT_EQ(asked.l_type, F_RDLCK);
  ::close(other);
}

}  // namespace
}  // namespace weir::app

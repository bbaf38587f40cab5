#include "app/master_key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "platform/real_files.hpp"

namespace weir::app {
namespace {

class MasterKeyTest : public testing::Test {
 protected:
  MasterKeyTest() {
    std::string name = testing::TempDir() + "weir-master-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~MasterKeyTest() override { std::filesystem::remove_all(folder_); }
  void write(std::string_view text) const { std::ofstream(folder_ + "/master.key") << text; }

  std::string folder_;
  platform::RealFiles files_;
};

TEST_F(MasterKeyTest, is_made_once_for_the_operator_alone_and_found_again) {
  const auto made = open_master_key(files_, folder_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->made_now);
  struct stat found{};
  ASSERT_EQ(::stat((folder_ + "/master.key").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  const auto again = open_master_key(files_, folder_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->made_now);
  EXPECT_EQ((*made->hasher)("wr-1"), (*again->hasher)("wr-1"));
  EXPECT_NE((*made->hasher)("wr-1"), (*made->hasher)("wr-2"));
}

TEST_F(MasterKeyTest, takes_what_an_operator_wrote) {
  write("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const auto key = open_master_key(files_, folder_);
  ASSERT_TRUE(key) << key.error().message;
  const std::array<std::uint8_t, 32> bytes{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                           16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  EXPECT_EQ((*key->hasher)("wr-1"), auth::KeyHasher(bytes)("wr-1"));
}

TEST_F(MasterKeyTest, is_never_made_anew_where_something_stands_there) {
  for (const std::string_view wrong :
       {"x", "00\n", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1G"}) {
    write(wrong);
    const auto key = open_master_key(files_, folder_);
    ASSERT_FALSE(key) << wrong;
    EXPECT_NE(key.error().message.find("backup"), std::string::npos) << key.error().message;
    EXPECT_EQ(files_.read(folder_ + "/master.key").value_or(""), wrong);
  }
}

TEST_F(MasterKeyTest, says_where_it_cannot_be) {
  const auto key = open_master_key(files_, folder_ + "/absent");
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().message.find("absent/master.key"), std::string::npos) << key.error().message;
}

}  // namespace
}  // namespace weir::app

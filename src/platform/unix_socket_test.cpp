// What a Unix socket's file says and who removes it; how bytes move is the contract suite's.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "platform/real_loop.hpp"
#include "platform/stream.hpp"

namespace weir::platform {
namespace {

class UnixSocket : public testing::Test, protected AcceptHandler {
 protected:
  UnixSocket() {
    std::string pattern = testing::TempDir() + "/weir-unix-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ + "/weir.sock";
  }
  ~UnixSocket() override { std::filesystem::remove_all(directory_); }
  void on_accept(std::unique_ptr<Accepted> /*connection*/) override {}

  Result<std::unique_ptr<Listener>> listen(unsigned mode = 0660) {
    return loop_.listen({.unix_path = path_}, *this, {.unix_mode = mode});
  }
  [[nodiscard]] unsigned mode() const {
    struct stat found{};
    EXPECT_EQ(::lstat(path_.c_str(), &found), 0);
    return found.st_mode & 07777U;
  }
  /// As a process leaves it that was killed.
  void leave_stale_file() const {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path_, address.sun_path);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(socket);
  }

  RealLoop loop_;
  std::string directory_;
  std::string path_;
};

TEST_F(UnixSocket, has_the_mode_that_was_asked_for_whatever_the_umask_is) {
  const mode_t before = ::umask(0077);
  {
    const auto listener = listen(0666);
    ASSERT_TRUE(listener.has_value());
    EXPECT_EQ(mode(), 0666U);
  }
  ::umask(0);
  {
    const auto listener = listen(0600);
    ASSERT_TRUE(listener.has_value());
    EXPECT_EQ(mode(), 0600U);
  }
  ::umask(before);
}

TEST_F(UnixSocket, goes_with_its_listener_unless_that_was_told_otherwise) {
  {
    const auto listener = listen();
    ASSERT_TRUE(listener.has_value());
    EXPECT_TRUE((*listener)->made_by_weir());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  {
    const auto listener = listen();
    ASSERT_TRUE(listener.has_value());
    (*listener)->remove_file(false);
  }
  EXPECT_TRUE(std::filesystem::exists(path_)) << "a successor listens there";
}

TEST_F(UnixSocket, replaces_a_stale_file_and_nothing_else) {
  leave_stale_file();
  {
    const auto listener = listen();
    ASSERT_TRUE(listener.has_value()) << listener.error().message;
    const auto second = listen();
    ASSERT_FALSE(second.has_value()) << "somebody answers there";
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  std::ofstream(path_) << "a file of somebody else's";
  const auto listener = listen();
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("no socket"), std::string::npos) << listener.error().message;
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(UnixSocket, leaves_the_file_of_another_socket_that_took_its_name) {
  {
    const auto listener = listen();
    ASSERT_TRUE(listener.has_value());
    std::filesystem::rename(path_, path_ + ".old");
    leave_stale_file();
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, says_that_a_path_is_too_long) {
  path_ = directory_ + "/" + std::string(120, 'x');
  const auto listener = listen();
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("107"), std::string::npos) << listener.error().message;
}

}  // namespace
}  // namespace weir::platform

#include "platform/real_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace weir::platform {

namespace {

std::unexpected<Error> io_failure(const std::string& path) {
  return fail(Code::io_error, fmt::format("{}: {}", path, std::strerror(errno)));
}

class RealAppendFile final : public AppendFile {
 public:
  RealAppendFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  RealAppendFile(const RealAppendFile&) = delete;
  RealAppendFile& operator=(const RealAppendFile&) = delete;
  ~RealAppendFile() override { ::close(descriptor_); }

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) {
          continue;
        }
        return io_failure(path_);
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(descriptor_) != 0) {
      return io_failure(path_);
    }
    return {};
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<AppendFile>> RealFiles::open_append(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return io_failure(path);
  }
  return std::make_unique<RealAppendFile>(descriptor, path);
}

Result<std::unique_ptr<AppendFile>> RealFiles::standard_error() {
  const int descriptor = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (descriptor < 0) {
    return io_failure("standard error");
  }
  return std::make_unique<RealAppendFile>(descriptor, "standard error");
}

Result<std::string> RealFiles::read(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return io_failure(path);
  }
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      auto failure = io_failure(path);
      ::close(descriptor);
      return failure;
    }
    if (got == 0) {
      break;
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  return content;
}

FileStamp RealFiles::stamp(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    return {};
  }
  return {.exists = true,
          .modified_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec,
          .bytes = static_cast<std::uint64_t>(found.st_size),
          .identity = found.st_ino};
}

Result<void> RealFiles::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return io_failure(path);
  }
  return {};
}

}  // namespace weir::platform

#include "platform/real_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/prefetch.hpp"

namespace weir::platform {

namespace {

const std::size_t page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
// What is written at once lies in one folio where the file system can (ext4: Linux 6.16), which makes it cheaper to
// fault in and to sync. A sync writes whole folios: larger ones would bring more to the disk than was appended.
constexpr std::size_t fill_bytes = std::size_t{16} << 10;
constexpr std::size_t next_bytes = 512;  // what the next append() is likely to take

std::unexpected<Error> io_failure(const std::string& path) {
  return fail(Code::io_error, fmt::format("{}: {}", path, std::strerror(errno)));
}

/// A file that only grows, like a log. Of what was appended only the last parts stay in the page cache: nobody is
/// likely to read the rest soon, and pages that the kernel had before cost less than new ones (decision 0022).
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
      part_ += written;
    }
    if (part_ >= part_bytes) {
      leave_memory();
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
  static constexpr off_t part_bytes = off_t{1} << 20;
  static constexpr off_t on_the_way = 4 * part_bytes;  // to the disk, and not there yet
  static constexpr off_t late = 16 * part_bytes;       // the disk may take longer: so much is looked at again

  /// What was appended last begins its way to the disk, and what has arrived there leaves memory.
  void leave_memory() {
    const off_t part = std::exchange(part_, 0);
    const off_t end = ::lseek(descriptor_, 0, SEEK_CUR);  // an error for a pipe, of which all this is not true
    if (end >= part) {
      ::sync_file_range(descriptor_, end - part, part, SYNC_FILE_RANGE_WRITE);
    }
    if (end > on_the_way) {
      const off_t begin = std::max(end - on_the_way - late, off_t{0});
      ::posix_fadvise(descriptor_, begin, end - on_the_way - begin, POSIX_FADV_DONTNEED);
    }
  }

  int descriptor_;
  std::string path_;
  off_t part_ = 0;  // bytes that were appended since the last time
};

/// A file whose place on the disk was granted when it was made. It is mapped, so that an append is a copy and no system
/// call; that it is there for other readers, and after the process was killed, is the same page cache's doing. Its
/// descriptor stays for sync(), which writes pages that were changed through the mapping too.
///
/// A disk that fails under a mapping is a signal (SIGBUS) where a page has to be read. Here pages are only written.
/// Those of a file that was filled, or is written again, may have left memory, and come back in prepare(), to which a
/// disk that fails is no signal.
class RealAllocatedFile final : public AppendFile {
 public:
  RealAllocatedFile(int descriptor, std::string path, std::size_t bytes)
      : descriptor_(descriptor), path_(std::move(path)), bytes_(bytes) {}
  RealAllocatedFile(const RealAllocatedFile&) = delete;
  RealAllocatedFile& operator=(const RealAllocatedFile&) = delete;
  ~RealAllocatedFile() override {
    if (memory_ != nullptr) {
      ::munmap(memory_, bytes_);
    }
    ::close(descriptor_);
  }

  Result<void> map() {
    void* const memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
    if (memory == MAP_FAILED) {
      return io_failure(path_);
    }
    memory_ = static_cast<char*>(memory);
    return {};
  }

  Result<void> append(std::string_view bytes) override {
    if (bytes.size() > bytes_ - at_) {
      return fail(Code::io_error, fmt::format("{}: its allocated space is full", path_));
    }
    std::memcpy(memory_ + at_, bytes.data(), bytes.size());
    at_ += bytes.size();
    prefetch_for_write(memory_ + at_, std::min(next_bytes, bytes_ - at_));
    return {};
  }
  void fill() override {
    const std::string zeros(fill_bytes, '\0');
    for (std::size_t at = 0; at < bytes_; at += zeros.size()) {
      const std::size_t bytes = std::min(zeros.size(), bytes_ - at);
      if (::pwrite(descriptor_, zeros.data(), bytes, static_cast<off_t>(at)) < 0) {
        return;  // what it means for the file, sync() tells
      }
    }
    ::fdatasync(descriptor_);  // now: later, what was appended would wait for all of it
  }
  void prepare(std::size_t offset, std::size_t bytes) override {
    const std::size_t begin = offset - offset % page_bytes;
    const std::size_t end = std::min(bytes_, offset + bytes);
    if (begin < end) {
      ::madvise(memory_ + begin, end - begin, MADV_POPULATE_WRITE);  // Linux 5.14; without it append() has the work
    }
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
  std::size_t bytes_;
  char* memory_ = nullptr;
  std::size_t at_ = 0;
};

class RealFileLock final : public FileLock {
 public:
  explicit RealFileLock(int descriptor) : descriptor_(descriptor) {}
  RealFileLock(const RealFileLock&) = delete;
  RealFileLock& operator=(const RealFileLock&) = delete;
  ~RealFileLock() override { ::close(descriptor_); }

 private:
  int descriptor_;
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

Result<std::unique_ptr<AppendFile>> RealFiles::create_allocated(const std::string& path, std::size_t bytes) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return io_failure(path);
  }
  auto file = std::make_unique<RealAllocatedFile>(descriptor, path, bytes);
  if (const int error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes)); error != 0) {
    ::unlink(path.c_str());
    errno = error;
    return io_failure(path);
  }
  if (auto mapped = file->map(); !mapped) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(mapped.error()));
  }
  return file;
}

Result<std::unique_ptr<AppendFile>> RealFiles::open_allocated(const std::string& path, std::size_t bytes) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) {
    return io_failure(path);
  }
  auto file = std::make_unique<RealAllocatedFile>(descriptor, path, bytes);
  struct stat found{};
  if (::fstat(descriptor, &found) != 0) {
    return io_failure(path);
  }
  if (std::cmp_not_equal(found.st_size, bytes)) {
    return fail(Code::io_error, fmt::format("{}: it has not {} bytes", path, bytes));
  }
  if (auto mapped = file->map(); !mapped) {
    return std::unexpected(std::move(mapped.error()));
  }
  return file;
}

Result<std::string> RealFiles::read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return io_failure(path);
  }
  std::string content;
  bool failed = false;
  content.resize_and_overwrite(bytes_max, [&](char* at, std::size_t) {
    std::size_t filled = 0;
    while (filled < bytes_max) {
      const ssize_t got = ::pread(descriptor, at + filled, bytes_max - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got <= 0) {
        failed = got < 0;
        break;
      }
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  });
  auto outcome = failed ? Result<std::string>(io_failure(path)) : Result<std::string>(std::move(content));
  ::close(descriptor);
  return outcome;
}

Result<std::vector<std::string>> RealFiles::list(const std::string& directory) {
  DIR* const open = ::opendir(directory.c_str());
  if (open == nullptr) {
    return io_failure(directory);
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  ::closedir(open);
  std::ranges::sort(names);
  return names;
}

Result<void> RealFiles::remove(const std::string& path) {
  if (std::remove(path.c_str()) != 0) {
    return io_failure(path);
  }
  return {};
}

Result<void> RealFiles::rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return io_failure(from);
  }
  return {};
}

Result<void> RealFiles::sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return io_failure(path);
  }
  auto outcome = ::fsync(descriptor) != 0 ? Result<void>(io_failure(path)) : Result<void>();
  ::close(descriptor);
  return outcome;
}

Result<std::unique_ptr<FileLock>> RealFiles::lock(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return io_failure(path);
  }
  auto lock = std::make_unique<RealFileLock>(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return nullptr;
    }
    return io_failure(path);
  }
  return lock;
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

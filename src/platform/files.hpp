#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::platform {

/// A file that only grows. Blocking: for side threads, never for a request thread; an exception is append() to a file
/// of create_allocated(), which writes into space that the disk has granted before: a copy into the page cache.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  /// All of `bytes` or an error (io_error: the system's words); after an error a part may have been written.
  virtual Result<void> append(std::string_view bytes) = 0;
  /// What was appended survives a power loss when this returns.
  virtual Result<void> sync() = 0;
  /// Writes zeros over all of an allocated file to which nothing was appended, so that what is written later changes
  /// nothing but its data, and finds its pages in memory in larger pieces. A hint, which takes milliseconds.
  virtual void fill() {}
  /// Has that part of an allocated file in memory now, so that an append() there need not wait for it. A hint. For any
  /// thread, also while another one appends.
  virtual void prepare(std::size_t /*offset*/, std::size_t /*bytes*/) {}
};

/// What changes when a file is written or replaced, so that a watcher need not read it. Equal where there is none.
struct FileStamp {
  bool exists = false;
  std::int64_t modified_ns = 0;  // since the epoch
  std::uint64_t bytes = 0;
  std::uint64_t identity = 0;  // another one where another file was put in its place
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Held as long as it lives; gone with the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Files by path. Real: the disk. Simulated: in memory, with full disks and torn writes on demand.
class Files {
 public:
  virtual ~Files() = default;
  /// Opens for appending; made with mode 0600 if it is not there.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;
  virtual Result<std::string> read(const std::string& path) = 0;
  virtual Result<void> make_directory(const std::string& path) = 0;
  /// A new file of that many bytes, all zero, whose place on the disk is granted now: append() writes from its
  /// beginning into that place, and is an error beyond it. Mode 0600; an error if the path is there.
  virtual Result<std::unique_ptr<AppendFile>> create_allocated(const std::string& path, std::size_t bytes) = 0;
  /// A file of create_allocated(), which nobody has open: append() writes from its beginning again, over what it holds.
  /// An error if it has not that many bytes.
  virtual Result<std::unique_ptr<AppendFile>> open_allocated(const std::string& path, std::size_t bytes) = 0;
  /// At most `bytes_max` bytes from `offset` on; fewer where the file ends.
  virtual Result<std::string> read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) = 0;
  /// The names in a directory, sorted, without `.` and `..`.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// A file, or a directory that is empty.
  virtual Result<void> remove(const std::string& path) = 0;
  /// Gives a file another name, in its directory or the one above it, in the place of what has it. A power loss may
  /// undo it until sync_directory() has returned.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// The names in it survive a power loss when this returns.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// The lock on the file at `path`, which is made if it is not there. Null where somebody else holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// Links are followed. What cannot be looked at counts as absent.
  virtual FileStamp stamp(const std::string& path) = 0;
};

}  // namespace weir::platform

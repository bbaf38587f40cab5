#pragma once

#include "platform/files.hpp"

namespace weir::platform {

/// The disk.
class RealFiles final : public Files {
 public:
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Result<std::string> read(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::unique_ptr<AppendFile>> create_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::unique_ptr<AppendFile>> open_allocated(const std::string& path, std::size_t bytes) override;
  Result<std::string> read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  FileStamp stamp(const std::string& path) override;
  /// Where a program without a log file writes.
  Result<std::unique_ptr<AppendFile>> standard_error();
};

}  // namespace weir::platform

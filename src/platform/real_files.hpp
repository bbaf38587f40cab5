#pragma once

#include "platform/files.hpp"

namespace weir::platform {

/// The disk.
class RealFiles final : public Files {
 public:
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Result<std::string> read(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  FileStamp stamp(const std::string& path) override;
  /// Where a program without a log file writes.
  Result<std::unique_ptr<AppendFile>> standard_error();
};

}  // namespace weir::platform

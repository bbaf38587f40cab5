#include "platform/sim/simulated_files.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::platform {

class SimulatedAppendFile final : public AppendFile {
 public:
  SimulatedAppendFile(SimulatedFiles& disk, std::shared_ptr<SimulatedFiles::File> file, std::string path)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)), opened_at_(file_->crashes) {}

  Result<void> append(std::string_view bytes) override {
    if (auto usable = use(); !usable) {
      return usable;
    }
    const std::size_t used = disk_.used();
    const std::size_t room = disk_.options_.capacity_bytes - std::min(used, disk_.options_.capacity_bytes);
    file_->content.append(bytes.substr(0, room));
    if (bytes.size() > room) {
      disk_.faults_.count(Fault::disk_full);
      return fail(Code::io_error, fmt::format("{}: No space left on device", path_));
    }
    return {};
  }

  Result<void> sync() override {
    if (auto usable = use(); !usable) {
      return usable;
    }
    file_->synced = file_->content.size();
    return {};
  }

 private:
  Result<void> use() {
    if (file_->crashes != opened_at_) {
      return fail(Code::io_error, fmt::format("{}: Bad file descriptor", path_));
    }
    return disk_.operate(path_);
  }

  SimulatedFiles& disk_;
  std::shared_ptr<SimulatedFiles::File> file_;
  std::string path_;
  std::uint64_t opened_at_;
};

SimulatedFiles::SimulatedFiles(std::uint64_t seed) : SimulatedFiles(seed, Options()) {}

SimulatedFiles::SimulatedFiles(std::uint64_t seed, Options options)
    : options_(options), choices_(seed), fail_at_(options.failing_operation) {}

SimulatedFiles::~SimulatedFiles() = default;

Result<void> SimulatedFiles::operate(const std::string& path) {
  ++operations_;
  if (operations_ == fail_at_) {
    faults_.count(Fault::failed_operation);
    return fail(Code::io_error, fmt::format("{}: Input/output error", path));
  }
  return {};
}

std::size_t SimulatedFiles::used() const {
  std::size_t bytes = 0;
  for (const auto& [path, file] : files_) {
    bytes += file->content.size();
  }
  return bytes;
}

bool SimulatedFiles::has_directory_of(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 || directories_.contains(path.substr(0, slash));
}

Result<std::unique_ptr<AppendFile>> SimulatedFiles::open_append(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return std::unexpected(usable.error());
  }
  if (!has_directory_of(path)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  std::shared_ptr<File>& file = files_[path];
  if (file == nullptr) {
    file = std::make_shared<File>();
  }
  return std::make_unique<SimulatedAppendFile>(*this, file, path);
}

Result<std::string> SimulatedFiles::read(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return std::unexpected(usable.error());
  }
  const auto found = files_.find(path);
  if (found == files_.end()) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  return found->second->content;
}

Result<void> SimulatedFiles::make_directory(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return usable;
  }
  if (!has_directory_of(path)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  directories_.insert(path);
  return {};
}

FileStamp SimulatedFiles::stamp(const std::string& path) {
  const auto found = files_.find(path);
  if (found == files_.end()) {
    return {};
  }
  // There is no clock here: the contents stand for the time of their writing.
  return {.exists = true,
          .modified_ns = static_cast<std::int64_t>(std::hash<std::string>()(found->second->content)),
          .bytes = found->second->content.size(),
          .identity = found->second->crashes};
}

void SimulatedFiles::crash() {
  for (auto& [path, file] : files_) {
    ++file->crashes;
    const std::size_t unsynced = file->content.size() - file->synced;
    const std::size_t kept = choices_.below(unsynced + 1);
    if (kept < unsynced) {
      faults_.count(Fault::torn_tail);
    }
    file->content.resize(file->synced + kept);
    file->synced = file->content.size();
  }
}

}  // namespace weir::platform

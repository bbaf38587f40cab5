#include "platform/sim/simulated_files.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::platform {

namespace {

std::string_view directory_of(std::string_view path) {
  return path.substr(0, std::min(path.rfind('/'), path.size()));
}

}  // namespace

class SimulatedAppendFile final : public AppendFile {
 public:
  SimulatedAppendFile(SimulatedFiles& disk, std::shared_ptr<SimulatedFiles::File> file, std::string path)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)), opened_at_(file_->crashes) {}

  Result<void> append(std::string_view bytes) override {
    if (auto usable = use(); !usable) {
      return usable;
    }
    if (file_->allocated) {
      if (bytes.size() > file_->content.size() - file_->written) {
        return fail(Code::io_error, fmt::format("{}: its allocated space is full", path_));
      }
      file_->content.replace(file_->written, bytes.size(), bytes);
      file_->written += bytes.size();
      return {};
    }
    const std::size_t used = disk_.used();
    const std::size_t room = disk_.options_.capacity_bytes - std::min(used, disk_.options_.capacity_bytes);
    file_->content.append(bytes.substr(0, room));
    file_->written = file_->content.size();
    if (bytes.size() > room) {
      disk_.faults_.count(Fault::disk_full);
      return fail(Code::io_error, fmt::format("{}: No space left on device", path_));
    }
    return {};
  }

  void fill() override {
    ++disk_.fills_;
    file_->content.assign(file_->content.size(), '\0');  // what was appended too: that would be a mistake
  }

  Result<void> sync() override {
    if (auto usable = use(); !usable) {
      return usable;
    }
    file_->synced = file_->written;
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

class SimulatedFileLock final : public FileLock {
 public:
  SimulatedFileLock(SimulatedFiles& disk, std::string path)
      : disk_(disk), path_(std::move(path)), process_(disk.processes_) {}
  SimulatedFileLock(const SimulatedFileLock&) = delete;
  SimulatedFileLock& operator=(const SimulatedFileLock&) = delete;
  ~SimulatedFileLock() override {
    if (process_ == disk_.processes_) {  // else it went with its process
      disk_.locked_.erase(path_);
    }
  }

 private:
  SimulatedFiles& disk_;
  std::string path_;
  std::uint64_t process_;
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

Result<std::unique_ptr<AppendFile>> SimulatedFiles::create_allocated(const std::string& path, std::size_t bytes) {
  if (auto usable = operate(path); !usable) {
    return std::unexpected(usable.error());
  }
  if (!has_directory_of(path)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  if (files_.contains(path)) {
    return fail(Code::io_error, fmt::format("{}: File exists", path));
  }
  const std::size_t taken = used();
  if (taken > options_.capacity_bytes || bytes > options_.capacity_bytes - taken) {
    faults_.count(Fault::disk_full);
    return fail(Code::io_error, fmt::format("{}: No space left on device", path));
  }
  auto file = std::make_shared<File>();
  file->content.assign(bytes, '\0');
  file->allocated = true;
  files_[path] = file;
  return std::make_unique<SimulatedAppendFile>(*this, std::move(file), path);
}

Result<std::unique_ptr<AppendFile>> SimulatedFiles::open_allocated(const std::string& path, std::size_t bytes) {
  if (auto usable = operate(path); !usable) {
    return std::unexpected(usable.error());
  }
  const auto found = files_.find(path);
  if (found == files_.end()) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  File& file = *found->second;
  if (file.content.size() != bytes) {
    return fail(Code::io_error, fmt::format("{}: it has not {} bytes", path, bytes));
  }
  file.below = file.content;
  file.written = file.synced = 0;
  return std::make_unique<SimulatedAppendFile>(*this, found->second, path);
}

Result<std::string> SimulatedFiles::read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) {
  auto content = read(path);
  if (content) {
    content->erase(0, offset);
    content->resize(std::min(content->size(), bytes_max));
  }
  return content;
}

Result<std::vector<std::string>> SimulatedFiles::list(const std::string& directory) {
  if (auto usable = operate(directory); !usable) {
    return std::unexpected(usable.error());
  }
  if (!directories_.contains(directory)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", directory));
  }
  std::set<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path.starts_with(directory + "/") && path.find('/', directory.size() + 1) == std::string::npos) {
      names.insert(path.substr(directory.size() + 1));
    }
  };
  for (const auto& [path, file] : files_) {
    add(path);
  }
  std::ranges::for_each(directories_, add);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> SimulatedFiles::remove(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return usable;
  }
  const auto inside = [&](const std::string& other) { return other.starts_with(path + "/"); };
  if (directories_.contains(path) &&
      (std::ranges::any_of(directories_, inside) ||
       std::ranges::any_of(files_, [&](const auto& file) { return inside(file.first); }))) {
    return fail(Code::io_error, fmt::format("{}: Directory not empty", path));
  }
  if (files_.erase(path) + directories_.erase(path) == 0) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  std::erase_if(renames_, [&](const Rename& rename) { return rename.to == path; });  // nothing is left to undo
  return {};
}

Result<void> SimulatedFiles::rename(const std::string& from, const std::string& to) {
  if (auto usable = operate(from); !usable) {
    return usable;
  }
  if (!files_.contains(from) || !has_directory_of(to)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", from));
  }
  files_[to] = std::move(files_.extract(from).mapped());
  renames_.push_back({.from = from, .to = to});
  return {};
}

Result<void> SimulatedFiles::sync_directory(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return usable;
  }
  if (!directories_.contains(path)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  std::erase_if(renames_, [&](const Rename& rename) { return directory_of(rename.to) == path; });
  return {};
}

Result<std::unique_ptr<FileLock>> SimulatedFiles::lock(const std::string& path) {
  if (auto usable = operate(path); !usable) {
    return std::unexpected(usable.error());
  }
  if (!has_directory_of(path)) {
    return fail(Code::io_error, fmt::format("{}: No such file or directory", path));
  }
  if (!locked_.insert(path).second) {
    return nullptr;
  }
  if (!files_.contains(path)) {
    files_[path] = std::make_shared<File>();
  }
  return std::make_unique<SimulatedFileLock>(*this, path);
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

void SimulatedFiles::kill() {
  for (auto& [path, file] : files_) {
    ++file->crashes;
  }
  locked_.clear();
  ++processes_;
}

void SimulatedFiles::undo_renames() {
  if (renames_.empty()) {
    return;
  }
  for (std::size_t left = choices_.below(renames_.size() + 1); left > 0; --left) {
    const Rename& last = renames_.back();
    if (auto file = files_.extract(last.to); !file.empty()) {  // else it was removed under a later name
      files_[last.from] = std::move(file.mapped());
    }
    renames_.pop_back();
  }
  renames_.clear();
}

void SimulatedFiles::crash() {
  kill();
  undo_renames();
  for (auto& [path, file] : files_) {
    const std::size_t unsynced = file->written - file->synced;
    const std::size_t kept = choices_.below(unsynced + 1);
    if (kept < unsynced) {
      faults_.count(Fault::torn_tail);
    }
    const std::size_t bytes = file->content.size();
    file->content.resize(file->synced + kept);
    file->written = file->synced = file->content.size();
    if (file->allocated) {
      // What never reached the disk reads as before: zero, or as the file was when it was opened.
      file->content += std::string_view(file->below).substr(std::min(file->written, file->below.size()));
      file->content.resize(bytes, '\0');
    }
  }
}

}  // namespace weir::platform

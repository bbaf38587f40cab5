#include "sim/mortal.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/call_form.hpp"

namespace weir::sim {

namespace {

std::unexpected<Error> too_late() {
  return fail(Code::io_error, "the process was killed");
}

class MortalAppendFile final : public platform::AppendFile {
 public:
  MortalAppendFile(std::unique_ptr<platform::AppendFile> file, Life& life, const std::function<void()>& on_append)
      : file_(std::move(file)), life_(life), on_append_(on_append) {}
  Result<void> append(std::string_view bytes) override {
    if (!life_.operate()) {
      return too_late();
    }
    on_append_();
    return file_->append(bytes);
  }
  Result<void> sync() override { return life_.operate() ? file_->sync() : Result<void>(too_late()); }

 private:
  std::unique_ptr<platform::AppendFile> file_;
  Life& life_;
  const std::function<void()>& on_append_;
};

}  // namespace

void Life::end() {
  if (!std::exchange(over_, true)) {
    on_death_();
  }
}

bool Life::operate() {
  if (!over_ && left_ != 0 && --left_ == 0) {
    end();
  }
  return !over_;
}

Result<std::unique_ptr<platform::AppendFile>> MortalFiles::as_mortal(
    Result<std::unique_ptr<platform::AppendFile>> file) {
  if (!file) {
    return file;
  }
  return std::make_unique<MortalAppendFile>(std::move(*file), life_, on_append_);
}

Result<std::unique_ptr<platform::AppendFile>> MortalFiles::open_append(const std::string& path) {
  if (!life_.operate()) {
    return too_late();
  }
  return as_mortal(disk_.open_append(path));
}

Result<std::string> MortalFiles::read(const std::string& path) {
  return life_.operate() ? disk_.read(path) : Result<std::string>(too_late());
}

Result<void> MortalFiles::make_directory(const std::string& path) {
  return life_.operate() ? disk_.make_directory(path) : Result<void>(too_late());
}

Result<std::unique_ptr<platform::AppendFile>> MortalFiles::create_allocated(const std::string& path,
                                                                            std::size_t bytes) {
  if (!life_.operate()) {
    return too_late();
  }
  ++segments_made_;
  return as_mortal(disk_.create_allocated(path, bytes));
}

Result<std::unique_ptr<platform::AppendFile>> MortalFiles::open_allocated(const std::string& path, std::size_t bytes) {
  if (!life_.operate()) {
    return too_late();
  }
  ++segments_reused_;
  return as_mortal(disk_.open_allocated(path, bytes));
}

Result<std::string> MortalFiles::read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) {
  return life_.operate() ? disk_.read_at(path, offset, bytes_max) : Result<std::string>(too_late());
}

Result<std::vector<std::string>> MortalFiles::list(const std::string& directory) {
  return life_.operate() ? disk_.list(directory) : Result<std::vector<std::string>>(too_late());
}

Result<void> MortalFiles::remove(const std::string& path) {
  return life_.operate() ? disk_.remove(path) : Result<void>(too_late());
}

Result<void> MortalFiles::rename(const std::string& from, const std::string& to) {
  return life_.operate() ? disk_.rename(from, to) : Result<void>(too_late());
}

Result<void> MortalFiles::sync_directory(const std::string& path) {
  return life_.operate() ? disk_.sync_directory(path) : Result<void>(too_late());
}

Result<std::unique_ptr<platform::FileLock>> MortalFiles::lock(const std::string& path) {
  if (!life_.operate()) {
    return too_late();
  }
  return disk_.lock(path);
}

/// A call has one end: what is told of it again must be the same, and where nobody expects it, it must not come.
void MortalStore::Requests::note(std::string_view record, store::Repeats repeats) {
  const std::string_view id = store::id_of(record);
  const auto found = put_.by_id.find(id);
  if (found == put_.by_id.end()) {
    put_.by_id.emplace(id, record);
    return;
  }
  ++put_.again;
  if (repeats == store::Repeats::none) {
    put_.violations.push_back(fmt::format("{} was put into the store twice", id));
  } else if (found->second != record) {
    put_.violations.push_back(fmt::format("{} was put with two different ends: {} and {}", id, found->second, record));
  }
}

Result<void> MortalStore::Requests::put(std::span<const std::string_view> records, store::Repeats repeats) {
  if (!life_.operate()) {  // killed before
    return too_late();
  }
  if (put_.store_is_away) {
    ++put_.refused;
    return fail(Code::store_unavailable, "the simulated store is away");
  }
  if (auto done = kept_.put(records, repeats); !done) {
    put_.violations.push_back(fmt::format("the store refuses records: {}", done.error().message));
    return done;
  }
  for (const std::string_view record : records) {
    note(record, repeats);
  }
  return life_.operate() ? Result<void>() : too_late();  // or behind it, with nobody left who knows
}

Result<store::RequestPage> MortalStore::Requests::list(const store::RequestQuery& query) {
  return life_.operate() ? kept_.list(query) : Result<store::RequestPage>(too_late());
}

Result<void> MortalStore::Requests::visit(std::string_view from,
                                          const std::function<void(std::string_view record)>& show) {
  return life_.operate() ? kept_.visit(from, show) : too_late();
}

}  // namespace weir::sim

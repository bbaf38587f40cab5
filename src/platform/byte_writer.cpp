#include "platform/byte_writer.hpp"

#include <coroutine>
#include <vector>

namespace weir::platform {

namespace {

/// What is left of `slices` after `written` bytes.
std::vector<std::string_view> rest_of(std::span<const std::string_view> slices, std::size_t written) {
  std::vector<std::string_view> rest;
  for (std::string_view slice : slices) {
    const std::size_t gone = std::min(written, slice.size());
    written -= gone;
    slice.remove_prefix(gone);
    if (!slice.empty()) {
      rest.push_back(slice);
    }
  }
  return rest;
}

/// One write, at once or when the loop lets it leave.
class Departure final : public HeldWrite, public ReadyHook {
 public:
  Departure(Loop& loop, Stream& stream, std::span<const std::string_view> slices)
      : loop_(loop), stream_(stream), slices_(slices) {}
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;
  ~Departure() = default;

  bool await_ready() {
    if (loop_.hold(*this)) {
      return false;
    }
    written_ = stream_.write_now(slices_);
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
  [[nodiscard]] IoResult await_resume() const { return written_; }

 private:
  void leave() override {
    written_ = stream_.write_now(slices_);
    loop_.make_ready(*this);
  }
  void resume() override { waiting_.resume(); }

  Loop& loop_;
  Stream& stream_;
  std::span<const std::string_view> slices_;
  std::coroutine_handle<> waiting_;
  IoResult written_;
};

}  // namespace

Task<std::expected<void, Code>> ByteWriter::write(std::span<const std::string_view> slices, Until until,
                                                  Duration stall_max) {
  std::size_t left = 0;
  for (const std::string_view slice : slices) {
    left += slice.size();
  }
  const std::size_t all = left;
  std::vector<std::string_view> rest;  // only when not all went at once
  while (left > 0) {
    const IoResult written = co_await Departure(loop_, stream_, slices);
    if (!written) {
      untouched_ = false;
      co_return std::unexpected(written.error());
    }
    left -= *written;
    if (left == 0) {
      break;
    }
    rest = rest_of(slices, *written);
    slices = rest;
    if (*written == 0) {
      room_.clear();
      stream_.start_writable(*this);
      const Instant full = loop_.now();
      const Instant patience = stall_max == Duration::max() ? never : full + stall_max;
      const Wake wake = co_await room_.wait(until.at_most(patience));
      stalled_ += loop_.now() - full;
      if (wake != Wake::notified) {
        untouched_ = left == all && !stream_.holds_uncounted();
        co_return std::unexpected(code_of(wake));
      }
    }
  }
  co_return std::expected<void, Code>();
}

}  // namespace weir::platform

#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace weir {

/// Memory for what comes and goes with every call, above all coroutine frames and read buffers: freed blocks are kept
/// per thread by size class and handed out again, so that a call in the steady state asks the allocator for none.
/// Blocks over 4 KiB go to the allocator. Switched off in sanitizer builds (WEIR_NO_RECYCLING), which must see what is
/// freed as freed.
void* allocate_recycled(std::size_t bytes);
/// `bytes`: as it was allocated.
void free_recycled(void* block, std::size_t bytes) noexcept;

/// For containers and shared objects that come and go with a call.
template <class T>
struct RecycledAllocator {
  using value_type = T;

  RecycledAllocator() = default;
  template <class U>
  RecycledAllocator(const RecycledAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as allocators do
  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(allocate_recycled(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { free_recycled(block, count * sizeof(T)); }
  friend bool operator==(const RecycledAllocator&, const RecycledAllocator&) = default;
};

template <class T>
using RecycledVector = std::vector<T, RecycledAllocator<T>>;

/// Uninitialised bytes out of recycled memory.
class RecycledBytes {
 public:
  RecycledBytes() = default;
  explicit RecycledBytes(std::size_t size) : data_(static_cast<char*>(allocate_recycled(size))), size_(size) {}
  RecycledBytes(RecycledBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  RecycledBytes& operator=(RecycledBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  RecycledBytes(const RecycledBytes&) = delete;
  RecycledBytes& operator=(const RecycledBytes&) = delete;
  ~RecycledBytes() {
    if (data_ != nullptr) {
      free_recycled(data_, size_);
    }
  }
  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weir

#include "platform/recycled_memory.hpp"

#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace weir {

#ifdef WEIR_NO_RECYCLING

void* allocate_recycled(std::size_t bytes) {
  return ::operator new(bytes);
}
void free_recycled(void* block, std::size_t) noexcept {
  ::operator delete(block);
}

#else

namespace {

constexpr std::size_t class_bytes = 64;        // blocks are rounded up to a multiple of this
constexpr std::size_t classes = 64;            // up to 4 KiB
constexpr std::uint32_t kept_per_class = 256;  // bounds what an idle thread holds on to

struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* head = nullptr;
  std::uint32_t length = 0;
};

struct BlockCache {
  std::array<FreeList, classes> lists;
  ~BlockCache() {
    for (FreeList& list : lists) {
      while (list.head != nullptr) {
        ::operator delete(std::exchange(list.head, list.head->next));
      }
    }
  }
};

thread_local BlockCache cache;

}  // namespace

void* allocate_recycled(std::size_t bytes) {
  const std::size_t size_class = (bytes - 1) / class_bytes;
  if (size_class >= classes) {
    return ::operator new(bytes);
  }
  FreeList& list = cache.lists[size_class];
  if (list.head == nullptr) {
    return ::operator new((size_class + 1) * class_bytes);
  }
  --list.length;
  return std::exchange(list.head, list.head->next);
}

void free_recycled(void* block, std::size_t bytes) noexcept {
  const std::size_t size_class = (bytes - 1) / class_bytes;
  if (size_class >= classes || cache.lists[size_class].length >= kept_per_class) {
    ::operator delete(block);
    return;
  }
  FreeList& list = cache.lists[size_class];
  list.head = new (block) FreeBlock{list.head};
  ++list.length;
}

#endif

}  // namespace weir

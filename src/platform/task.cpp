#include "platform/task.hpp"

#include <array>

namespace weir {

#ifdef WEIR_NO_FRAME_RECYCLING

void* allocate_frame(std::size_t bytes) {
  return ::operator new(bytes);
}
void free_frame(void* frame, std::size_t) noexcept {
  ::operator delete(frame);
}

#else

namespace {

constexpr std::size_t class_bytes = 128;       // frames are rounded up to a multiple of this
constexpr std::size_t classes = 32;            // up to 4 KiB; larger frames go to the allocator
constexpr std::uint32_t kept_per_class = 256;  // bounds what an idle thread holds on to

struct FreeFrame {
  FreeFrame* next;
};

struct FreeList {
  FreeFrame* head = nullptr;
  std::uint32_t length = 0;
};

struct FrameCache {
  std::array<FreeList, classes> lists;
  ~FrameCache() {
    for (FreeList& list : lists) {
      while (list.head != nullptr) {
        ::operator delete(std::exchange(list.head, list.head->next));
      }
    }
  }
};

thread_local FrameCache cache;

}  // namespace

void* allocate_frame(std::size_t bytes) {
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

void free_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t size_class = (bytes - 1) / class_bytes;
  if (size_class >= classes || cache.lists[size_class].length >= kept_per_class) {
    ::operator delete(frame);
    return;
  }
  FreeList& list = cache.lists[size_class];
  list.head = new (frame) FreeFrame{list.head};
  ++list.length;
}

#endif

}  // namespace weir

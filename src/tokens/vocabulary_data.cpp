#include "tokens/vocabulary_data.hpp"

#include <sys/mman.h>

#include <cstdint>

// The assembler's .incbin: an array of numbers would cost the compiler seconds and half a gigabyte.
#ifdef WEIR_TOKEN_DATA
asm(R"(
  .section .rodata.weir_vocabularies, "a", @progbits
  .globl weir_cl100k_base_begin, weir_cl100k_base_end, weir_o200k_base_begin, weir_o200k_base_end
  .hidden weir_cl100k_base_begin, weir_cl100k_base_end, weir_o200k_base_begin, weir_o200k_base_end
  .balign 4096
weir_cl100k_base_begin:
  .incbin ")" WEIR_TOKEN_DATA R"(/cl100k_base.json"
weir_cl100k_base_end:
weir_o200k_base_begin:
  .incbin ")" WEIR_TOKEN_DATA R"(/o200k_base.json"
weir_o200k_base_end:
  .balign 4096
  .text
)");
extern "C" {
extern const char weir_cl100k_base_begin[];
extern const char weir_cl100k_base_end[];
extern const char weir_o200k_base_begin[];
extern const char weir_o200k_base_end[];
}
#endif

namespace weir::tokens {

std::string_view vocabulary_data(Encoding encoding) {
#ifdef WEIR_TOKEN_DATA
  return encoding == Encoding::cl100k_base ? std::string_view(weir_cl100k_base_begin, weir_cl100k_base_end)
                                           : std::string_view(weir_o200k_base_begin, weir_o200k_base_end);
#else
  static_cast<void>(encoding);
  return {};
#endif
}

void forget_vocabulary_data(Encoding encoding) {
  const std::string_view data = vocabulary_data(encoding);
  if (data.empty()) {
    return;
  }
  constexpr std::uintptr_t page = 4096;
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data.data()) & ~(page - 1);
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(data.data()) + data.size()) & ~(page - 1);
  if (end > begin) {
    // Pages of a file that nobody writes: whoever reads them again gets them from the file.
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));
  }
}

}  // namespace weir::tokens

#include "base/ids.hpp"

namespace weir {

std::string make_request_id(std::uint64_t milliseconds, std::uint64_t random_high, std::uint64_t random_low) {
  constexpr char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id = "req_00000000000000000000000000";
  constexpr std::size_t prefix = 4;
  for (std::size_t i = 0; i < 10; ++i) {
    id[prefix + 9 - i] = digits[(milliseconds >> (5 * i)) & 31];
  }
  for (std::size_t i = 0; i < 8; ++i) {
    id[prefix + 10 + i] = digits[(random_high >> (5 * i)) & 31];
    id[prefix + 18 + i] = digits[(random_low >> (5 * i)) & 31];
  }
  return id;
}

}  // namespace weir

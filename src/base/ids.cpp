#include "base/ids.hpp"

#include <algorithm>

namespace weir {

namespace {

constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t id_digits = 26;

}  // namespace

std::string make_request_id(std::uint64_t milliseconds, std::uint64_t random_high, std::uint64_t random_low) {
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

bool is_id(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return text.size() == id_digits && text.front() <= '7' &&  // of 48 bits three are left for the first digit
         std::ranges::all_of(text, [](char c) { return digits.contains(c); });
}

}  // namespace weir

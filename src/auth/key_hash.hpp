#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace weir::auth {

/// HMAC-SHA-256 of a key's text: what is kept and compared in its place.
using KeyHash = std::array<std::uint8_t, 32>;

/// Equal, in a time that does not tell where they differ.
[[nodiscard]] bool same(const KeyHash& a, const KeyHash& b);

/// Hashes keys under one master key. Immutable; any thread may ask.
class KeyHasher {
 public:
  explicit KeyHasher(std::span<const std::uint8_t> master);
  ~KeyHasher();
  KeyHasher(const KeyHasher&) = delete;
  KeyHasher& operator=(const KeyHasher&) = delete;
  /// Under a master key that this process alone has and nobody keeps: for keys that are hashed anew at each start.
  static std::shared_ptr<const KeyHasher> for_this_process();

  [[nodiscard]] KeyHash operator()(std::string_view key_text) const;

 private:
  struct States;
  std::unique_ptr<States> states_;
};

}  // namespace weir::auth

// SHA-256's own functions, which OpenSSL 3 calls deprecated, because HMAC through EVP_MAC costs 0.66 us a key with a
// context for each core, and 1.7 us with one that can be shared; this costs 0.37 us and shares two states.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/key_hash.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/assert.hpp"

namespace weir::auth {

/// SHA-256 after the first block of HMAC's inner and outer hash (RFC 2104): they depend on the master key alone.
struct KeyHasher::States {
  SHA256_CTX inner;
  SHA256_CTX outer;
};

namespace {

constexpr std::size_t block_bytes = 64;

void begin(SHA256_CTX& state, std::span<const std::uint8_t> master, std::uint8_t pad) {
  std::array<std::uint8_t, block_bytes> block{};
  std::ranges::copy(master, block.begin());
  for (std::uint8_t& byte : block) {
    byte ^= pad;
  }
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

bool same(const KeyHash& a, const KeyHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

KeyHasher::KeyHasher(std::span<const std::uint8_t> master) : states_(std::make_unique<States>()) {
  WEIR_ASSERT(master.size() <= block_bytes, "a longer master key would have to be hashed first");
  begin(states_->inner, master, 0x36);
  begin(states_->outer, master, 0x5c);
}

KeyHasher::~KeyHasher() {
  OPENSSL_cleanse(states_.get(), sizeof(States));
}

std::shared_ptr<const KeyHasher> KeyHasher::for_this_process() {
  std::array<std::uint8_t, 32> master{};
  const int made = RAND_priv_bytes(master.data(), static_cast<int>(master.size()));
  WEIR_ASSERT(made == 1, "a master key that can be guessed protects nothing");
  auto hasher = std::make_shared<const KeyHasher>(master);
  OPENSSL_cleanse(master.data(), master.size());
  return hasher;
}

KeyHash KeyHasher::operator()(std::string_view key_text) const {
  SHA256_CTX inner = states_->inner;
  KeyHash digest;
  SHA256_Update(&inner, key_text.data(), key_text.size());
  SHA256_Final(digest.data(), &inner);
  SHA256_CTX outer = states_->outer;
  SHA256_Update(&outer, digest.data(), digest.size());
  SHA256_Final(digest.data(), &outer);
  return digest;
}

}  // namespace weir::auth

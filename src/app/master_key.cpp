#include "app/master_key.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <optional>

#include "base/assert.hpp"

namespace weir::app {

namespace {

constexpr std::size_t key_bytes = 32;
using KeyBytes = std::array<std::uint8_t, key_bytes>;

std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint8_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<std::uint8_t>(c - 'a' + 10);
  }
  return std::nullopt;
}

bool read_hex(std::string_view text, KeyBytes& bytes) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  if (text.size() != 2 * key_bytes) {
    return false;
  }
  for (std::size_t i = 0; i < key_bytes; ++i) {
    const auto high = digit(text[2 * i]);
    const auto low = digit(text[2 * i + 1]);
    if (!high || !low) {
      return false;
    }
    bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return true;
}

/// Written whole and synced before anything is hashed under it.
Result<void> write_new(platform::Files& files, const std::string& path, KeyBytes& bytes) {
  const int made = RAND_priv_bytes(bytes.data(), static_cast<int>(bytes.size()));
  WEIR_ASSERT(made == 1, "a master key that can be guessed protects nothing");
  std::string text;
  for (const std::uint8_t byte : bytes) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  text += '\n';
  auto file = files.open_append(path);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  auto written = (*file)->append(text);
  OPENSSL_cleanse(text.data(), text.size());
  return written ? (*file)->sync() : written;
}

}  // namespace

Result<MasterKey> open_master_key(platform::Files& files, const std::string& data_dir) {
  const std::string path = data_dir + "/master.key";
  // Makes the file where it is not there. Two processes that start at once agree on one key.
  const auto lock = files.lock(path);
  if (!lock) {
    return std::unexpected(lock.error());
  }
  auto text = files.read(path);
  if (!text) {
    return std::unexpected(std::move(text.error()));
  }
  KeyBytes bytes{};
  MasterKey key;
  if (text->empty()) {
    if (*lock == nullptr) {
      return fail(Code::io_error, fmt::format("{} is being written by another process; start again", path));
    }
    if (auto written = write_new(files, path, bytes); !written) {
      return std::unexpected(std::move(written.error()));
    }
    key.made_now = true;
  } else if (!read_hex(*text, bytes)) {
    return fail(Code::io_error,
                fmt::format("{} does not hold 64 hexadecimal digits. Put it back from a backup; without it the keys in "
                            "the store open nothing, and if that may be, remove the file",
                            path));
  }
  key.hasher = std::make_shared<const auth::KeyHasher>(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  OPENSSL_cleanse(text->data(), text->size());
  return key;
}

}  // namespace weir::app

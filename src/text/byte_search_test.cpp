#include "text/byte_search.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace weir::text::detail {
namespace {

/// A copy that ends where its allocation ends, so that a sanitizer sees a read behind it.
struct Exact {
  explicit Exact(std::string_view text) : bytes(std::make_unique<char[]>(text.size())), size(text.size()) {
    text.copy(bytes.get(), size);
  }
  [[nodiscard]] const char* begin() const { return bytes.get(); }
  [[nodiscard]] const char* end() const { return bytes.get() + size; }

  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

TEST(ByteSearch, finds_every_string_stop_at_every_place) {
  for (std::size_t size = 0; size <= 150; ++size) {
    for (std::size_t place = 0; place <= size; ++place) {
      std::string text(size, 'x');
      if (place < size) {
        text[place] = "\"\\\n\x1f"[place % 4];
      }
      const Exact exact(text);
      bool non_ascii = false;
      EXPECT_EQ(find_string_stop(exact.begin(), exact.end(), non_ascii), exact.begin() + place) << size;
      EXPECT_FALSE(non_ascii) << size << " " << place;
      EXPECT_EQ(find_string_stop_by_byte(exact.begin(), exact.end(), non_ascii), exact.begin() + place) << size;
      EXPECT_FALSE(non_ascii);
    }
  }
}

TEST(ByteSearch, notices_every_byte_beyond_ascii_in_front_of_the_stop) {
  for (std::size_t size = 1; size <= 150; ++size) {
    for (std::size_t place = 0; place + 1 < size; ++place) {
      std::string text(size, 'x');
      text[place] = '\x80';
      text[size - 1] = '"';
      const Exact exact(text);
      bool by_vector = false;
      bool by_byte = false;
      EXPECT_EQ(find_string_stop(exact.begin(), exact.end(), by_vector), exact.end() - 1);
      EXPECT_EQ(find_string_stop_by_byte(exact.begin(), exact.end(), by_byte), exact.end() - 1);
      EXPECT_TRUE(by_vector) << size << " " << place;
      EXPECT_TRUE(by_byte) << size << " " << place;
    }
  }
}

TEST(ByteSearch, each_byte_value_is_judged_alike_by_vector_and_by_byte) {
  for (int value = 0; value < 256; ++value) {
    const Exact exact(std::string(20, static_cast<char>(value)));
    bool non_ascii = false;
    const char* vector = find_string_stop(exact.begin(), exact.end(), non_ascii);
    const char* byte = find_string_stop_by_byte(exact.begin(), exact.end(), non_ascii);
    EXPECT_EQ(vector, byte) << value;
    EXPECT_EQ(find_structure(exact.begin(), exact.end()), find_structure_by_byte(exact.begin(), exact.end())) << value;
  }
}

TEST(ByteSearch, random_texts_give_the_same_places_by_vector_and_by_byte) {
  std::mt19937 random(20261);
  constexpr std::string_view alphabet = "abcdefgh ,:0123\"\\{}[]\xc3";
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 200, ' ');
    for (char& c : text) {
      c = random() % 20 == 0 ? alphabet[random() % alphabet.size()] : 'a';
    }
    const Exact exact(text);
    for (const char* at = exact.begin(); at != exact.end(); ++at) {
      bool ignored = false;
      ASSERT_EQ(find_string_stop(at, exact.end(), ignored), find_string_stop_by_byte(at, exact.end(), ignored)) << text;
      ASSERT_EQ(find_structure(at, exact.end()), find_structure_by_byte(at, exact.end())) << text;
    }
  }
}

}  // namespace
}  // namespace weir::text::detail

// Vectors in both encodings: exact, and only where they are not as asked.
#include "dialects/openai/embeddings.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace weir::openai {
namespace {

Request asking(EncodingFormat format) {
  Request request;
  request.encoding_format = format;
  return request;
}
std::string reply(std::string_view embedding) {
  return "{\"object\":\"list\", \"data\" : [ {\"object\":\"embedding\",\"index\":0,\"embedding\" : " +
         std::string(embedding) + " ,\"x\":1e999} ],\"model\":\"m\",\"usage\":{\"prompt_tokens\":1.0}}\n";
}
std::string converted(EncodingFormat format, std::string_view embedding) {
  const auto result = in_asked_encoding(asking(format), reply(embedding));
  EXPECT_TRUE(result && *result) << embedding << ": " << (result ? "unchanged" : result.error());
  return result && *result ? **result : std::string();
}

TEST(Embeddings, numbers_become_base64_of_little_endian_float32_and_back) {
  EXPECT_EQ(converted(EncodingFormat::base64, "[1, -2.5,0,-0.0]"), reply("\"AACAPwAAIMAAAAAAAAAAgA==\""));
  EXPECT_EQ(converted(EncodingFormat::floats, "\"AACAPwAAIMAAAAAAAAAAgA==\""), reply("[1,-2.5,0,-0.0]"));
  EXPECT_EQ(converted(EncodingFormat::floats, R"("AACAPwAAIMAAAAAAAAAAgA\u003d\u003d")"), reply("[1,-2.5,0,-0.0]"));
  EXPECT_EQ(converted(EncodingFormat::absent, "\"AACAPw\""), reply("[1]")) << "numbers are the documented default";
  EXPECT_EQ(converted(EncodingFormat::base64, "[ ]"), reply("\"\""));
  EXPECT_EQ(converted(EncodingFormat::floats, "\"\""), reply("[]"));
}

TEST(Embeddings, what_is_as_asked_or_no_vector_stays_as_it_is) {
  const auto untouched = [](EncodingFormat format, std::string_view embedding) {
    const auto result = in_asked_encoding(asking(format), reply(embedding));
    return result && !*result && !has_other_encoding(asking(format), reply(embedding));
  };
  EXPECT_TRUE(untouched(EncodingFormat::floats, "[0.1,1e-7]"));
  EXPECT_TRUE(untouched(EncodingFormat::absent, "[0.10]"));
  EXPECT_TRUE(untouched(EncodingFormat::base64, "\"AACAPw==\""));
  EXPECT_TRUE(untouched(EncodingFormat::other, "\"AACAPw==\""));
  EXPECT_TRUE(untouched(EncodingFormat::other, "[1,2]"));
  EXPECT_TRUE(untouched(EncodingFormat::floats, "null"));
  for (const std::string_view odd : {R"({"data":[],"model":"m"})", R"({"data":[{"index":0}]})", R"({"data":[[1]]})"}) {
    const auto result = in_asked_encoding(asking(EncodingFormat::base64), odd);
    EXPECT_TRUE(result && !*result) << odd;
  }
  const auto lists = in_asked_encoding(asking(EncodingFormat::base64), reply("[[0.5],[0.25]]"));
  EXPECT_TRUE(lists && !*lists) << "a list of vectors has no base64 form";
}

TEST(Embeddings, the_start_of_a_reply_tells_its_encoding) {
  const std::string numbers = reply("[0.5,0.25]");
  EXPECT_TRUE(has_other_encoding(asking(EncodingFormat::base64), numbers));
  EXPECT_FALSE(has_other_encoding(asking(EncodingFormat::base64), R"({"data":[{"object":"embedding")"));
  EXPECT_FALSE(has_other_encoding(asking(EncodingFormat::base64), R"({"data":[{"embedding":)"));
  EXPECT_TRUE(has_other_encoding(asking(EncodingFormat::base64), R"({"data":[{"embedding" : [)"));
  EXPECT_TRUE(has_other_encoding(asking(EncodingFormat::floats), R"({"data":[{"embedding":"A)"));
}

TEST(Embeddings, only_the_vectors_change_and_each_that_has_to) {
  const std::string body = R"({"data":[{"embedding":[1]},{"embedding":"AACAPw=="},{"embedding":[-2.5]}]})";
  EXPECT_EQ(**in_asked_encoding(asking(EncodingFormat::base64), body),
            R"({"data":[{"embedding":"AACAPw=="},{"embedding":"AACAPw=="},{"embedding":"AAAgwA=="}]})");
}

TEST(Embeddings, a_vector_that_cannot_be_written_so_is_told_and_not_guessed) {
  const auto wrong = [](EncodingFormat format, std::string_view embedding) {
    const auto result = in_asked_encoding(asking(format), reply(embedding));
    return result ? std::string() : std::string(result.error());
  };
  EXPECT_NE(wrong(EncodingFormat::base64, "[1e39]"), "");
  EXPECT_NE(wrong(EncodingFormat::base64, "[1e999]"), "");
  EXPECT_NE(wrong(EncodingFormat::floats, "\"AACAfw==\""), "") << "infinity";
  EXPECT_NE(wrong(EncodingFormat::floats, "\"AADAfw==\""), "") << "not a number";
  EXPECT_NE(wrong(EncodingFormat::floats, "\"AACAPwA=\""), "") << "not whole";
  EXPECT_NE(wrong(EncodingFormat::floats, "\"no base64!\""), "");
  EXPECT_EQ(converted(EncodingFormat::base64, "[1e-50,-1e-999]"), reply("\"AAAAAAAAAIA=\"")) << "next to zero is zero";
}

/// A decimal exactly between two float32 goes to the even one; rounding through double would go wrong.
TEST(Embeddings, a_decimal_is_rounded_once) {
  // 1 + 2^-24 + 2^-60: just above the middle of two float32, on the middle once rounded to double.
  EXPECT_EQ(converted(EncodingFormat::base64, "[1.00000005960464477540901]"), reply("\"AQCAPw==\""));
}

TEST(Embeddings, every_float32_survives_both_ways) {
  std::mt19937 random(7);
  std::vector<float> vector{std::numeric_limits<float>::denorm_min(),
                            std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::lowest(),
                            std::numeric_limits<float>::min(),
                            16777216.0F,
                            1e-5F,
                            0.1F};
  while (vector.size() < 20'000) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (value - value == 0.0F) {
      vector.push_back(value);
    }
  }
  std::string numbers;
  append_floats(numbers, vector);
  std::string encoded;
  append_base64(encoded, vector);
  EXPECT_EQ(converted(EncodingFormat::base64, numbers), reply(encoded));
  EXPECT_EQ(converted(EncodingFormat::floats, encoded), reply(numbers));
}

}  // namespace
}  // namespace weir::openai

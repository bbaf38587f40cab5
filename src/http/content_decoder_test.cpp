#include "http/content_decoder.hpp"

#include <brotli/encode.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "http/test_codings.hpp"

namespace weir::http {
namespace {

using Kind = ContentDecoder::Kind;

std::string brotli(std::string_view text) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 100;
  std::string out(size, '\0');
  EXPECT_TRUE(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                                    reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                    reinterpret_cast<std::uint8_t*>(out.data())));
  out.resize(size);
  return out;
}

std::string encoded(ContentCoding coding, std::string_view text) {
  switch (coding) {
    case ContentCoding::gzip: return gzip(text);
    case ContentCoding::deflate: return zlib_encoded(text, MAX_WBITS);
    case ContentCoding::br: return brotli(text);
    case ContentCoding::zstd: return zstd(text);
    case ContentCoding::identity: break;
  }
  return std::string(text);
}

/// Ordinary text that compresses, and is not the same everywhere.
std::string sample(std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    text += "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::to_string(i * 7919 % 1000) + "\"}}]}\n\n";
  }
  return text;
}

// Feeds one piece and takes all that comes out of it; false after an error.
bool feed(ContentDecoder& decoder, std::string_view bytes, std::size_t room_bytes, std::string& out) {
  std::vector<char> room(room_bytes);
  for (int steps = 0; steps < 1'000'000; ++steps) {
    const auto step = decoder.next(bytes, room);
    EXPECT_LE(step.consumed, bytes.size());
    EXPECT_LE(step.produced, room.size());
    bytes.remove_prefix(step.consumed);
    out.append(room.data(), step.produced);
    if (step.kind == Kind::error) {
      EXPECT_STRNE(decoder.reason(), "");
      EXPECT_FALSE(decoder.complete());
      EXPECT_EQ(decoder.next(bytes, room).kind, Kind::error) << "an error stays";
      return false;
    }
    if (step.kind == Kind::need_more) {
      EXPECT_TRUE(bytes.empty()) << "need_more leaves nothing";
      return true;
    }
    EXPECT_TRUE(step.consumed + step.produced != 0) << "a step that does nothing would be asked for ever";
    if (step.consumed + step.produced == 0) {
      return false;
    }
  }
  ADD_FAILURE() << "it never ends";
  return false;
}

std::string decoded(ContentCoding coding, std::string_view bytes) {
  ContentDecoder decoder(coding);
  std::string out;
  if (!feed(decoder, bytes, 4096, out)) {
    return std::string("error: ") + decoder.reason();
  }
  return decoder.complete() ? out : "not complete";
}

class ContentDecoderTest : public testing::TestWithParam<ContentCoding> {};
INSTANTIATE_TEST_SUITE_P(Codings, ContentDecoderTest,
                         testing::Values(ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br,
                                         ContentCoding::zstd),
                         [](const auto& coding) { return std::string(to_string(coding.param)); });

TEST_P(ContentDecoderTest, gives_the_same_however_the_bytes_are_cut_and_however_small_the_room) {
  const std::string text = sample(40);
  const std::string bytes = encoded(GetParam(), text);
  ASSERT_LT(bytes.size(), text.size());
  for (const std::size_t room : {std::size_t{1}, std::size_t{7}, std::size_t{65536}}) {
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      ContentDecoder decoder(GetParam());
      std::string out;
      ASSERT_TRUE(feed(decoder, std::string(bytes.substr(0, cut)), room, out));
      ASSERT_EQ(decoder.complete(), cut == 0 || cut == bytes.size()) << cut;
      ASSERT_TRUE(feed(decoder, std::string(bytes.substr(cut)), room, out));
      ASSERT_EQ(out, text);
      ASSERT_TRUE(decoder.complete());
    }
  }
}

TEST_P(ContentDecoderTest, takes_the_bytes_one_at_a_time) {
  const std::string text = sample(40);
  ContentDecoder decoder(GetParam());
  std::string out;
  for (const char byte : encoded(GetParam(), text)) {
    ASSERT_TRUE(feed(decoder, std::string(1, byte), 100, out));
  }
  EXPECT_EQ(out, text);
  EXPECT_TRUE(decoder.complete());
}

TEST_P(ContentDecoderTest, stops_at_the_limit_on_what_comes_out) {
  const std::string text(1'000'000, 'a');
  const std::string bytes = encoded(GetParam(), text);
  for (const auto& [limit, fits] :
       {std::pair(text.size(), true), std::pair(text.size() - 1, false), std::pair(std::size_t{0}, false)}) {
    ContentDecoder decoder(GetParam(), limit);
    std::string out;
    EXPECT_EQ(feed(decoder, bytes, 10'000, out), fits);
    EXPECT_EQ(out.size(), limit);
    EXPECT_EQ(decoder.too_large(), !fits);
  }
}

TEST_P(ContentDecoderTest, a_bomb_costs_one_room_and_the_window) {
  std::string nothing;
  nothing.resize(64'000'000);
  std::string bytes = encoded(GetParam(), nothing);
  EXPECT_LT(bytes.size(), 100'000U);
  ContentDecoder decoder(GetParam(), 1'000'000);
  std::string out;
  EXPECT_FALSE(feed(decoder, bytes, 65'536, out));
  EXPECT_TRUE(decoder.too_large());
  EXPECT_GT(decoder.memory_bytes(), 1000U) << "what the library holds is told";
  EXPECT_LT(decoder.memory_bytes(), 18U << 20);
}

TEST_P(ContentDecoderTest, refuses_what_is_not_its_coding) {
  for (const std::string text : {"{\"model\":\"x\"}", "\x1f\x8b\x08 not really", "\xff\xff\xff\xff\xff\xff\xff\xff"}) {
    ContentDecoder decoder(GetParam());
    std::string out;
    const bool taken = feed(decoder, text, 4096, out);
    EXPECT_TRUE(!taken || !decoder.complete()) << text;
    EXPECT_FALSE(decoder.too_large());
  }
}

TEST_P(ContentDecoderTest, survives_a_damaged_byte_anywhere) {
  const std::string text = sample(40);
  const std::string bytes = encoded(GetParam(), text);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    ContentDecoder decoder(GetParam(), 10'000'000);
    std::string out;
    feed(decoder, damaged, 4096, out);  // no crash, no endless loop; feed() checks the rest
  }
}

TEST_P(ContentDecoderTest, gives_a_flushed_part_at_once) {
  // An encoded event stream stays a stream: what the server flushed comes out before anything follows it.
  const std::string text = sample(10);
  std::string out;
  if (GetParam() == ContentCoding::gzip || GetParam() == ContentCoding::deflate) {
    const std::string bytes = zlib_encoded(text, GetParam() == ContentCoding::gzip ? MAX_WBITS + 16 : MAX_WBITS, true);
    ContentDecoder decoder(GetParam());
    for (std::size_t at = 0; at < bytes.size() && out.size() < text.size() / 2; ++at) {
      ASSERT_TRUE(feed(decoder, bytes.substr(at, 1), 4096, out));
    }
    EXPECT_EQ(out, text.substr(0, text.size() / 2));
    return;
  }
  if (GetParam() == ContentCoding::br) {
    BrotliEncoderState* encoder = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
    std::vector<std::uint8_t> room(10'000);
    std::size_t in = text.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(text.data());
    std::size_t left = room.size();
    std::uint8_t* to = room.data();
    ASSERT_TRUE(BrotliEncoderCompressStream(encoder, BROTLI_OPERATION_FLUSH, &in, &next, &left, &to, nullptr));
    ContentDecoder decoder(ContentCoding::br);
    ASSERT_TRUE(feed(decoder, {reinterpret_cast<char*>(room.data()), room.size() - left}, 4096, out));
    BrotliEncoderDestroyInstance(encoder);
  } else {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    std::string room(10'000, '\0');
    ZSTD_inBuffer input{text.data(), text.size(), 0};
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    ASSERT_EQ(ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush), 0U);
    ContentDecoder decoder(ContentCoding::zstd);
    ASSERT_TRUE(feed(decoder, std::string_view(room).substr(0, output.pos), 4096, out));
    EXPECT_FALSE(decoder.complete()) << "the frame goes on";
    ZSTD_freeCCtx(context);
  }
  EXPECT_EQ(out, text);
}

TEST(ContentDecoder, members_and_frames_may_follow_each_other) {
  EXPECT_EQ(decoded(ContentCoding::gzip, gzip("one ") + gzip("") + gzip("two")), "one two");
  EXPECT_EQ(decoded(ContentCoding::zstd, zstd("one ") + zstd("two")), "one two");
  EXPECT_EQ(decoded(ContentCoding::zstd, zstd("one ") + zstd("two").substr(0, 6)), "not complete");
  EXPECT_EQ(decoded(ContentCoding::gzip, gzip("one ") + gzip("two").substr(0, 12)), "not complete");
}

TEST(ContentDecoder, what_follows_the_end_is_refused) {
  EXPECT_EQ(decoded(ContentCoding::gzip, gzip("one") + "rest"), "error: it is not gzip");
  EXPECT_EQ(decoded(ContentCoding::deflate, zlib_encoded("one", MAX_WBITS) + "rest"), "error: bytes follow its end");
  EXPECT_EQ(decoded(ContentCoding::br, brotli("one") + "rest"), "error: bytes follow its end");
  EXPECT_EQ(decoded(ContentCoding::zstd, zstd("one") + "rest"), "error: it is not zstd");
  ContentDecoder later(ContentCoding::br);
  std::string out;
  EXPECT_TRUE(feed(later, brotli("one"), 100, out));
  EXPECT_FALSE(feed(later, "x", 100, out));
}

TEST(ContentDecoder, reads_deflate_without_its_header_too) {
  const std::string text = sample(10);
  EXPECT_EQ(decoded(ContentCoding::deflate, zlib_encoded(text, -MAX_WBITS)), text);
  EXPECT_EQ(decoded(ContentCoding::deflate, zlib_encoded("", -MAX_WBITS)), "");
  const std::string two_bytes = zlib_encoded("", -MAX_WBITS);
  ASSERT_EQ(two_bytes.size(), 2U);
  EXPECT_EQ(decoded(ContentCoding::deflate, two_bytes.substr(0, 1)), "not complete");
}

TEST(ContentDecoder, refuses_a_zstd_window_beyond_8_mib) {
  const std::string text = sample(600'000);
  ASSERT_GT(text.size(), 16U << 20);
  EXPECT_EQ(decoded(ContentCoding::zstd, zstd(text, 23)), text);
  EXPECT_EQ(decoded(ContentCoding::zstd, zstd(text, 24)), "error: its zstd window is larger than 8 MiB");
}

TEST(ContentDecoder, identity_passes_everything) {
  EXPECT_EQ(decoded(ContentCoding::identity, sample(200)), sample(200));
  ContentDecoder limited(ContentCoding::identity, 3);
  std::string out;
  EXPECT_FALSE(feed(limited, "abcd", 100, out));
  EXPECT_EQ(out, "abc");
  EXPECT_TRUE(limited.too_large());
}

TEST(ContentEncoding, names_are_read_as_the_field_has_them) {
  for (const auto& [field, coding] : std::vector<std::pair<std::string_view, std::optional<ContentCoding>>>{
           {"", ContentCoding::identity},
           {"identity", ContentCoding::identity},
           {"GZip", ContentCoding::gzip},
           {"x-gzip", ContentCoding::gzip},
           {" deflate ", ContentCoding::deflate},
           {"br", ContentCoding::br},
           {"zstd", ContentCoding::zstd},
           {"identity, gzip,", ContentCoding::gzip},
           {"gzip, gzip", std::nullopt},
           {"br, gzip", std::nullopt},
           {"compress", std::nullopt},
           {"aws-chunked", std::nullopt},
       }) {
    EXPECT_EQ(parse_content_encoding(field), coding) << field;
  }
}

}  // namespace
}  // namespace weir::http

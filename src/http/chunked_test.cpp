#include "http/chunked.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace weir::http {
namespace {

using Kind = ChunkedDecoder::Kind;

struct Decoded {
  std::string payload;
  std::string end;           // "done", "more", or the reason of the error
  std::size_t consumed = 0;  // up to the end of the body, for "done"
  friend bool operator==(const Decoded&, const Decoded&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Decoded& decoded) {
    return out << '"' << decoded.payload << "\" " << decoded.end << ' ' << decoded.consumed;
  }
};

// Feeds the bytes in the pieces that end at `cuts`.
Decoded decode(std::string_view bytes, const std::vector<std::size_t>& cuts) {
  ChunkedDecoder decoder;
  Decoded decoded{.end = "more"};
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    std::string piece(bytes.substr(begin, cut - begin));
    std::string_view rest = piece;
    for (;;) {
      const auto step = decoder.next(rest);
      decoded.payload += step.payload;
      rest.remove_prefix(step.consumed);
      if (step.kind == Kind::payload) {
        EXPECT_FALSE(step.payload.empty());
        continue;
      }
      if (step.kind == Kind::done) {
        decoded.end = "done";
        decoded.consumed = cut - rest.size();
        return decoded;
      }
      if (step.kind == Kind::error) {
        decoded.end = decoder.reason();
        EXPECT_NE(decoded.end, "");
        EXPECT_EQ(decoder.next(rest).kind, Kind::error) << "an error stays";
        return decoded;
      }
      EXPECT_TRUE(rest.empty()) << "need_more leaves nothing";
      break;
    }
    begin = cut;
  }
  return decoded;
}

Decoded decode(std::string_view bytes) {
  return decode(bytes, {bytes.size()});
}

struct Row {
  const char* name;
  std::string bytes;
  std::string payload;
};

const std::vector<Row> accepted = {
    {"nothing", "0\r\n\r\n", ""},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"two chunks, hex in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a"},
    {"leading zeros", "0000000000000003\r\nabc\r\n000\r\n\r\n", "abc"},
    {"extensions", "3;name=value;other=\"quoted \xC3\xA9\"\r\nabc\r\n0;last\r\n\r\n", "abc"},
    {"trailers", "3\r\nabc\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n", "abc"},
    {"payload that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"},
};

TEST(ChunkedDecoder, gives_the_payload_and_leaves_what_follows) {
  for (const Row& row : accepted) {
    EXPECT_EQ(decode(row.bytes + "GET / HTTP/1.1"), (Decoded{row.payload, "done", row.bytes.size()})) << row.name;
  }
}

const std::vector<std::string> refused = {
    "\r\n",   // no size
    "g\r\n",  // no hex digit
    "-1\r\nx\r\n",
    "+1\r\nx\r\n",
    "0x1\r\nx\r\n",
    " 1\r\nx\r\n",
    "1 \r\nx\r\n",  // a blank behind the size
    "1 ;a\r\nx\r\n",
    "1\nx\n0\n\n",               // LF alone
    "1\rx",                      // CR alone
    "1;a\nb\r\nx\r\n0\r\n\r\n",  // LF in an extension: what smuggling through extensions needs
    "1;a\rb\r\nx\r\n0\r\n\r\n",
    "1;\x01\r\nx\r\n",
    "00000000000000001\r\nx\r\n",  // 17 digits
    "10000000000000000\r\n",       // beyond 64 bits
    "1\r\nxy\r\n",                 // longer than announced
    "1\r\nx\n",
    "1\r\nx\rx",
    "0\r\nX : 1\r\n\r\n",  // trailers are fields
    "0\r\n: 1\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\nX: \x01\r\n\r\n",
    "0\r\nX: 1\n\r\n",
    "0\r\nX: 1\rY",
    "0\r\n folded\r\n\r\n",
    "0\r\n\n",
    "0\r\n\rX",
};

TEST(ChunkedDecoder, refuses_what_another_parser_could_read_differently) {
  for (const std::string& bytes : refused) {
    const std::string end = decode(bytes).end;
    EXPECT_NE(end, "done") << testing::PrintToString(bytes);
    EXPECT_NE(end, "more") << testing::PrintToString(bytes);
  }
}

TEST(ChunkedDecoder, gives_the_same_in_any_cut) {
  std::vector<std::string> all = refused;
  for (const Row& row : accepted) {
    all.push_back(row.bytes + "next");
  }
  for (const std::string& bytes : all) {
    const Decoded whole = decode(bytes);
    std::vector<std::size_t> each_byte;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      EXPECT_EQ(decode(bytes, {cut, bytes.size()}), whole) << testing::PrintToString(bytes) << " cut at " << cut;
      each_byte.push_back(cut);
    }
    EXPECT_EQ(decode(bytes, each_byte), whole) << testing::PrintToString(bytes) << " byte by byte";
  }
}

TEST(ChunkedDecoder, wants_more_at_every_byte_before_the_end) {
  for (const Row& row : accepted) {
    for (std::size_t size = 0; size < row.bytes.size(); ++size) {
      EXPECT_EQ(decode(row.bytes.substr(0, size)).end, "more") << row.name << ' ' << size;
    }
  }
}

TEST(ChunkedDecoder, bounds_extensions_over_the_whole_body) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    bytes += "1;" + std::string(ChunkedDecoder::extension_bytes_max / 4, 'e') + "\r\nx\r\n";
  }
  EXPECT_EQ(decode(bytes + "0\r\n\r\n").end, "done");
  EXPECT_EQ(decode(bytes + "0;e\r\n\r\n").end, "the chunk extensions are too large");
  EXPECT_EQ(decode("1;" + std::string(100'000, 'e')).end, "the chunk extensions are too large");
}

TEST(ChunkedDecoder, bounds_trailers) {
  const std::string fits(ChunkedDecoder::trailer_bytes_max - 6, 'v');  // "X:" CRLF and the last CRLF
  EXPECT_EQ(decode("0\r\nX:" + fits + "\r\n\r\n").end, "done");
  EXPECT_EQ(decode("0\r\nX:v" + fits + "\r\n\r\n").end, "the trailers behind the chunked body are too large");
}

TEST(ChunkedDecoder, takes_a_chunk_far_larger_than_its_input_piece_by_piece) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.next("fffffffffffffff0\r\n").kind, Kind::need_more);
  EXPECT_EQ(decoder.chunk_left(), 0xfffffffffffffff0ULL);
  const std::string piece(1000, 'x');
  const auto step = decoder.next(piece);
  EXPECT_EQ(step.payload.data(), piece.data()) << "a view, not a copy";
  EXPECT_EQ(step.payload.size(), piece.size());
  EXPECT_EQ(decoder.chunk_left(), 0xfffffffffffffff0ULL - 1000);
}

TEST(ChunkedDecoder, reset_makes_it_ready_for_another_body) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.next("zzz").kind, Kind::error);
  decoder.reset();
  EXPECT_EQ(decoder.next("0\r\n\r\n").kind, Kind::done);
  EXPECT_STREQ(decoder.reason(), "");
}

TEST(ChunkHead, what_it_writes_is_what_the_decoder_reads) {
  for (const std::size_t size : {1UL, 9UL, 10UL, 15UL, 16UL, 255UL, 256UL, 65535UL, 0x123456789abcdefUL, ~0UL}) {
    const ChunkHead head(size);
    ChunkedDecoder decoder;
    const auto step = decoder.next(head.view());
    EXPECT_EQ(step.kind, Kind::need_more);
    EXPECT_EQ(step.consumed, head.view().size());
    EXPECT_EQ(decoder.chunk_left(), size);
  }
  EXPECT_EQ(ChunkHead(26).view(), "1a\r\n");
  EXPECT_EQ(ChunkHead(~std::size_t{0}).view().size(), chunk_head_bytes_max);
}

TEST(ChunkHead, a_body_written_in_chunks_comes_back) {
  const std::string text = "data: {}\n\n";
  std::string body;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    body += ChunkHead(size).view();
    body += text.substr(0, size);
    body += chunk_end;
  }
  body += last_chunk;
  std::string expected;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    expected += text.substr(0, size);
  }
  EXPECT_EQ(decode(body), (Decoded{expected, "done", body.size()}));
}

}  // namespace
}  // namespace weir::http

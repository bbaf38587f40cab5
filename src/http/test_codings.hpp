#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <string_view>

/// For tests: what others encode.
namespace weir::http {

inline std::string zlib_encoded(std::string_view text, int window_bits, bool flush_halfway = false) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  if (flush_halfway) {
    stream.avail_in = static_cast<uInt>(text.size() / 2);
    EXPECT_EQ(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
    stream.avail_in = static_cast<uInt>(text.size() - text.size() / 2);
  } else {
    stream.avail_in = static_cast<uInt>(text.size());
  }
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string gzip(std::string_view text) {
  return zlib_encoded(text, MAX_WBITS + 16);
}

inline std::string zstd(std::string_view text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log != 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
  }
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer room{out.data(), out.size(), 0};
  // Fed in two steps, so that the encoder cannot shrink the window to what it has seen.
  EXPECT_FALSE(ZSTD_isError(ZSTD_compressStream2(context, &room, &in, ZSTD_e_continue)));
  EXPECT_EQ(ZSTD_compressStream2(context, &room, &in, ZSTD_e_end), 0U);
  out.resize(room.pos);
  ZSTD_freeCCtx(context);
  return out;
}

}  // namespace weir::http

#include "http/content_decoder.hpp"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <new>

#include "http/headers.hpp"

namespace weir::http {

namespace {

constexpr int zstd_window_log_max = 23;  // 8 MiB, RFC 9659 section 3

std::optional<ContentCoding> coding_named(std::string_view name) {
  for (const ContentCoding coding :
       {ContentCoding::identity, ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br, ContentCoding::zstd}) {
    if (iequals(name, to_string(coding))) {
      return coding;
    }
  }
  // RFC 9110 section 8.4.1.3: to be taken for gzip.
  return iequals(name, "x-gzip") ? std::optional(ContentCoding::gzip) : std::nullopt;
}

/// Counts what a library allocates. The size stands in front of each block.
class CountedMemory {
 public:
  static void* allocate(void* self, std::size_t bytes) {
    void* block = bytes > max_block ? nullptr : std::malloc(bytes + header);
    if (block == nullptr) {
      return nullptr;
    }
    *static_cast<std::size_t*>(block) = bytes;
    static_cast<CountedMemory*>(self)->bytes_ += bytes;
    return static_cast<char*>(block) + header;
  }
  static void release(void* self, void* address) {
    if (address != nullptr) {
      void* block = static_cast<char*>(address) - header;
      static_cast<CountedMemory*>(self)->bytes_ -= *static_cast<std::size_t*>(block);
      std::free(block);
    }
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t header = alignof(std::max_align_t);
  static constexpr std::size_t max_block = std::size_t{1} << 30;
  static_assert(header >= sizeof(std::size_t));
  std::size_t bytes_ = 0;
};

}  // namespace

/// `step` uses as much as it can; an `error` names a literal in `reason`.
class ContentDecoder::Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;
  virtual Step step(std::string_view bytes, std::span<char> room) = 0;
  [[nodiscard]] virtual bool complete() const = 0;
  [[nodiscard]] virtual std::size_t memory_bytes() const = 0;

  const char* reason = "";

 protected:
  Step fail(const char* why, std::size_t produced = 0) {
    reason = why;
    return {.kind = Kind::error, .consumed = 0, .produced = produced};
  }
};

namespace {

using Step = ContentDecoder::Step;
using Kind = ContentDecoder::Kind;

class Identity final : public ContentDecoder::Codec {
 public:
  Step step(std::string_view bytes, std::span<char> room) override {
    const std::size_t size = std::min(bytes.size(), room.size());
    std::copy_n(bytes.data(), size, room.data());
    return {.kind = size < bytes.size() ? Kind::output : Kind::need_more, .consumed = size, .produced = size};
  }
  [[nodiscard]] bool complete() const override { return true; }
  [[nodiscard]] std::size_t memory_bytes() const override { return 0; }
};

/// gzip and deflate.
class Inflate final : public ContentDecoder::Codec {
 public:
  explicit Inflate(bool gzip) : gzip_(gzip) {}
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
  ~Inflate() override {
    if (begun_) {
      inflateEnd(&stream_);
    }
  }

  Step step(std::string_view bytes, std::span<char> room) override {
    Step result;
    if (!begun_) {
      // zlib's header is told from bare deflate by its first two bytes; they are kept until both are here.
      while (!gzip_ && start_size_ < start_.size() && result.consumed < bytes.size()) {
        start_[start_size_++] = bytes[result.consumed++];
      }
      if (gzip_ ? bytes.empty() : start_size_ < start_.size()) {
        return result;
      }
      begin();
    }
    if (start_used_ < start_size_) {
      std::size_t used = 0;
      if (!inflate_some({start_.data() + start_used_, start_size_ - start_used_}, room, result, used)) {
        return fail("it is not deflate", result.produced);
      }
      start_used_ += used;
      if (start_used_ < start_size_) {
        return after(bytes, room, result);
      }
    }
    std::size_t used = 0;
    if (!inflate_some(bytes.substr(result.consumed), room, result, used)) {
      return fail(gzip_ ? "it is not gzip" : "it is not deflate", result.produced);
    }
    result.consumed += used;
    return after(bytes, room, result);
  }
  /// Nothing at all is a whole body too: some servers name a coding and send an empty one.
  [[nodiscard]] bool complete() const override { return ended_ || (!begun_ && start_size_ == 0); }
  [[nodiscard]] std::size_t memory_bytes() const override { return memory_.bytes(); }

 private:
  Step after(std::string_view bytes, std::span<char> room, Step result) {
    const bool left = start_used_ < start_size_ || result.consumed < bytes.size();
    if (ended_ && !gzip_ && left) {
      return fail("bytes follow its end", result.produced);
    }
    result.kind = left || result.produced == room.size() ? Kind::output : Kind::need_more;
    return result;
  }

  void begin() {
    stream_.zalloc = [](void* self, uInt items, uInt size) {
      return CountedMemory::allocate(self, std::size_t{items} * size);
    };
    stream_.zfree = [](void* self, void* block) { CountedMemory::release(self, block); };
    stream_.opaque = &memory_;
    const auto first = static_cast<unsigned char>(start_[0]);
    const auto second = static_cast<unsigned char>(start_[1]);
    const bool zlib_header = (first & 0x0FU) == Z_DEFLATED && (first * 256U + second) % 31 == 0;
    const int gzip_bits = MAX_WBITS + 16;
    const int deflate_bits = zlib_header ? MAX_WBITS : -MAX_WBITS;
    if (inflateInit2(&stream_, gzip_ ? gzip_bits : deflate_bits) != Z_OK) {
      throw std::bad_alloc();
    }
    begun_ = true;
  }

  /// Decodes into the room behind what `result` already holds; false on bad input.
  bool inflate_some(std::string_view bytes, std::span<char> room, Step& result, std::size_t& used) {
    constexpr std::size_t at_once = std::numeric_limits<uInt>::max();
    const std::size_t given = std::min(bytes.size(), at_once);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(given);
    while (true) {
      if (ended_) {
        if (!gzip_ || stream_.avail_in == 0) {
          break;
        }
        inflateReset(&stream_);  // the next member
        ended_ = false;
      }
      const std::size_t free = std::min(room.size() - result.produced, at_once);
      stream_.next_out = reinterpret_cast<Bytef*>(room.data() + result.produced);
      stream_.avail_out = static_cast<uInt>(free);
      const int outcome = inflate(&stream_, Z_SYNC_FLUSH);
      result.produced += free - stream_.avail_out;
      if (outcome == Z_MEM_ERROR) {
        throw std::bad_alloc();
      }
      if (outcome == Z_STREAM_END) {
        ended_ = true;
        continue;
      }
      if (outcome == Z_BUF_ERROR) {
        break;  // no byte to use, or no room
      }
      if (outcome != Z_OK) {
        return false;
      }
      if (stream_.avail_in == 0 || stream_.avail_out == 0) {
        break;
      }
    }
    used = given - stream_.avail_in;
    return true;
  }

  bool gzip_;
  bool begun_ = false;
  bool ended_ = false;
  std::array<char, 2> start_{};
  std::size_t start_size_ = 0;
  std::size_t start_used_ = 0;
  CountedMemory memory_;
  z_stream stream_{};
};

class Brotli final : public ContentDecoder::Codec {
 public:
  Brotli()
      : state_(BrotliDecoderCreateInstance(&CountedMemory::allocate, &CountedMemory::release, &memory_),
               &BrotliDecoderDestroyInstance) {
    if (state_ == nullptr) {
      throw std::bad_alloc();
    }
  }

  Step step(std::string_view bytes, std::span<char> room) override {
    begun_ = begun_ || !bytes.empty();
    if (BrotliDecoderIsFinished(state_.get()) != 0) {
      return bytes.empty() ? Step{} : fail("bytes follow its end");
    }
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left_in = bytes.size();
    auto* next_out = reinterpret_cast<std::uint8_t*>(room.data());
    std::size_t left_out = room.size();
    const auto outcome = BrotliDecoderDecompressStream(state_.get(), &left_in, &next_in, &left_out, &next_out, nullptr);
    const Step result{.kind = Kind::need_more, .consumed = bytes.size() - left_in, .produced = room.size() - left_out};
    switch (outcome) {
      case BROTLI_DECODER_RESULT_SUCCESS: return left_in == 0 ? result : fail("bytes follow its end", result.produced);
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return result;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return {.kind = Kind::output, .consumed = result.consumed, .produced = result.produced};
      case BROTLI_DECODER_RESULT_ERROR: break;
    }
    return fail("it is not br", result.produced);
  }
  [[nodiscard]] bool complete() const override { return !begun_ || BrotliDecoderIsFinished(state_.get()) != 0; }
  [[nodiscard]] std::size_t memory_bytes() const override { return memory_.bytes(); }

 private:
  CountedMemory memory_;  // outlives the state
  std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state_;
  bool begun_ = false;
};

class Zstd final : public ContentDecoder::Codec {
 public:
  Zstd() : stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (stream_ == nullptr) {
      throw std::bad_alloc();
    }
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
  }

  Step step(std::string_view bytes, std::span<char> room) override {
    ZSTD_inBuffer in{.src = bytes.data(), .size = bytes.size(), .pos = 0};
    ZSTD_outBuffer out{.dst = room.data(), .size = room.size(), .pos = 0};
    while (true) {
      const std::size_t in_before = in.pos;
      const std::size_t out_before = out.pos;
      const std::size_t hint = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(hint) != 0U) {
        const bool window = ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge;
        return fail(window ? "its zstd window is larger than 8 MiB" : "it is not zstd", out.pos);
      }
      // A hint of 0 with nothing done is the state between two frames, at the end of the input.
      if (in.pos != in_before || out.pos != out_before) {
        frame_ended_ = hint == 0;
      }
      if (out.pos == out.size) {
        return {.kind = Kind::output, .consumed = in.pos, .produced = out.pos};
      }
      if (in.pos == in.size) {
        return {.kind = Kind::need_more, .consumed = in.pos, .produced = out.pos};
      }
    }
  }
  [[nodiscard]] bool complete() const override { return frame_ended_; }
  [[nodiscard]] std::size_t memory_bytes() const override { return ZSTD_sizeof_DStream(stream_.get()); }

 private:
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  bool frame_ended_ = true;
};

std::unique_ptr<ContentDecoder::Codec> make_codec(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::gzip: return std::make_unique<Inflate>(true);
    case ContentCoding::deflate: return std::make_unique<Inflate>(false);
    case ContentCoding::br: return std::make_unique<Brotli>();
    case ContentCoding::zstd: return std::make_unique<Zstd>();
    case ContentCoding::identity: break;
  }
  return std::make_unique<Identity>();
}

}  // namespace

std::string_view to_string(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::gzip: return "gzip";
    case ContentCoding::deflate: return "deflate";
    case ContentCoding::br: return "br";
    case ContentCoding::zstd: return "zstd";
    case ContentCoding::identity: break;
  }
  return "identity";
}

std::optional<ContentCoding> parse_content_encoding(std::string_view field) {
  ContentCoding found = ContentCoding::identity;
  const bool known = for_each_element(field, [&](std::string_view name) {
    const auto coding = coding_named(name);
    if (!coding || (*coding != ContentCoding::identity && found != ContentCoding::identity)) {
      return false;
    }
    found = *coding == ContentCoding::identity ? found : *coding;
    return true;
  });
  return known ? std::optional(found) : std::nullopt;
}

ContentDecoder::ContentDecoder(ContentCoding coding, std::uint64_t decoded_bytes_max)
    : codec_(make_codec(coding)), left_(decoded_bytes_max) {}
ContentDecoder::ContentDecoder(ContentDecoder&&) noexcept = default;
ContentDecoder& ContentDecoder::operator=(ContentDecoder&&) noexcept = default;
ContentDecoder::~ContentDecoder() = default;

ContentDecoder::Step ContentDecoder::next(std::string_view bytes, std::span<char> room) {
  if (*reason_ != '\0') {
    return {.kind = Kind::error};
  }
  Step step = codec_->step(bytes, room);
  if (step.produced > left_) {
    step = {.kind = Kind::error, .consumed = 0, .produced = static_cast<std::size_t>(left_)};
    reason_ = "more comes out of it than is allowed";
    too_large_ = true;
  } else if (step.kind == Kind::error) {
    reason_ = codec_->reason;
  }
  left_ -= step.produced;
  return step;
}

bool ContentDecoder::complete() const {
  return *reason_ == '\0' && codec_->complete();
}

std::size_t ContentDecoder::memory_bytes() const {
  return codec_->memory_bytes();
}

}  // namespace weir::http

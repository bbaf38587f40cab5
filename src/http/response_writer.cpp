#include "http/response_writer.hpp"

#include <algorithm>

namespace weir::http {

namespace {
constexpr std::chrono::milliseconds last_words_timeout{2'000};
}  // namespace

void ResponseWriter::reset(Method method, Version version, bool keep_alive, std::string_view date,
                           platform::Cancellation* cancellation) {
  method_ = method;
  version_ = version;
  keep_alive_ = keep_alive;
  date_ = date;
  cancellation_ = cancellation;
  head_.clear();
  body_ = Body::none;
  status_ = 0;
  date_written_ = head_sent_ = finished_ = broken_ = last_words_ = has_place_for_last_words_ = false;
  bytes_sent_ = 0;
  stalled_before_ = writer_.stalled();
}

void ResponseWriter::start(int status) {
  head_.clear();  // a head that was held and never sent gives way to another answer
  date_written_ = false;
  body_ = Body::none;
  status_ = status;
  static_cast<void>(HeadWriter(head_).status_line(static_cast<unsigned>(status)));
}

void ResponseWriter::field(std::string_view name, std::string_view value) {
  const KnownHeader known = classify_header(name);
  if (is_hop_by_hop(known) || known == KnownHeader::content_length) {
    return;
  }
  date_written_ = date_written_ || known == KnownHeader::date;
  HeadWriter(head_).field(name, value);
}

void ResponseWriter::parsed_field(const Header& header) {
  if (is_hop_by_hop(header.known) || header.known == KnownHeader::content_length) {
    return;
  }
  date_written_ = date_written_ || header.known == KnownHeader::date;
  HeadWriter(head_).parsed_field(header);
}

void ResponseWriter::stream(std::optional<std::uint64_t> length) {
  HeadWriter writer(head_);
  if (length) {
    body_ = Body::length;
    writer.content_length(*length);
  } else if (version_ == Version::http_1_1) {
    body_ = Body::chunked;
    writer.chunked();
  } else {
    body_ = Body::until_close;
    keep_alive_ = false;
  }
  end_head();
}

void ResponseWriter::end_head() {
  HeadWriter writer(head_);
  if (!date_written_) {
    writer.field(KnownHeader::date, date_);
  }
  if (options_.closing != nullptr && options_.closing->cancelled()) {
    keep_alive_ = false;
  }
  if (!keep_alive_) {
    writer.field(KnownHeader::connection, "close");
  } else if (version_ == Version::http_1_0) {
    writer.field(KnownHeader::connection, "keep-alive");
  }
  writer.end();
}

Task<ResponseWriter::Outcome> ResponseWriter::whole(std::string_view body) {
  stream(body.size());
  co_return co_await write({&body, 1}, true);
}

Task<ResponseWriter::Outcome> ResponseWriter::pieces(std::span<const std::string_view> pieces) {
  return write(pieces, false);
}

Task<ResponseWriter::Outcome> ResponseWriter::finish(std::string_view last_piece) {
  co_return co_await write({&last_piece, 1}, true);
}

Task<ResponseWriter::Outcome> ResponseWriter::write(std::span<const std::string_view> pieces, bool last) {
  if (broken_) {
    co_return std::unexpected(Code::reset);
  }
  slices_.clear();
  chunk_heads_.clear();
  chunk_heads_.reserve(pieces.size());  // so that the views into them stay
  if (!head_sent_) {
    slices_.push_back(head_);
  }
  if (method_ != Method::head) {
    for (const std::string_view piece : pieces) {
      if (piece.empty()) {
        continue;
      }
      bytes_sent_ += piece.size();
      if (body_ == Body::chunked) {
        slices_.push_back(chunk_heads_.emplace_back(piece.size()).view());
        slices_.push_back(piece);
        slices_.push_back(chunk_end);
      } else {
        slices_.push_back(piece);
      }
    }
    if (last && body_ == Body::chunked) {
      slices_.push_back(last_chunk);
    }
  }
  const bool goes_on = head_sent_;
  head_sent_ = true;
  const auto patience = last_words_ ? std::min(options_.write_timeout, last_words_timeout) : options_.write_timeout;
  const auto written = co_await writer_.write(slices_, {.cancellation = cancellation_}, patience);
  finished_ = last && written.has_value();
  broken_ = !written.has_value();  // a part of a chunk may have left: whatever came now would be taken for its rest
  has_place_for_last_words_ = broken_ && goes_on && writer_.untouched();
  co_return written;
}

}  // namespace weir::http

#include "http/head.hpp"

#include <utility>

#include "http/characters.hpp"

namespace weir::http {
namespace {

void move_view(std::string_view& view, const char* from, const char* to) {
  if (view.data() != nullptr) {
    view = {to + (view.data() - from), view.size()};
  }
}

bool parse_length(std::string_view text, std::uint64_t& out) {
  // 19 digits always fit into 64 bits; no body comes near.
  if (text.empty() || text.size() > 19 || !all_in(text, characters::digit)) {
    return false;
  }
  out = 0;
  for (const char digit : text) {
    out = out * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return true;
}

struct Framing {
  HeadFault fault = HeadFault::none;
  bool has_length = false;
  bool is_chunked = false;
  std::uint64_t length = 0;
};

// What Content-Length and Transfer-Encoding say, alike for requests and responses (RFC 9112 section 6).
Framing read_framing(const Headers& headers, Version version) {
  const Header* const length = headers.find(KnownHeader::content_length);
  const Header* const coding = headers.find(KnownHeader::transfer_encoding);
  Framing framing;
  if (length != nullptr) {
    if (headers.repeated(KnownHeader::content_length)) {
      framing.fault = HeadFault::length_repeated;
    } else if (coding != nullptr) {
      framing.fault = HeadFault::length_and_coding;
    } else if (!parse_length(length->value, framing.length)) {
      framing.fault = HeadFault::length_invalid;
    }
    framing.has_length = true;
    return framing;
  }
  if (coding == nullptr) {
    return framing;
  }
  framing.is_chunked = true;
  if (headers.repeated(KnownHeader::transfer_encoding)) {
    framing.fault = HeadFault::coding_repeated;
  } else if (version == Version::http_1_0) {
    framing.fault = HeadFault::coding_in_http_1_0;
  } else if (!iequals(coding->value, "chunked")) {
    // "chunked, chunked" and "" are malformed; "gzip, chunked" is only something that we do not speak.
    const bool only_chunked =
        for_each_element(coding->value, [](std::string_view element) { return iequals(element, "chunked"); });
    framing.fault = only_chunked ? HeadFault::coding_invalid : HeadFault::coding_unknown;
  }
  return framing;
}

struct Persistence {
  bool valid = true;
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

// The tokens of every Connection field (RFC 9110 section 7.6.1).
Persistence read_connection(const Headers& headers) {
  Persistence persistence;
  if (!headers.has(KnownHeader::connection)) {
    return persistence;
  }
  for (const Header& field : headers) {
    if (field.known != KnownHeader::connection) {
      continue;
    }
    persistence.valid &= for_each_element(field.value, [&](std::string_view token) {
      persistence.close |= iequals(token, "close");
      persistence.keep_alive |= iequals(token, "keep-alive");
      persistence.upgrade |= iequals(token, "upgrade");
      return all_in(token, characters::token);
    });
  }
  return persistence;
}

// HTTP/1.1 stays open unless told to close, HTTP/1.0 closes unless told to stay (RFC 9112 section 9.3).
bool stays_open(const Persistence& persistence, Version version) {
  return !persistence.close && (version == Version::http_1_1 || persistence.keep_alive);
}

HeadFault read_host(RequestHead& head) {
  const Header* const host = head.headers.find(KnownHeader::host);
  if (host == nullptr) {
    if (head.version == Version::http_1_1) {
      return HeadFault::host_missing;
    }
  } else {
    if (head.headers.repeated(KnownHeader::host)) {
      return HeadFault::host_repeated;
    }
    if (!is_valid_authority(host->value)) {
      return HeadFault::host_invalid;
    }
    head.host = host->value;
  }
  if (head.target.form == TargetForm::absolute) {
    head.host = head.target.authority;
  }
  return HeadFault::none;
}

}  // namespace

void RequestHead::clear() {
  Headers kept = std::move(headers);
  kept.clear();
  *this = RequestHead{};
  headers = std::move(kept);
}

void RequestHead::rebase(const char* from, const char* to) {
  headers.rebase(from, to);
  move_view(method_text, from, to);
  move_view(target_text, from, to);
  if (target.form == TargetForm::absolute) {
    // Taken apart again rather than moved: its path may be static text.
    const auto again = split_target(target_text);
    target = again ? *again : Target{};
    host = host.empty() ? host : target.authority;
  } else {
    move_view(target.path, from, to);
    move_view(target.query, from, to);
    move_view(host, from, to);
  }
}

void ResponseHead::clear() {
  Headers kept = std::move(headers);
  kept.clear();
  *this = ResponseHead{};
  headers = std::move(kept);
}

void ResponseHead::rebase(const char* from, const char* to) {
  headers.rebase(from, to);
  move_view(reason, from, to);
}

HeadFault conclude(RequestHead& head) {
  if (const HeadFault fault = read_host(head); fault != HeadFault::none) {
    return fault;
  }
  const Framing framing = read_framing(head.headers, head.version);
  if (framing.fault != HeadFault::none) {
    return framing.fault;
  }
  if (framing.is_chunked) {
    head.framing = BodyFraming::chunked;
  } else if (framing.has_length) {
    head.framing = BodyFraming::length;
    head.content_length = framing.length;
  }
  const Persistence persistence = read_connection(head.headers);
  if (!persistence.valid) {
    return HeadFault::connection_invalid;
  }
  head.keep_alive = stays_open(persistence, head.version);
  head.upgrade_requested =
      persistence.upgrade && head.version == Version::http_1_1 && head.headers.has(KnownHeader::upgrade);
  // An HTTP/1.0 client cannot mean it (RFC 9110 section 10.1.1).
  if (const Header* const expect = head.headers.find(KnownHeader::expect);
      expect != nullptr && head.version == Version::http_1_1) {
    if (!iequals(expect->value, "100-continue") || head.headers.repeated(KnownHeader::expect)) {
      return HeadFault::expectation_unknown;
    }
    head.expect_continue = head.framing == BodyFraming::chunked || head.content_length > 0;
  }
  return HeadFault::none;
}

HeadFault conclude(ResponseHead& head, Method request_method) {
  const Framing framing = read_framing(head.headers, head.version);
  if (framing.fault != HeadFault::none) {
    return framing.fault;
  }
  // An unreadable Connection field of an upstream says nothing about its message: only the connection is not reused.
  const Persistence persistence = read_connection(head.headers);
  head.keep_alive = persistence.valid && stays_open(persistence, head.version);
  head.has_content_length = framing.has_length;
  head.content_length = framing.length;
  if (head.is_interim() || head.status == 204) {
    head.framing = BodyFraming::none;
    // A body that may not be there and is announced all the same (RFC 9110 section 8.6, RFC 9112 section 6.1): nobody
    // knows what follows on this connection.
    head.keep_alive &= !framing.is_chunked && framing.length == 0;
  } else if (request_method == Method::head || head.status == 304) {
    head.framing = BodyFraming::none;
  } else if (framing.is_chunked) {
    head.framing = BodyFraming::chunked;
  } else if (framing.has_length) {
    head.framing = BodyFraming::length;
  } else {
    head.framing = BodyFraming::until_close;
    head.keep_alive = false;
  }
  return HeadFault::none;
}

}  // namespace weir::http

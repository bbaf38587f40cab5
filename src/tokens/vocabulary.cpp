#include "tokens/vocabulary.hpp"

#include <bit>
#include <charconv>
#include <functional>

#include "text/base64.hpp"
#include "text/json_scan.hpp"
#include "text/json_value.hpp"

namespace weir::tokens {

Result<Vocabulary> Vocabulary::parse(std::string_view document) {
  if (document.empty()) {
    return fail(Code::internal, "this build of weir holds no token vocabularies");
  }
  if (!text::scan_document(document)) {
    return fail(Code::internal, "the token vocabulary is not JSON");
  }
  const auto ranks = text::find_member(document, "bpe_ranks");
  if (!ranks || ranks->kind != text::JsonKind::string) {
    return fail(Code::internal, "the token vocabulary has no bpe_ranks");
  }
  Vocabulary vocabulary;
  vocabulary.bytes_.reserve(ranks->raw.size() * 3 / 5);
  std::string_view rest = ranks->string_raw();
  while (!rest.empty()) {
    const auto end = rest.find("\\n");
    if (!vocabulary.add_line(rest.substr(0, end))) {
      return fail(Code::internal, "the token vocabulary has a token that is no base64, or out of order");
    }
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  }
  vocabulary.bytes_.shrink_to_fit();
  vocabulary.ends_.shrink_to_fit();
  vocabulary.index();
  for (int byte = 0; byte < 256; ++byte) {
    const char one = static_cast<char>(byte);
    if (!vocabulary.find({&one, 1})) {
      return fail(Code::internal, "the token vocabulary lacks a single byte");
    }
  }
  return vocabulary;
}

bool Vocabulary::add_line(std::string_view line) {
  const auto next_field = [&] {
    const auto end = line.find(' ');
    const std::string_view field = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    return field;
  };
  next_field();  // a placeholder
  const std::string_view first = next_field();
  std::size_t rank = 0;
  if (std::from_chars(first.data(), first.data() + first.size(), rank).ec != std::errc{} || rank != ends_.size()) {
    return false;
  }
  while (!line.empty()) {
    const auto token = text::decode_base64(next_field());
    if (!token || token->empty() || token->size() > token_bytes_max) {
      return false;
    }
    bytes_ += *token;
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }
  return true;
}

void Vocabulary::index() {
  slots_.assign(std::bit_ceil(ends_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (TokenId id = 0; id < ends_.size(); ++id) {
    std::size_t slot = std::hash<std::string_view>{}(bytes_of(id))&mask;
    while (slots_[slot] != 0) {
      slot = (slot + 1) & mask;
    }
    slots_[slot] = id + 1;
  }
}

std::optional<TokenId> Vocabulary::find(std::string_view bytes) const {
  if (bytes.size() > token_bytes_max) {
    return std::nullopt;
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>{}(bytes)&mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (const TokenId id = slots_[slot] - 1; bytes_of(id) == bytes) {
      return id;
    }
  }
  return std::nullopt;
}

std::string_view Vocabulary::bytes_of(TokenId id) const {
  if (id >= ends_.size()) {
    return {};
  }
  const std::size_t begin = id == 0 ? 0 : ends_[id - 1];
  return std::string_view(bytes_).substr(begin, ends_[id] - begin);
}

}  // namespace weir::tokens

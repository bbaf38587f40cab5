#include "http/headers.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "http/characters.hpp"

namespace weir::http {
namespace {

constexpr std::size_t known_count = static_cast<std::size_t>(KnownHeader::count_);

// In the order of the enumerators.
constexpr std::array<std::string_view, known_count> names = {
    "",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "api-key",
    "authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "accept",
    "accept-encoding",
    "content-encoding",
    "content-type",
    "date",
    "location",
    "origin",
    "retry-after",
    "retry-after-ms",
    "server",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-mock",
    "x-request-id",
    "x-should-retry",
};
static_assert(names.back() == "x-should-retry", "each enumerator has its name");

constexpr std::size_t longest_name = [] {
  std::size_t longest = 0;
  for (const std::string_view name : names) {
    longest = std::max(longest, name.size());
  }
  return longest;
}();

// A perfect hash of the names: their length, first and last but one letter tell them apart, and the multipliers are
// searched for when compiling. So each field of each message costs one look and one comparison.
struct NameTable {
  std::uint32_t first_factor = 0;
  std::uint32_t other_factor = 0;
  std::array<std::uint8_t, 256> slots{};  // enumerators; 0 (other) where there is none
};

constexpr std::size_t shortest_name = 2;

constexpr std::uint8_t slot_of(std::string_view name, std::uint32_t first_factor, std::uint32_t other_factor) {
  const auto letter = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]) | 0x20U);
  };
  const std::uint32_t hash =
      letter(0) * first_factor + letter(name.size() - 2) * other_factor + static_cast<std::uint32_t>(name.size());
  return static_cast<std::uint8_t>(hash);
}

consteval NameTable make_name_table() {
  for (std::uint32_t first_factor = 1; first_factor < 256; first_factor += 2) {
    for (std::uint32_t other_factor = 1; other_factor < 256; other_factor += 2) {
      NameTable table{.first_factor = first_factor, .other_factor = other_factor};
      bool collides = false;
      for (std::size_t i = 1; i < known_count && !collides; ++i) {
        std::uint8_t& slot = table.slots[slot_of(names[i], first_factor, other_factor)];
        collides = slot != 0;
        slot = static_cast<std::uint8_t>(i);
      }
      if (!collides) {
        return table;
      }
    }
  }
  return {};
}

constexpr NameTable name_table = make_name_table();
static_assert(name_table.first_factor != 0,
              "two known headers cannot be told apart: let slot_of() read another letter");

template <class Word>
Word word_at(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Where `lower` has a letter, the bit that tells upper from lower case does not count.
template <class Word>
bool word_matches(const char* text, const char* lower) {
  constexpr Word letters = std::numeric_limits<Word>::max() / 0xff * 0x40;  // the bit that "-" and digits have not
  const auto wanted = word_at<Word>(lower);
  return (word_at<Word>(text) | (wanted & letters) >> 1) == wanted;
}

// By words, of which the last one overlaps the one before.
template <class Word>
bool words_match(const char* text, const char* lower, std::size_t size) {
  std::size_t at = 0;
  for (; at + sizeof(Word) < size; at += sizeof(Word)) {
    if (!word_matches<Word>(text + at, lower + at)) {
      return false;
    }
  }
  return word_matches<Word>(text + size - sizeof(Word), lower + size - sizeof(Word));
}

// `lower` is a known name, and `text` as long.
bool matches_lower(std::string_view text, std::string_view lower) {
  if (text.size() >= sizeof(std::uint64_t)) {
    return words_match<std::uint64_t>(text.data(), lower.data(), text.size());
  }
  if (text.size() >= sizeof(std::uint32_t)) {
    return words_match<std::uint32_t>(text.data(), lower.data(), text.size());
  }
  return words_match<std::uint16_t>(text.data(), lower.data(), text.size());
}
static_assert(shortest_name >= sizeof(std::uint16_t));

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) {
      return false;
    }
  }
  return true;
}

KnownHeader classify_header(std::string_view name) {
  if (name.size() < shortest_name || name.size() > longest_name) {
    return KnownHeader::other;
  }
  const std::uint8_t candidate = name_table.slots[slot_of(name, name_table.first_factor, name_table.other_factor)];
  const std::string_view spelling = names[candidate];
  return spelling.size() == name.size() && matches_lower(name, spelling) ? static_cast<KnownHeader>(candidate)
                                                                         : KnownHeader::other;
}

std::string_view name_of(KnownHeader header) {
  return names[static_cast<std::size_t>(header)];
}

bool is_hop_by_hop(KnownHeader header) {
  switch (header) {
    case KnownHeader::connection:
    case KnownHeader::keep_alive:
    case KnownHeader::proxy_authenticate:
    case KnownHeader::proxy_authorization:
    case KnownHeader::proxy_connection:
    case KnownHeader::te:
    case KnownHeader::trailer:
    case KnownHeader::transfer_encoding:
    case KnownHeader::upgrade: return true;
    default: return false;
  }
}

bool list_has(std::string_view list, std::string_view token) {
  return !for_each_element(list, [token](std::string_view element) { return !iequals(element, token); });
}

const Header* Headers::find(KnownHeader known) const {
  const std::uint8_t place = first_[static_cast<std::size_t>(known)];
  return place == 0 ? nullptr : &fields_[place - 1U];
}

const Header* Headers::find(std::string_view name) const {
  if (const KnownHeader known = classify_header(name); known != KnownHeader::other) {
    return find(known);
  }
  for (const Header& field : fields_) {
    if (field.known == KnownHeader::other && iequals(field.name, name)) {
      return &field;
    }
  }
  return nullptr;
}

std::string_view Headers::value(std::string_view name) const {
  const Header* field = find(name);
  return field == nullptr ? std::string_view{} : field->value;
}

std::string_view Headers::value(KnownHeader known) const {
  const Header* field = find(known);
  return field == nullptr ? std::string_view{} : field->value;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Header& field : fields_) {
    found += iequals(field.name, name) ? 1U : 0U;
  }
  return found;
}

bool Headers::named_in_connection(std::string_view name) const {
  if (!has(KnownHeader::connection)) {
    return false;
  }
  for (const Header& field : fields_) {
    if (field.known == KnownHeader::connection && list_has(field.value, name)) {
      return true;
    }
  }
  return false;
}

bool Headers::add(std::string_view name, std::string_view value) {
  if (fields_.size() == fields_max) {
    return false;
  }
  if (fields_.capacity() == 0) {
    fields_.reserve(8);  // it grows with what the peer sends, and is reused for as long as the connection lives
  }
  // Filled in place, before anything else is computed: spilled to the stack and copied as a whole, the two views would
  // each wait for a store that cannot be forwarded, which costs more than the classification.
  Header& field = fields_.emplace_back();
  field.name = name;
  field.value = value;
  const KnownHeader known = classify_header(name);
  field.known = known;
  if (known != KnownHeader::other) {
    std::uint8_t& first = first_[static_cast<std::size_t>(known)];
    if (first == 0) {
      first = static_cast<std::uint8_t>(fields_.size());
    } else {
      repeated_ |= bit(known);
    }
  }
  return true;
}

void Headers::clear() {
  fields_.clear();
  first_.fill(0);
  repeated_ = 0;
}

void Headers::rebase(const char* from, const char* to) {
  for (Header& field : fields_) {
    field.name = {to + (field.name.data() - from), field.name.size()};
    field.value = {to + (field.value.data() - from), field.value.size()};
  }
}

}  // namespace weir::http

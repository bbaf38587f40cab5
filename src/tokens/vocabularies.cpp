#include "tokens/vocabularies.hpp"

#include <utility>

#include "tokens/vocabulary_data.hpp"

namespace weir::tokens {

Result<const Vocabulary*> Vocabularies::get(Encoding encoding) {
  const std::scoped_lock lock(mutex_);
  std::optional<Vocabulary>& place = loaded_[static_cast<std::size_t>(encoding)];
  if (!place) {
    auto read = Vocabulary::parse(vocabulary_data(encoding));
    forget_vocabulary_data(encoding);
    if (!read) {
      return std::unexpected(std::move(read.error()));
    }
    place = std::move(*read);
  }
  return &*place;
}

}  // namespace weir::tokens

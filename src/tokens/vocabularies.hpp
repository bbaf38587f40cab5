#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>

#include "tokens/encoding.hpp"
#include "tokens/vocabulary.hpp"

namespace weir::tokens {

/// The vocabularies of this process, each read when it is first asked for: reading takes tens of milliseconds and 5 MB,
/// and most processes never count a token themselves.
///
/// get() is for threads that may wait; a request thread must not call it. What it returned lives as long as this.
class Vocabularies {
 public:
  /// The error of a build without vocabularies, each time anew.
  Result<const Vocabulary*> get(Encoding encoding);

 private:
  std::mutex mutex_;
  std::array<std::optional<Vocabulary>, 2> loaded_;
};

}  // namespace weir::tokens

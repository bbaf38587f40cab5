#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai/request.hpp"

/// The few changes that weir makes to a caller's body, as replaced spans; every other byte goes up as it came.
namespace weir::openai {

/// Replace `length` bytes at `offset` by `replacement`; an insertion when `length` is 0.
struct Edit {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string replacement;

  friend bool operator==(const Edit&, const Edit&) = default;
};

/// Makes `upstream_model` the body's model: replaces the value, or inserts the member when there is none. Nothing when
/// the body names that model already, however it spells it.
[[nodiscard]] std::optional<Edit> edit_model(const Request& request, std::string_view upstream_model);

/// Makes `stream_options.include_usage` true whatever was there, and keeps the other options. Nothing when it is true.
[[nodiscard]] std::optional<Edit> edit_include_usage(const Request& request);

/// Takes `stream_options` out, for servers that refuse it. Nothing when it is absent.
[[nodiscard]] std::optional<Edit> edit_no_stream_options(const Request& request, std::string_view body);

/// Makes an answer have at most `limit` tokens: each of the caller's own limits that is higher, or negative, is made
/// this one, a 0 becomes 1, and where he named none, `member` (max_tokens or max_completion_tokens) is put in.
using OutputEdits = std::array<std::optional<Edit>, 3>;
[[nodiscard]] OutputEdits edit_output_limit(const Request& request, std::int64_t limit, std::string_view member);

/// The edits of one body, sorted by offset. Fixed in size, because the functions above are all there are.
class EditList {
 public:
  static constexpr std::size_t size_max = 8;

  /// Edits must not overlap. Insertions at one place keep the order in which they were added.
  void add(std::optional<Edit> edit);
  [[nodiscard]] std::span<const Edit> all() const { return {edits_.data(), size_}; }

 private:
  std::array<Edit, size_max> edits_;
  std::size_t size_ = 0;
};

/// Appends the edited body to `out` as slices in order, ready for one gathering write: no byte of the body is copied.
/// The slices are views into `body` and into the edits; both must outlive them. `edits` must be sorted.
void slices(std::string_view body, std::span<const Edit> edits, std::vector<std::string_view>& out);

/// How many bytes the slices have together.
[[nodiscard]] std::size_t edited_size(std::string_view body, std::span<const Edit> edits);

}  // namespace weir::openai

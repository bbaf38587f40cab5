#pragma once

#include <span>
#include <string_view>

namespace weir::admin {

/// A file of the live page, in the binary since it was built (cmake/embed_files.cmake makes the list from web/live/).
struct UiFile {
  std::string_view name;  // "live.css"
  std::string_view etag;  // with its quotes
  std::string_view body;
};
std::span<const UiFile> ui_files();

}  // namespace weir::admin

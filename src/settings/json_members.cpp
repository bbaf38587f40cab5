#include "settings/json_members.hpp"

#include <algorithm>
#include <string>

#include "settings/nearest.hpp"
#include "text/json_scan.hpp"

namespace weir::settings {

std::string member_path(std::string_view path, std::string_view member) {
  return path.empty() ? std::string(member) : std::string(path) + "." + std::string(member);
}

Result<void> read_members(std::string_view json, std::string_view path, const std::vector<std::string_view>& names,
                          const std::function<Result<void>(std::string_view, const text::JsonValue&)>& read) {
  const std::string here(path.empty() ? "the value" : path);
  if (const auto valid = text::scan_object(json, [](const text::JsonMember&) {}); !valid) {
    return fail(Code::invalid_request, here + " is not a JSON object: " + valid.error().what);
  }
  Result<void> result;
  std::vector<std::string_view> seen;
  text::for_each_member(json, [&](const text::JsonMember& member) {
    const auto name = std::ranges::find_if(names, [&](std::string_view one) { return text::key_equals(member, one); });
    if (name == names.end()) {
      const std::string found = text::unescape_lossy(member.key_raw);
      result =
          fail(Code::invalid_request, member_path(path, found) + " is not known" +
                                          did_you_mean(found, std::vector<std::string>(names.begin(), names.end())));
    } else if (std::ranges::find(seen, *name) != seen.end()) {
      result = fail(Code::invalid_request, member_path(path, *name) + " stands there twice");
    } else {
      seen.push_back(*name);
      result = read(*name, member.value);
    }
    return result.has_value();
  });
  return result;
}

}  // namespace weir::settings

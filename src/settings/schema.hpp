#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::settings {

/// What a value of an option looks like.
enum class Type : std::uint8_t { section, text, secret, boolean, integer, number, duration, bytes, choice, url };

/// How many values an option takes. `one_or_list`: a single value may stand without brackets.
enum class Repeat : std::uint8_t { one, list, one_or_list };

/// Whether this version acts on an option.
enum class State : std::uint8_t {
  built,
  later,        // accepted with a notice: not built yet
  meaningless,  // accepted with a notice: `why` tells what stands in its place
};

/// The one description of an option, from which checks, defaults, help and documentation are made.
struct Option {
  std::string path;  // dotted; `*` is a name of the user's, `[]` the items of a list
  Type type = Type::section;
  std::string fallback;  // the default as one would write it; empty: none
  std::string form;      // text: what it looks like ("host:port"); numbers: what is counted ("connections")
  std::string min;       // as written; empty: no bound
  std::string max;
  std::vector<std::string> words;  // choice: what may stand there
  Repeat repeat = Repeat::one;
  State state = State::built;
  std::string why;       // for the notice of an option that is not built or means nothing; may be empty
  std::string sentence;  // what it does, in one sentence
  std::string example;   // as one would write it
  std::string like;      // documented there: this is the same option at another level
};

/// All options of a program as a tree of names. Knows nothing of what they mean. Immutable after its construction.
class Schema {
 public:
  /// One name in the tree.
  struct Place {
    const Option* option = nullptr;  // null: a mere step on the way
    std::map<std::string, std::size_t, std::less<>> names;
    std::size_t any_name = 0;  // the child `*`; 0: none
    std::size_t items = 0;     // the child `[]`; 0: none
    bool is_item = false;      // this place is a child `[]`
  };

  /// Paths must differ, and defaults, bounds and examples must be values of their type (WEIR_ASSERT).
  explicit Schema(std::vector<Option> options);
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  /// Makes `name` another spelling of the section or option at `path`.
  void add_alias(std::string_view name, std::string_view path);

  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  /// The option with exactly this path pattern, or null.
  [[nodiscard]] const Option* find(std::string_view pattern) const;

  [[nodiscard]] const Place& root() const { return places_[0]; }
  /// The place below `place` for a key, or null: a name of ours before a name of the user's.
  [[nodiscard]] const Place* child(const Place& place, std::string_view key) const;
  [[nodiscard]] const Place* items(const Place& place) const;
  /// What may stand in this place, for messages.
  [[nodiscard]] static std::vector<std::string> names(const Place& place);

 private:
  std::size_t place_at(std::string_view pattern);

  std::vector<Option> options_;
  std::vector<Place> places_;
};

/// A dotted pattern as its names: "a.*.b[].c" is a, *, b, [], c.
std::vector<std::string> split_pattern(std::string_view pattern);

/// What is wrong with `text` as a value of the option, in words that follow the quoted text ("is not a duration; ...");
/// empty: nothing.
std::string complaint(const Option& option, std::string_view text);

}  // namespace weir::settings

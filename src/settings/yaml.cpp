#include "settings/yaml.hpp"

#include "settings/yaml_syntax.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <fmt/format.h>

#include <cctype>
#include <map>
#include <sstream>
#include <utility>

namespace weir::settings {

namespace {

/// Aliases copy what they name, so a few lines could become millions of values.
constexpr std::size_t values_max = 200'000;

/// Builds the tree from the parser's events: the ready-made YAML::Node drops duplicate keys and forgets quoting.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, const std::vector<std::string_view>& lines, Report& report)
      : file_(file), lines_(lines), report_(report) {}

  Node take() { return std::move(root_); }
  [[nodiscard]] int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++documents_;
    if (documents_ == 2) {
      const bool marked =
          std::cmp_less(mark.line, lines_.size()) && lines_[static_cast<std::size_t>(mark.line)] == "---";
      report_.error(origin(mark), "",
                    marked ? "a second document begins here; a config is one document"
                           : "this does not belong to what stands above it; check indentation, commas and quotes");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    complete(Node{.kind = Node::Kind::null, .origin = origin(mark)}, anchor, mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      report_.error(origin(mark), path(), "an alias cannot stand inside the value that it names");
      complete(Node{.kind = Node::Kind::null, .origin = origin(mark), .bad = true}, 0, mark);
      return;
    }
    count_ += size_of(found->second);
    complete(count_ > values_max ? Node{} : Node(found->second), 0, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node{.kind = Node::Kind::scalar, .origin = origin(mark), .text = value};
    if (!quote_is_closed(lines_, mark.line, mark.column)) {
      report_.error(origin(mark), path(), "the quote that opens here is never closed");
      node.bad = true;
    }
    node.quoted = tag != "?";
    complete(std::move(node), anchor, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    frames_.push_back({.node = Node{.kind = Node::Kind::list, .origin = origin(mark)}, .anchor = anchor, .mark = mark});
  }
  void OnSequenceEnd() override { end_frame(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    frames_.push_back({.node = Node{.kind = Node::Kind::map, .origin = origin(mark)}, .anchor = anchor, .mark = mark});
  }
  void OnMapEnd() override {
    Frame& frame = frames_.back();
    for (const Node& merged : frame.merges) {
      for (const Entry& entry : merged.entries) {
        if (frame.node.find(entry.key) == nullptr) {
          frame.node.entries.push_back(entry);
        }
      }
    }
    end_frame();
  }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    bool has_key = false;              // map: a key was read, its value comes next
    bool drop_value = false;           // map: that key was refused
    Entry entry;                       // map: the entry being read
    std::map<std::string, int> lines;  // map: the line of each key
    std::vector<Node> merges;          // map: what `<<` names
  };

  [[nodiscard]] Origin origin(const YAML::Mark& mark) const { return {file_, mark.line + 1}; }

  [[nodiscard]] std::string path() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (frame.node.kind == Node::Kind::list) {
        path = item_path(path, frame.node.items.size());
      } else if (frame.has_key) {
        path = join_path(path, frame.entry.key);
      }
    }
    return path;
  }

  static std::size_t size_of(const Node& node) {
    std::size_t size = 1;
    for (const Node& item : node.items) {
      size += size_of(item);
    }
    for (const Entry& entry : node.entries) {
      size += size_of(entry.value);
    }
    return size;
  }

  void end_frame() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    complete(std::move(frame.node), frame.anchor, frame.mark);
  }

  void complete(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (++count_ > values_max) {
      if (!too_many_) {
        too_many_ = true;
        report_.error(origin(mark), "", fmt::format("more than {} values; are aliases nested?", values_max));
      }
      node = Node{};
    }
    if (anchor != 0) {
      anchors_[anchor] = node;
    }
    if (frames_.empty()) {
      if (documents_ == 1) {
        root_ = std::move(node);
      }
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.has_key) {
      add_value(frame, std::move(node));
    } else {
      add_key(frame, node);
    }
  }

  void add_key(Frame& frame, const Node& key) {
    frame.entry = Entry{.key = key.text, .quoted = key.quoted, .origin = key.origin};
    frame.drop_value = false;
    if (too_many_) {
      frame.drop_value = true;
    } else if (key.kind != Node::Kind::scalar) {
      report_.error(key.origin, path(), "a key must be a plain name");
      frame.drop_value = true;
    } else if (const auto [first, fresh] = frame.lines.emplace(key.text, key.origin.line); !fresh) {
      report_.error(key.origin, join_path(path(), key.text), fmt::format("set twice; first in line {}", first->second));
      frame.drop_value = true;
    }
    frame.has_key = true;
  }

  void add_value(Frame& frame, Node value) {
    if (value.kind == Node::Kind::null && value.origin.line > frame.entry.origin.line) {
      // The parser puts an absent value where the next key begins; people look at the key.
      value.origin = frame.entry.origin;
    }
    if (frame.entry.key == "<<" && !frame.entry.quoted) {
      add_merge(frame, std::move(value));
    } else if (!frame.drop_value) {
      frame.entry.value = std::move(value);
      frame.node.entries.push_back(std::move(frame.entry));
    }
    frame.entry = {};
    frame.has_key = false;
  }

  void add_merge(Frame& frame, Node value) {
    std::vector<Node> merged;
    if (value.kind == Node::Kind::list) {
      merged = std::move(value.items);
    } else {
      merged.push_back(std::move(value));
    }
    for (Node& node : merged) {
      if (node.kind == Node::Kind::map) {
        frame.merges.push_back(std::move(node));
      } else if (!too_many_) {
        report_.error(node.origin, path(), "<< takes a map, such as an alias of one");
      }
    }
  }

  const std::string& file_;
  const std::vector<std::string_view>& lines_;
  Report& report_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Node> anchors_;
  Node root_;
  std::size_t count_ = 0;
  int documents_ = 0;
  bool too_many_ = false;
};

/// A byte that no text file has: the parser would take a zero byte for the end of the file.
bool check_bytes(const std::vector<std::string_view>& lines, const std::string& file, Report& report) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const char c : lines[i]) {
      if (std::iscntrl(static_cast<unsigned char>(c)) != 0 && c != '\t') {
        report.error({file, static_cast<int>(i) + 1}, "",
                     fmt::format("a control character (0x{:02x}); is this a text file in UTF-8?", c));
        return false;
      }
    }
  }
  return true;
}

}  // namespace

Node parse_yaml(std::string_view text, const std::string& file, Report& report) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  const std::vector<std::string_view> lines = split_lines(text);
  if (!check_bytes(lines, file, report)) {
    return {};
  }
  TreeBuilder builder(file, lines, report);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    // The second document is an error, and some texts (`, x`) give the parser documents without end.
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::ParserException& problem) {
    SyntaxProblem found = explain_syntax(lines, problem.mark.line, problem.mark.column, problem.msg);
    report.error({file, found.line}, "", std::move(found.message));
    return {};
  }
  return builder.take();
}

}  // namespace weir::settings

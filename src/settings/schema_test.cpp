#include "settings/schema.hpp"
#include "settings/check.hpp"
#include "settings/environment.hpp"
#include "settings/section.hpp"
#include "settings/yaml.hpp"

#include <gtest/gtest.h>

namespace weir::settings {
namespace {

using namespace std::chrono_literals;

/// The settings know no option of weir, so a zoo serves.
std::vector<Option> zoo() {
  return {{.path = "zoo"},
          {.path = "zoo.open", .type = Type::boolean, .fallback = "true"},
          {.path = "zoo.visitors_max", .type = Type::integer, .fallback = "100", .min = "1", .max = "1000"},
          {.path = "zoo.feeding", .type = Type::duration, .fallback = "1h"},
          {.path = "zoo.gates", .type = Type::text, .fallback = "north, south", .repeat = Repeat::one_or_list},
          {.path = "animals.*.kind", .type = Type::choice, .words = {"cat", "dog"}},
          {.path = "animals.*.secret", .type = Type::secret},
          {.path = "animals.*.toys[].size", .type = Type::bytes, .fallback = "1KiB"},
          {.path = "aquarium", .state = State::later},
          {.path = "aquarium.litres", .type = Type::number}};
}

class Zoo : public testing::Test {
 protected:
  Node checked(std::string_view text) {
    Node root = parse_yaml(text, "zoo.yaml", report);
    check_shape(root, schema, "", report);
    check_values(root, schema, report);
    return root;
  }
  Schema schema{zoo()};
  Report report;
};

TEST_F(Zoo, is_read_with_types_and_defaults) {
  const Node root =
      checked("zoo: {visitors_max: 1_000, gates: west}\nanimals: {Tom: {kind: cat, toys: [{}, {size: 2KiB}]}}\n");
  EXPECT_TRUE(report.errors().empty());
  const Section section(root, schema);
  EXPECT_TRUE(section.at("zoo").boolean("open"));
  EXPECT_EQ(section.at("zoo").integer("visitors_max"), 1000);
  EXPECT_EQ(section.at("zoo").duration("feeding"), 1h);
  EXPECT_EQ(section.at("zoo").texts("gates"), std::vector<std::string>{"west"});
  const Section tom = section.at("animals").named("Tom");
  EXPECT_EQ(tom.text("kind"), "cat");
  EXPECT_EQ(tom.at("toys").item(0).bytes("size"), 1024U);
  EXPECT_EQ(tom.at("toys").item(1).bytes("size"), 2048U);
  EXPECT_EQ(tom.at("toys").item(1).path(), "animals.Tom.toys[1]");
  const Node empty{.kind = Node::Kind::map};
  EXPECT_EQ(Section(empty, schema).at("zoo").texts("gates"), (std::vector<std::string>{"north", "south"}));
}

TEST_F(Zoo, tells_all_errors_at_once) {
  const Node root = checked("zoo: {opn: true, visitors_max: 0}\nanimals: {Rex: {kind: dgo, toys: {}}}\n");
  const std::vector<std::string> expected{
      "zoo.yaml:1: zoo.opn: unknown option; did you mean \"open\"?",
      "zoo.yaml:1: zoo.visitors_max: \"0\" is too small; allowed: 1 to 1000",
      "zoo.yaml:2: animals.Rex.toys: found a section with options of its own, expected a list",
      "zoo.yaml:2: animals.Rex.kind: \"dgo\" is not one of cat, dog; did you mean \"dog\"?"};
  EXPECT_EQ(report.errors(), expected);
  EXPECT_EQ(Section(root, schema).at("zoo").integer("visitors_max"), 100);
}

TEST_F(Zoo, gives_one_notice_for_a_section_that_is_not_built) {
  checked("aquarium: {litres: 5}\n");
  EXPECT_EQ(report.notices(),
            std::vector<std::string>{"zoo.yaml:1: aquarium: accepted, not built yet in this version"});
}

TEST_F(Zoo, knows_other_names_by_their_own_path) {
  schema.add_alias("menagerie", "zoo");
  checked("menagerie: {opne: true}\n");
  EXPECT_EQ(report.errors(),
            std::vector<std::string>{"zoo.yaml:1: menagerie.opne: unknown option; did you mean \"open\"?"});
}

TEST_F(Zoo, reads_variables_by_section_option_and_the_users_own_names) {
  const Node file = checked("animals: {my-dog.2: {kind: dog}}\n");
  const Environment environment{{"ZOO_ZOO__VISITORS_MAX", "7"},
                                {"ZOO_ZOO__GATES", "a, b"},
                                {"ZOO_ANIMALS__MY_DOG_2__KIND", "cat"},
                                {"ZOO_ANIMALS__NEW__KIND", "dog"},
                                {"ZOO_ZOO__OPEN", ""},
                                {"ZOO_ZOO__VISITOR_MAX", "7"},
                                {"ZOO_ZOO", "7"},
                                {"ZOO_KEY", "x"},
                                {"FEEDING", "30m"}};
  const VariableNames names{.prefix = "ZOO_", .named = {{"FEEDING", "zoo.feeding"}}, .elsewhere = {"ZOO_KEY"}};
  const Node set = read_prefixed_variables(environment, names, schema, file, report);
  EXPECT_EQ(find_path(set, "zoo.visitors_max")->text, "7");
  EXPECT_EQ(find_path(set, "zoo.visitors_max")->origin.source, "ZOO_ZOO__VISITORS_MAX");
  ASSERT_EQ(find_path(set, "zoo.gates")->items.size(), 2U);
  EXPECT_EQ(find_path(set, "zoo.gates")->items[1].text, "b");
  EXPECT_EQ(set.find("animals")->find("my-dog.2")->find("kind")->text, "cat");
  EXPECT_EQ(find_path(set, "animals.new.kind")->text, "dog");
  EXPECT_EQ(find_path(set, "zoo.open"), nullptr);
  const std::vector<std::string> expected{"ZOO_ZOO: ignored: no option has this name",
                                          "ZOO_ZOO__VISITOR_MAX: ignored: no option has this name; did you mean "
                                          "\"ZOO_ZOO__VISITORS_MAX\"?"};
  EXPECT_EQ(report.notices(), expected);
  EXPECT_EQ(find_path(read_named_variables(environment, names, schema), "zoo.feeding")->text, "30m");
}

TEST_F(Zoo, never_shows_a_secret_or_what_an_expansion_brought) {
  Node root = parse_yaml("zoo: {visitors_max: $SECRET}\n", "zoo.yaml", report);
  const Environment environment{{"SECRET", "hunter2"}};
  expand(root, "", {environment, {}}, report);
  check_values(root, schema, report);
  EXPECT_EQ(report.errors(), std::vector<std::string>{
                                 "zoo.yaml:1: zoo.visitors_max: what \"$SECRET\" stands for is not a whole number"});
}

TEST(Merging, replaces_values_and_lists_and_joins_maps) {
  Report report;
  Node base = parse_yaml("a: {b: 1, c: [1, 2]}\nd: 4\n", "f", report);
  merge(base, parse_yaml("a: {c: [3], e: 5}\nd: {f: 6}\n", "g", report));
  EXPECT_EQ(find_path(base, "a.b")->text, "1");
  ASSERT_EQ(find_path(base, "a.c")->items.size(), 1U);
  EXPECT_EQ(find_path(base, "a.c")->origin.source, "g");
  EXPECT_EQ(find_path(base, "a.e")->text, "5");
  EXPECT_EQ(find_path(base, "d.f")->text, "6");
}

TEST(TakingAPath, removes_and_returns_what_was_there) {
  Report report;
  Node root = parse_yaml("a: {b: 1}\n", "f", report);
  EXPECT_EQ(take_path(root, "a.b").text, "1");
  EXPECT_EQ(find_path(root, "a.b"), nullptr);
  EXPECT_EQ(take_path(root, "a.b").kind, Node::Kind::null);
  EXPECT_EQ(take_path(root, "x.y").kind, Node::Kind::null);
}

}  // namespace
}  // namespace weir::settings

#include "platform/sim/simulated_files.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weir::platform {
namespace {

TEST(SimulatedFiles, a_full_disk_takes_what_fits_and_says_so) {
  SimulatedFiles files(1, {.capacity_bytes = 10});
  const auto file = files.open_append("log");
  ASSERT_TRUE(file.has_value());
  EXPECT_TRUE((*file)->append("12345678").has_value());
  const auto full = (*file)->append("abcd");
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, Code::io_error);
  EXPECT_EQ(files.read("log").value_or(""), "12345678ab");
  EXPECT_EQ(files.fault_counts().of(Fault::disk_full), 1U);
  files.set_capacity(100);
  EXPECT_TRUE((*file)->append("cd").has_value());
}

TEST(SimulatedFiles, exactly_the_nth_operation_fails) {
  for (std::uint64_t nth = 1; nth <= 5; ++nth) {
    SimulatedFiles files(1, {.failing_operation = nth});
    int failures = 0;
    failures += files.make_directory("data").has_value() ? 0 : 1;
    failures += files.make_directory("data").has_value() ? 0 : 1;
    auto file = files.open_append("data/log");
    if (!file) {
      ++failures;
      file = files.open_append("data/log");
    }
    ASSERT_TRUE(file.has_value());
    failures += (*file)->append("x").has_value() ? 0 : 1;
    failures += (*file)->sync().has_value() ? 0 : 1;
    EXPECT_EQ(failures, 1) << nth;
    EXPECT_EQ(files.fault_counts().of(Fault::failed_operation), 1U);
  }
}

TEST(SimulatedFiles, a_crash_keeps_what_was_synced_and_a_beginning_of_the_rest) {
  std::set<std::size_t> lengths;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedFiles files(seed);
    const auto file = files.open_append("log");
    ASSERT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("kept;").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
    EXPECT_TRUE((*file)->append("maybe").has_value());
    files.crash();
    EXPECT_FALSE((*file)->append("more").has_value()) << "whoever had it open is gone";
    EXPECT_FALSE((*file)->sync().has_value());
    const std::string content = files.read("log").value_or("");
    EXPECT_TRUE(content.starts_with("kept;"));
    EXPECT_TRUE(std::string("kept;maybe").starts_with(content)) << content;
    lengths.insert(content.size());
    const auto again = files.open_append("log");
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE((*again)->append("!").has_value());
  }
  EXPECT_EQ(lengths.size(), 6U) << "every cut happens";
}

TEST(SimulatedFiles, a_crash_leaves_what_an_allocated_file_held_behind_what_was_written) {
  std::set<std::string> contents;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedFiles files(seed);
    EXPECT_TRUE((*files.create_allocated("file", 5))->append("abcd").has_value());
    const auto file = files.open_allocated("file", 5);
    ASSERT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("1").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
    EXPECT_TRUE((*file)->append("23").has_value());
    files.crash();
    contents.insert(files.read("file").value_or(""));
  }
  using namespace std::string_literals;
  EXPECT_EQ(contents, (std::set{"1bcd\0"s, "12cd\0"s, "123d\0"s}));
}

TEST(SimulatedFiles, a_crash_undoes_new_names_but_those_that_were_made_durable) {
  std::set<std::vector<std::string>> lists;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedFiles files(seed);
    ASSERT_TRUE(files.make_directory("data").has_value());
    for (const std::string name : {"data/a", "data/b", "data/c"}) {
      EXPECT_TRUE(files.open_append(name).has_value());
    }
    EXPECT_TRUE(files.rename("data/a", "data/durable").has_value());
    EXPECT_TRUE(files.sync_directory("data").has_value());
    EXPECT_TRUE(files.rename("data/b", "data/x").has_value());
    EXPECT_TRUE(files.rename("data/x", "data/y").has_value());
    EXPECT_TRUE(files.rename("data/c", "data/gone").has_value());
    EXPECT_TRUE(files.remove("data/gone").has_value());
    files.crash();
    lists.insert(*files.list("data"));
  }
  EXPECT_EQ(lists, (std::set<std::vector<std::string>>{{"b", "durable"}, {"durable", "x"}, {"durable", "y"}}));
}

}  // namespace
}  // namespace weir::platform

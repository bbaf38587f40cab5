// What files promise.
#include "platform/test_contract.hpp"

namespace weir::platform {
namespace {

CONTRACT(a_file_keeps_what_was_appended) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/log";
  {
    const auto file = files.open_append(path);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("one\n").has_value());
    EXPECT_TRUE((*file)->append("").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
  }
  {
    const auto again = files.open_append(path);
    EXPECT_TRUE(again.has_value());
    EXPECT_TRUE((*again)->append("two\n").has_value());
    const auto content = files.read(path);
    EXPECT_TRUE(content.has_value());
    EXPECT_EQ(*content, "one\ntwo\n") << "also while it is open";
  }
  co_return;
}

CONTRACT(what_is_not_there_is_an_error_with_its_path) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/missing";
  const auto content = files.read(path);
  EXPECT_FALSE(content.has_value());
  EXPECT_EQ(content.error().code, Code::io_error);
  EXPECT_TRUE(content.error().message.contains(path)) << content.error().message;
  const auto file = files.open_append(path + "/log");
  EXPECT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, Code::io_error);
  co_return;
}

CONTRACT(a_directory_is_made_once_and_may_be_made_again) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/sub";
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.open_append(path + "/log").has_value());
  EXPECT_FALSE(files.make_directory(machine.directory() + "/no/parent").has_value());
  co_return;
}

CONTRACT(an_allocated_file_is_zero_behind_what_was_appended) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/segment";
  {
    const auto file = files.create_allocated(path, 16);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->append("abc").has_value());
    EXPECT_TRUE((*file)->append("def").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
    EXPECT_FALSE((*file)->append("more than is left").has_value());
    EXPECT_TRUE((*file)->append("0123456789").has_value()) << "what did not fit has taken no place";
    EXPECT_FALSE(files.create_allocated(path, 16).has_value()) << "it is there";
  }
  EXPECT_EQ(files.read(path), "abcdef0123456789");
  EXPECT_EQ(files.read_at(path, 3, 5), "def01");
  EXPECT_EQ(files.read_at(path, 14, 5), "89");
  EXPECT_EQ(files.read_at(path, 99, 5), "");
  const auto filled = files.create_allocated(path + "-1", 40'000);
  (*filled)->fill();
  EXPECT_EQ(files.read(path + "-1"), std::string(40'000, '\0'));
  EXPECT_TRUE((*filled)->append("abc").has_value());
  EXPECT_EQ(files.read(path + "-1"), "abc" + std::string(39'997, '\0'));
  const auto other = files.create_allocated(path + "-2", 4);
  EXPECT_TRUE((*other)->append("a").has_value());
  EXPECT_EQ(files.read(path + "-2"), std::string("a\0\0\0", 4));
  co_return;
}

CONTRACT(an_allocated_file_is_written_again_under_another_name) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/first";
  const std::string again = machine.directory() + "/second";
  {
    const auto file = files.create_allocated(path, 8);
    EXPECT_TRUE((*file)->append("abcdef").has_value());
  }
  EXPECT_TRUE(files.rename(path, again).has_value());
  EXPECT_TRUE(files.sync_directory(machine.directory()).has_value());
  EXPECT_FALSE(files.read(path).has_value());
  EXPECT_EQ(files.read(again), std::string("abcdef\0\0", 8));
  {
    EXPECT_FALSE(files.open_allocated(path, 8).has_value());
    EXPECT_FALSE(files.open_allocated(again, 9).has_value()) << "it has not that many bytes";
    const auto file = files.open_allocated(again, 8);
    EXPECT_TRUE(file.has_value());
    (*file)->prepare(0, 4);
    (*file)->prepare(7, 1000);
    EXPECT_EQ(files.read(again), std::string("abcdef\0\0", 8)) << "nothing was appended yet";
    EXPECT_TRUE((*file)->append("XYZ").has_value());
    EXPECT_TRUE((*file)->sync().has_value());
    EXPECT_EQ(files.read(again), std::string("XYZdef\0\0", 8));
    EXPECT_FALSE((*file)->append("is too long").has_value());
    EXPECT_TRUE((*file)->append("12345").has_value());
  }
  EXPECT_EQ(files.read(again), "XYZ12345");
  co_return;
}

CONTRACT(a_file_takes_the_place_of_the_one_that_had_its_new_name) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/new";
  const std::string taken = machine.directory() + "/taken";
  for (const std::string& name : {path, taken}) {
    const auto file = files.open_append(name);
    EXPECT_TRUE((*file)->append(name).has_value());
  }
  EXPECT_TRUE(files.rename(path, taken).has_value());
  EXPECT_EQ(files.read(taken), path);
  EXPECT_FALSE(files.rename(path, taken).has_value()) << "it is not there";
  EXPECT_EQ(files.read(taken), path);
  EXPECT_FALSE(files.rename(taken, machine.directory() + "/no/name").has_value());
  EXPECT_EQ(files.read(taken), path);
  EXPECT_FALSE(files.sync_directory(machine.directory() + "/no").has_value());
  co_return;
}

CONTRACT(a_directory_is_listed_and_emptied) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/listed";
  EXPECT_FALSE(files.list(path).has_value());
  EXPECT_TRUE(files.make_directory(path).has_value());
  EXPECT_TRUE(files.make_directory(path + "/b").has_value());
  EXPECT_TRUE(files.open_append(path + "/a").has_value());
  EXPECT_TRUE(files.open_append(path + "/b/c").has_value());
  EXPECT_EQ(files.list(path), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(files.remove(path).has_value()) << "it is not empty";
  EXPECT_TRUE(files.remove(path + "/b/c").has_value());
  EXPECT_TRUE(files.remove(path + "/b").has_value());
  EXPECT_FALSE(files.remove(path + "/b").has_value());
  EXPECT_EQ(files.list(path), std::vector<std::string>{"a"});
  co_return;
}

CONTRACT(a_lock_on_a_file_has_one_holder) {
  Files& files = machine.files();
  const std::string path = machine.directory() + "/lock";
  {
    const auto first = files.lock(path);
    EXPECT_TRUE(first.has_value() && *first != nullptr);
    const auto second = files.lock(path);
    EXPECT_TRUE(second.has_value() && *second == nullptr);
  }
  const auto third = files.lock(path);
  EXPECT_TRUE(third.has_value() && *third != nullptr);
  EXPECT_FALSE(files.lock(machine.directory() + "/no/lock").has_value());
  co_return;
}

}  // namespace
}  // namespace weir::platform

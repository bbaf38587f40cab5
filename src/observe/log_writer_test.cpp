// The log's queue, levels and losses. Its thread is a real one: tests wait for it by destroying the writer.
#include "observe/log_writer.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <semaphore>

#include "platform/real_clock.hpp"

namespace weir::observe {
namespace {

/// Keeps what is appended; can hold the writer's thread inside append().
class MemoryFile final : public platform::AppendFile {
 public:
  struct Contents {
    std::mutex mutex;
    std::string text;
    std::binary_semaphore entered{0};
    std::binary_semaphore may_go_on{0};
    bool holds = false;
    bool fails = false;
  };
  explicit MemoryFile(Contents& contents) : contents_(contents) {}
  Result<void> append(std::string_view bytes) override {
    if (std::exchange(contents_.holds, false)) {
      contents_.entered.release();
      contents_.may_go_on.acquire();
    }
    if (contents_.fails) {
      return fail(Code::io_error, "no space left on device");
    }
    const std::lock_guard lock(contents_.mutex);
    contents_.text += bytes;
    return {};
  }
  Result<void> sync() override { return {}; }

 private:
  Contents& contents_;
};

std::vector<boost::json::object> lines_of(const std::string& text) {
  std::vector<boost::json::object> lines;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(boost::json::parse(text.substr(begin, end - begin)).as_object());
    begin = end + 1;
  }
  EXPECT_EQ(begin, text.size()) << "the last line is whole";
  return lines;
}

/// Stands for the record of a call.
struct CallLine final : LogLine {
  void append_to(std::string& out) const override { out += R"({"event":"request","request_id":"req_1"})"; }
};

const platform::RealClock clock_of_tests;

TEST(LogWriter, writes_each_line_as_one_json_object_in_order_before_it_goes) {
  MemoryFile::Contents contents;
  {
    LogWriter log(std::make_unique<MemoryFile>(contents), clock_of_tests, {});
    log.message(Level::warn, "pool", "a \"quoted\"\nmessage");
    log.request(std::make_shared<CallLine>());
    log.message(Level::error, "core", "last");
  }
  const auto lines = lines_of(contents.text);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].at("message").as_string(), "a \"quoted\"\nmessage");
  EXPECT_EQ(lines[0].at("level").as_string(), "warn");
  EXPECT_EQ(lines[0].at("component").as_string(), "pool");
  EXPECT_EQ(lines[1].at("request_id").as_string(), "req_1");
  EXPECT_EQ(lines[2].at("message").as_string(), "last");
}

TEST(LogWriter, keeps_to_the_levels_of_its_components) {
  MemoryFile::Contents contents;
  {
    LogWriter log(std::make_unique<MemoryFile>(contents), clock_of_tests,
                  {.filter = {.level = Level::warn, .components = {{"loud", Level::debug}, {"mute", Level::off}}}});
    log.message(Level::info, "other", "no");
    log.message(Level::warn, "other", "yes");
    log.message(Level::debug, "loud", "yes");
    log.message(Level::error, "mute", "no");
    log.request(std::make_shared<CallLine>());  // a line of level info
  }
  for (const auto& line : lines_of(contents.text)) {
    EXPECT_EQ(line.at("message").as_string(), "yes");
  }
  EXPECT_EQ(lines_of(contents.text).size(), 2U);
}

TEST(LogWriter, request_lines_can_be_switched_off) {
  MemoryFile::Contents contents;
  {
    LogWriter(std::make_unique<MemoryFile>(contents), clock_of_tests, {.filter = {.requests = false}})
        .request(std::make_shared<CallLine>());
  }
  EXPECT_EQ(contents.text, "");
}

TEST(LogWriter, a_full_queue_loses_lines_counts_them_and_says_so_once) {
  MemoryFile::Contents contents;
  contents.holds = true;
  {
    const std::string line = R"({"time":"2026-11-21T00:00:00.000Z","level":"info","component":"x","message":"0"})";
    LogWriter log(std::make_unique<MemoryFile>(contents), clock_of_tests, {.queued_bytes_max = 4 * (line.size() + 1)});
    log.message(Level::info, "x", "h");
    contents.entered.acquire();  // the writer's thread is stuck in the file now
    for (int i = 0; i < 10; ++i) {
      log.message(Level::info, "x", std::to_string(i));
    }
    EXPECT_EQ(log.dropped(), 6U);
    contents.may_go_on.release();
  }
  const auto lines = lines_of(contents.text);
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[4].at("message").as_string(), "3");
  EXPECT_EQ(lines[5].at("message").as_string(), "6 lines were dropped because the queue was full");
}

TEST(LogWriter, a_file_that_fails_stops_nobody) {
  MemoryFile::Contents contents;
  contents.fails = true;
  {
    LogWriter log(std::make_unique<MemoryFile>(contents), clock_of_tests, {});
    log.message(Level::error, "x", "lost");
  }
  EXPECT_EQ(contents.text, "");
}

}  // namespace
}  // namespace weir::observe

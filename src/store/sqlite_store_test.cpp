#include "store/sqlite_store.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "store/sql_files.hpp"
#include "store/sqlite_database.hpp"

namespace weir::store {
namespace {

class SqliteStoreTest : public testing::Test {
 protected:
  SqliteStoreTest() {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    options.file = folder_ + "/weir.db";
  }
  ~SqliteStoreTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_ = testing::TempDir() + "weir-sqlite-XXXXXX";
  SqliteOptions options{.file = "", .lock_wait = std::chrono::milliseconds(1)};

  std::unique_ptr<Store> open() {
    auto store = open_sqlite_store(options);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }
  static InferenceLog call(const std::string& id) {
    InferenceLog made;
    made.id = id;
    made.time = "2026-11-21T09:00:00.000Z";
    made.end_state = "complete";
    made.record = "{\"id\":\"" + id + "\"}";
    return made;
  }
};

TEST_F(SqliteStoreTest, is_there_again_after_it_was_closed) {
  ASSERT_TRUE(open()->requests().put(std::vector{call("req_1")}).has_value());
  EXPECT_EQ(*open()->requests().find("req_1"), "{\"id\":\"req_1\"}");
}

TEST_F(SqliteStoreTest, is_migrated_once) {
  const auto first = migrate_sqlite(options);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->before, 0);
  EXPECT_EQ(first->applied.size(), static_cast<std::size_t>(first->after));
  EXPECT_EQ(first->applied.front(), "0001_initial");
  const auto second = migrate_sqlite(options);
  EXPECT_EQ(second->before, first->after);
  EXPECT_TRUE(second->applied.empty());
  EXPECT_EQ(open()->schema_version(), first->after);
}

TEST_F(SqliteStoreTest, is_brought_from_the_first_schema_to_the_newest_with_what_it_holds) {
  {
    const std::vector<Migration> migrations = migrations_of(sqlite_files());
    auto database = SqliteDatabase::open(options.file, options.lock_wait);
    ASSERT_TRUE((*database)->execute(std::string(statements_of(sqlite_files()).at("create_migrations"))).has_value());
    ASSERT_TRUE((*database)->execute(std::string(migrations.front().text)).has_value());
    ASSERT_TRUE((*database)
                    ->execute("INSERT INTO schema_migrations VALUES (1, '0001_initial', '2026-11-21T00:00:00Z'); "
                              "INSERT INTO inference_logs (id, time, endpoint, model, stream, cached, status, "
                              "end_state, usage_source, attempts, record) VALUES ('req_1', '2026-11-21T00:00:00Z', "
                              "'/v1/chat/completions', 'm', 0, 0, 200, 'complete', 'none', 0, '{}')")
                    .has_value());
  }
  const auto report = migrate_sqlite(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->before, 1);
  EXPECT_GE(report->after, 2);
  EXPECT_EQ(*open()->requests().find("req_1"), "{}");
  EXPECT_TRUE(open()->keys().list({})->empty());
}

TEST_F(SqliteStoreTest, refuses_a_schema_of_the_future_and_leaves_it_alone) {
  open();
  {
    auto database = SqliteDatabase::open(options.file, options.lock_wait);
    ASSERT_TRUE((*database)
                    ->execute("INSERT INTO schema_migrations VALUES (999, 'later', '2030-01-01T00:00:00Z')")
                    .has_value());
  }
  const auto store = open_sqlite_store(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Code::store_unavailable);
  EXPECT_TRUE(store.error().message.contains("999")) << store.error().message;
}

TEST_F(SqliteStoreTest, says_what_to_do_where_it_may_not_migrate) {
  options.migrate = false;
  const auto store = open_sqlite_store(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().message.contains("weir migrate")) << store.error().message;
}

TEST_F(SqliteStoreTest, that_another_holds_locked_is_unavailable_and_works_when_it_is_free) {
  const auto store = open();
  auto other = SqliteDatabase::open(options.file, options.lock_wait);
  ASSERT_TRUE((*other)->execute("BEGIN IMMEDIATE").has_value());
  const auto refused = store->requests().put(std::vector{call("req_1")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::store_unavailable);
  EXPECT_TRUE(store->requests().find("req_1").has_value()) << "reading goes on";
  ASSERT_TRUE((*other)->execute("ROLLBACK").has_value());
  EXPECT_TRUE(store->requests().put(std::vector{call("req_1")}).has_value());
}

TEST_F(SqliteStoreTest, takes_a_batch_whole_or_not_at_all) {
  const auto store = open();
  auto other = SqliteDatabase::open(options.file, options.lock_wait);
  ASSERT_TRUE((*other)
                  ->execute("CREATE TRIGGER no BEFORE INSERT ON inference_logs WHEN new.id = 'req_2' "
                            "BEGIN SELECT raise(ABORT, 'planted'); END")
                  .has_value());
  EXPECT_FALSE(store->requests().put(std::vector{call("req_1"), call("req_2")}).has_value());
  EXPECT_EQ(*store->requests().find("req_1"), std::nullopt);
  ASSERT_TRUE((*other)->execute("DROP TRIGGER no").has_value());
  EXPECT_TRUE(store->requests().put(std::vector{call("req_1"), call("req_2")}).has_value());
}

TEST_F(SqliteStoreTest, is_copied_whole_while_it_is_in_use) {
  const auto store = open();
  ASSERT_TRUE(store->requests().put(std::vector{call("req_1")}).has_value());
  const std::string copy = folder_ + "/copy.db";
  ASSERT_TRUE(store->backup(copy).has_value());
  ASSERT_TRUE(store->requests().put(std::vector{call("req_2")}).has_value());
  options.file = copy;
  const auto copied = open();
  EXPECT_EQ(*copied->requests().find("req_1"), "{\"id\":\"req_1\"}");
  EXPECT_EQ(*copied->requests().find("req_2"), std::nullopt);
}

TEST_F(SqliteStoreTest, that_is_no_database_is_an_error_in_words) {
  {
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(options.file.c_str(), "w"), std::fclose);
    std::fputs("this is a text that is long enough to be looked at as the head of a database, but it is none",
               file.get());
  }
  const auto store = open_sqlite_store(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().message.contains("weir.db")) << store.error().message;
}

TEST_F(SqliteStoreTest, gives_the_tables_that_analysts_know) {
  open();
  auto database = SqliteDatabase::open(options.file, options.lock_wait);
  for (const std::string table : {"inference_logs", "inference_attempts", "api_keys", "tenants", "audit_log"}) {
    EXPECT_EQ((*database)->number("SELECT count(*) FROM " + table), 0) << table;
  }
}

TEST(SqlFiles, give_each_statement_by_its_name) {
  const SqlFile files[] = {{"0001_first", "CREATE TABLE a (b text);"},
                           {"things", "-- words\n-- name: one\nSELECT 1;\n\n-- name: two\nSELECT 2;\n"}};
  const auto statements = statements_of(files);
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_TRUE(statements.at("one").contains("SELECT 1;") && !statements.at("one").contains("SELECT 2"));
  EXPECT_TRUE(statements.at("two").contains("SELECT 2;"));
  ASSERT_EQ(migrations_of(files).size(), 1U);
  EXPECT_EQ(migrations_of(files).front().version, 1);
}

}  // namespace
}  // namespace weir::store

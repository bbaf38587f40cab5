#include "store/sqlite_store.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "platform/test_page_cache.hpp"
#include "store/sql_files.hpp"
#include "store/sqlite_database.hpp"
#include "store/test_record.hpp"

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
    made.time = test_day;
    made.end_state = "complete";
    return made;
  }
};

TEST_F(SqliteStoreTest, is_there_again_after_it_was_closed) {
  ASSERT_TRUE(put_calls(*open(), std::vector{call("req_1")}).has_value());
  EXPECT_EQ(*open()->requests().find("req_1"), object_of(call("req_1")));
}

TEST_F(SqliteStoreTest, lets_calls_leave_the_page_cache_once_they_are_on_the_disk) {
  constexpr int calls = 20'000;
  auto store = open();
  std::vector<InferenceLog> some;
  for (int i = 0; i < calls; ++i) {
    some.push_back(call("req_" + std::to_string(i)));
    if (some.size() == 2'000) {
      ASSERT_TRUE(put_calls(*store, some, Repeats::none).has_value());
      ASSERT_TRUE(store->make_durable().has_value());
      some.clear();
    }
  }
  store.reset();  // whoever closes the file releases SQLite's locks
  const std::size_t bytes = std::filesystem::file_size(options.file);
  EXPECT_GT(bytes, 1'000'000U);
  EXPECT_LT(platform::cached_bytes(options.file).value_or(0), bytes / 4);
  store = open();
  for (int i = 0; i < calls; i += 999) {
    const std::string id = "req_" + std::to_string(i);
    EXPECT_EQ(store->requests().find(id), object_of(call(id)));
  }
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
  EXPECT_TRUE((*open()->requests().find("req_1"))
                  ->contains(R"("model":"m","route":"","target":"","stream":false,"status":200)"));
  EXPECT_TRUE(open()->keys().list({})->empty());
}

TEST_F(SqliteStoreTest, keeps_its_tenants_where_their_parents_may_be_elsewhere_from_now_on) {
  {
    const std::vector<Migration> migrations = migrations_of(sqlite_files());
    auto database = SqliteDatabase::open(options.file, options.lock_wait);
    ASSERT_TRUE((*database)->execute("PRAGMA foreign_keys = ON").has_value());
    ASSERT_TRUE((*database)->execute(std::string(statements_of(sqlite_files()).at("create_migrations"))).has_value());
    for (int i = 0; i < 3; ++i) {
      const Migration& each = migrations[static_cast<std::size_t>(i)];
      ASSERT_TRUE((*database)->execute(std::string(each.text)).has_value());
      ASSERT_TRUE((*database)
                      ->execute("INSERT INTO schema_migrations VALUES (" + std::to_string(each.version) + ", '" +
                                std::string(each.name) + "', '2026-11-21T00:00:00Z')")
                      .has_value());
    }
    ASSERT_TRUE((*database)
                    ->execute("INSERT INTO tenants (id, parent_id, name, limits, created_at, updated_at) VALUES "
                              "('acme', NULL, 'Acme', '{\"in_flight\":3}', 't1', 't2'), "
                              "('team', 'acme', 'Team', '{}', 't1', 't2')")
                    .has_value());
  }
  const auto report = migrate_sqlite(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->before, 3);
  const auto store = open();
  auto tenants = store->tenants().list({});
  ASSERT_TRUE(tenants.has_value()) << tenants.error().message;
  ASSERT_EQ(tenants->size(), 2U);
  EXPECT_EQ(tenants->at(0).limits, R"({"in_flight":3})");
  EXPECT_EQ(tenants->at(0).created_at, "t1");
  EXPECT_EQ(tenants->at(1).parent, "acme");
  tenants->at(1).parent = "of-the-configuration";
  EXPECT_EQ(store->tenants().update(tenants->at(1)), true);
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
  const auto refused = put_calls(*store, std::vector{call("req_1")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::store_unavailable);
  EXPECT_TRUE(store->requests().find("req_1").has_value()) << "reading goes on";
  ASSERT_TRUE((*other)->execute("ROLLBACK").has_value());
  EXPECT_TRUE(put_calls(*store, std::vector{call("req_1")}).has_value());
}

TEST_F(SqliteStoreTest, takes_a_batch_whole_or_not_at_all) {
  const auto store = open();
  auto other = SqliteDatabase::open(options.file, options.lock_wait);
  ASSERT_TRUE((*other)
                  ->execute("CREATE TRIGGER no BEFORE INSERT ON inference_blocks WHEN new.last_id = 'req_2' "
                            "BEGIN SELECT raise(ABORT, 'planted'); END")
                  .has_value());
  EXPECT_FALSE(put_calls(*store, std::vector{call("req_1"), call("req_2")}).has_value());
  EXPECT_EQ(*store->requests().find("req_1"), std::nullopt);
  ASSERT_TRUE((*other)->execute("DROP TRIGGER no").has_value());
  EXPECT_TRUE(put_calls(*store, std::vector{call("req_1"), call("req_2")}).has_value());
}

TEST_F(SqliteStoreTest, is_copied_whole_while_it_is_in_use) {
  const auto store = open();
  ASSERT_TRUE(put_calls(*store, std::vector{call("req_1")}).has_value());
  const std::string copy = folder_ + "/copy.db";
  ASSERT_TRUE(store->backup(copy).has_value());
  ASSERT_TRUE(put_calls(*store, std::vector{call("req_2")}).has_value());
  options.file = copy;
  const auto copied = open();
  EXPECT_EQ(*copied->requests().find("req_1"), object_of(call("req_1")));
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

TEST_F(SqliteStoreTest, shows_analysts_each_call_and_attempt_with_their_columns) {
  InferenceLog full = call("req_1");
  full.tenant = "acme";
  full.key_id = "key_a";
  full.endpoint = "/v1/chat/completions";
  full.model = "smart \"x\"";
  full.provider = "openai";
  full.upstream_model = "org/gpt";
  full.stream = true;
  full.status = 200;
  full.error_code = "e";
  full.duration_ms = 12.5;
  full.first_token_ms = 1.25;
  full.added_ms = 0.75;
  full.input_tokens = 0;
  full.cached_input_tokens = 1;
  full.output_tokens = 2;
  full.reasoning_tokens = 3;
  full.usage_source = "provider";
  full.cost_picodollars = 250'000'000'000;
  full.attempts.resize(2);
  full.attempts[0] = {.provider = "a",
                      .upstream_model = "x/y",
                      .status = 503,
                      .end_state = "upstream_error",
                      .failure = "reset",
                      .started_ms = 0.5,
                      .first_token_ms = std::nullopt,
                      .ended_ms = 1.5,
                      .input_tokens = std::nullopt,
                      .cached_input_tokens = std::nullopt,
                      .output_tokens = std::nullopt,
                      .reasoning_tokens = std::nullopt,
                      .cost_picodollars = 0};
  full.attempts[1] = {.provider = "openai",
                      .upstream_model = "org/gpt",
                      .status = 200,
                      .end_state = "complete",
                      .failure = "",
                      .started_ms = 2.5,
                      .first_token_ms = 3.5,
                      .ended_ms = 4.5,
                      .input_tokens = 0,
                      .cached_input_tokens = 1,
                      .output_tokens = 2,
                      .reasoning_tokens = 3,
                      .cost_picodollars = 250'000'000'000};
  const InferenceLog bare = call("req_2");
  ASSERT_TRUE(put_calls(*open(), std::vector{full, bare}).has_value());
  const auto row = row_of(kept(full));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->attempts.at(0).upstream_model, "x/y");
  EXPECT_EQ(row->cost_picodollars, full.cost_picodollars);

  auto database = SqliteDatabase::open(options.file, options.lock_wait);
  const auto all = [&](const std::string& sql) {
    const auto count = (*database)->number("SELECT count(*) FROM " + sql);
    EXPECT_TRUE(count.has_value()) << count.error().message;
    return *count;
  };
  EXPECT_EQ(all("inference_logs WHERE id = 'req_1' AND time = '2026-11-21T09:00:00.000Z' AND tenant = 'acme' AND "
                "key_id = 'key_a' AND endpoint = '/v1/chat/completions' AND model = 'smart \"x\"' AND "
                "provider = 'openai' AND upstream_model = 'org/gpt' AND stream = 1 AND cached = 0 AND status = 200 AND "
                "end_state = 'complete' AND error_code = 'e' AND duration_ms = 12.5 AND first_token_ms = 1.25 AND "
                "added_ms = 0.75 AND input_tokens = 0 AND cached_input_tokens = 1 AND output_tokens = 2 AND "
                "reasoning_tokens = 3 AND usage_source = 'provider' AND cost_usd = 0.25 AND attempts = 2 AND "
                "client_request_id IS NULL AND json_valid(record)"),
            1);
  EXPECT_EQ(all("inference_logs WHERE id = 'req_2' AND tenant IS NULL AND key_id IS NULL AND provider IS NULL AND "
                "upstream_model IS NULL AND error_code IS NULL AND first_token_ms IS NULL AND input_tokens IS NULL AND "
                "cached_input_tokens IS NULL AND output_tokens IS NULL AND reasoning_tokens IS NULL AND "
                "cost_usd IS NULL AND attempts = 0"),
            1);
  EXPECT_EQ(all("inference_attempts WHERE request_id = 'req_1' AND number = 1 AND provider = 'a' AND "
                "upstream_model = 'x/y' AND status = 503 AND end_state = 'upstream_error' AND failure = 'reset' AND "
                "started_ms = 0.5 AND first_token_ms IS NULL AND ended_ms = 1.5 AND input_tokens IS NULL AND "
                "cached_input_tokens IS NULL AND output_tokens IS NULL AND reasoning_tokens IS NULL AND cost_usd = 0"),
            1);
  EXPECT_EQ(all("inference_attempts WHERE request_id = 'req_1' AND number = 2 AND failure IS NULL AND "
                "first_token_ms = 3.5 AND input_tokens = 0 AND cached_input_tokens = 1 AND output_tokens = 2 AND "
                "reasoning_tokens = 3 AND cost_usd = 0.25"),
            1);
  EXPECT_EQ(all("inference_attempts"), 2);
  EXPECT_EQ(all("inference_attempts WHERE number = 1 AND usage_source = 'none' AND tier IS NULL AND price IS NULL"), 1);
  EXPECT_EQ(all("inference_attempts WHERE number = 2 AND usage_source = 'provider' AND tier IS NULL"), 1);

  // As the ledger writes it, with all that it knows.
  const std::string_view whole =
      R"(["req_3",[["a/x","complete",200,0,0,0,5,"","",6,7,0,0,0,0,9,8,"","",0.5,"a/*",1,1,"","rate","main","","","",)"
      R"("counted","flex"]],1795251600007,"/v1/chat/completions",0,0,"key_a",0,"127.0.0.1",0,0,"m","m","a/x",1,200,)"
      R"("complete"])";
  ASSERT_TRUE(open()->requests().put(std::vector{whole}, Repeats::possible).has_value());
  EXPECT_EQ(all("inference_attempts WHERE request_id = 'req_3' AND usage_source = 'counted' AND tier = 'flex' AND "
                "price = 'a/*' AND cause = 'rate' AND key = 'main' AND cost_usd = 0.5 AND input_tokens = 9"),
            1);
}

TEST(CallForm, is_read_as_it_was_written_by_any_version) {
  // Never to be changed: this is what stands in the stores of those who use weir.
  const std::string_view first =
      R"(["req_1",[["a/x","upstream_error",503,"reset"],["b/y","open"]],1795251600007,"/v1/chat/completions",0,0,"key_a",0,)"
      R"("127.0.0.1",0,0,"smart","smart","b/y",1,0,"open"])";
  EXPECT_EQ(
      as_object(first),
      R"({"time":"2026-11-21T09:00:00.007Z","level":"info","event":"request","id":"req_1","request_id":"req_1",)"
      R"("endpoint":"/v1/chat/completions","key_id":"key_a","client":"127.0.0.1","model":"smart","route":"smart",)"
      R"("target":"b/y","stream":true,"status":0,"end_state":"open","duration_ms":0.000,"weir_added_ms":0.000,)"
      R"("request_bytes":0,"response_bytes":0,"usage_source":"","cost_usd":null,"attempts":[{"target":"a/x",)"
      R"("end_state":"upstream_error","status":503,"failure":"reset","backoff_ms":0.000,"reused_connection":false,)"
      R"("silent_retry":false,"cost_usd":null,"events":0,"response_bytes":0},{"target":"b/y","end_state":"open",)"
      R"("status":0,"backoff_ms":0.000,"reused_connection":false,"silent_retry":false,"cost_usd":null,"events":0,)"
      R"("response_bytes":0}]})");
  const auto unknown = as_unknown(first);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(row_of(*unknown)->end_state, "unknown");
  EXPECT_EQ(row_of(*unknown)->attempts.at(0).end_state, "upstream_error");
  EXPECT_EQ(row_of(*unknown)->attempts.at(1).end_state, "unknown");
  EXPECT_EQ(row_of(*unknown)->model, "smart");
}

TEST(CallForm, refuses_what_is_no_record) {
  for (const std::string_view text : {"", "[", "{}", "[]", "[7]", R"(["req_1"])", R"(["req_1",7])", R"(["req_1",[])"}) {
    EXPECT_FALSE(row_of(text).has_value()) << text;
    EXPECT_FALSE(as_object(text).has_value()) << text;
    EXPECT_FALSE(as_unknown(text).has_value()) << text;
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

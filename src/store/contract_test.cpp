// One suite for every store: what the interfaces in store.hpp promise holds for each implementation.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.hpp"
#include "store/contract_suite.hpp"
#include "store/test_record.hpp"

namespace weir::store {
namespace {

class StoreContract : public ContractSuite {};

WEIR_FOR_ALL_STORES(StoreContract);

std::string id_of(int number) {
  return make_request_id(static_cast<std::uint64_t>(number), 7, 9);
}

InferenceLog call(int number) {
  InferenceLog made;
  made.id = id_of(number);
  made.time = test_day;
  made.tenant = "default";
  made.key_id = "key_a";
  made.endpoint = "/v1/chat/completions";
  made.model = "smart";
  made.provider = "openai";
  made.upstream_model = "gpt-4o";
  made.status = 200;
  made.end_state = "complete";
  made.usage_source = "provider";
  made.input_tokens = 10;
  made.output_tokens = 5;
  made.attempts.push_back({.provider = "openai",
                           .upstream_model = "gpt-4o",
                           .status = 200,
                           .end_state = "complete",
                           .failure = "",
                           .started_ms = 0.25,
                           .first_token_ms = std::nullopt,
                           .ended_ms = 12.5,
                           .input_tokens = 10,
                           .cached_input_tokens = std::nullopt,
                           .output_tokens = 5,
                           .reasoning_tokens = std::nullopt,
                           .cost_picodollars = std::nullopt});
  return made;
}

void put(Store& store, const std::vector<InferenceLog>& calls) {
  const auto done = put_calls(store, calls);
  ASSERT_TRUE(done.has_value()) << done.error().message;
}

TEST_P(StoreContract, finds_a_call_by_its_id) {
  put(*store, {call(1), call(2)});
  EXPECT_EQ(*store->requests().find(id_of(2)), object_of(call(2)));
  EXPECT_EQ(*store->requests().find(id_of(3)), std::nullopt);
}

TEST_P(StoreContract, keeps_a_call_that_is_put_twice_once_and_as_it_was) {
  InferenceLog again = call(1);
  again.end_state = "unknown";
  again.attempts.push_back(again.attempts.front());
  put(*store, {call(1)});
  put(*store, {again, call(2), call(2)});
  EXPECT_EQ(*store->requests().find(id_of(1)), object_of(call(1)));
  const auto usage = store->requests().usage({});
  ASSERT_EQ(usage->size(), 1U);
  EXPECT_EQ(usage->front().requests, 2);
  EXPECT_EQ(usage->front().attempts, 2);
}

TEST_P(StoreContract, lists_the_newest_first_page_by_page) {
  std::vector<InferenceLog> calls;
  for (const int number : {3, 1, 5, 2, 4}) {
    calls.push_back(call(number));
  }
  put(*store, calls);
  std::vector<std::string> seen;
  RequestQuery query{.limit = 2};
  for (int page_number = 0; page_number < 10; ++page_number) {
    const auto page = store->requests().list(query);
    ASSERT_TRUE(page.has_value());
    seen.insert(seen.end(), page->records.begin(), page->records.end());
    query.after = page->next;
    if (page->next.empty()) {
      break;
    }
    EXPECT_EQ(page->records.size(), 2U);
  }
  std::vector<std::string> expected;
  for (const int number : {5, 4, 3, 2, 1}) {
    expected.push_back(object_of(call(number)));
  }
  EXPECT_EQ(seen, expected);
  query = {.limit = 5};
  EXPECT_EQ(store->requests().list(query)->next, "") << "a page that is just full is the last";
}

TEST_P(StoreContract, lists_only_what_was_asked_for) {
  InferenceLog other_key = call(2);
  other_key.key_id = "key_b";
  InferenceLog other_model = call(3);
  other_model.model = "fast";
  InferenceLog failed = call(4);
  failed.status = 503;
  failed.end_state = "upstream_error";
  InferenceLog other_tenant = call(5);
  other_tenant.tenant = "acme";
  other_tenant.key_id = "";
  put(*store, {call(1), other_key, other_model, failed, other_tenant});
  const auto listed = [&](const RequestQuery& query) {
    const auto page = store->requests().list(query);
    EXPECT_TRUE(page.has_value());
    std::vector<int> numbers;
    for (const std::string& record : page->records) {
      for (int number = 1; number <= 5; ++number) {
        if (record.contains(fmt::format(R"("id":"{}")", id_of(number)))) {
          numbers.push_back(number);
        }
      }
    }
    EXPECT_EQ(numbers.size(), page->records.size());
    return numbers;
  };
  EXPECT_EQ(listed({.key_id = "key_b"}), (std::vector<int>{2}));
  EXPECT_EQ(listed({.model = "fast"}), (std::vector<int>{3}));
  EXPECT_EQ(listed({.tenant = "acme"}), (std::vector<int>{5}));
  EXPECT_EQ(listed({.status_from = 503}), (std::vector<int>{4}));
  EXPECT_EQ(listed({.status_from = 200, .status_to = 299}), (std::vector<int>{5, 3, 2, 1}));
  EXPECT_EQ(listed({.end_state = "upstream_error"}), (std::vector<int>{4}));
  EXPECT_EQ(listed({.from = id_of(4)}), (std::vector<int>{5, 4}));
  EXPECT_EQ(listed({.key_id = "key_a", .model = "smart", .status_from = 200}), (std::vector<int>{1}));
  EXPECT_EQ(listed({.key_id = "' OR 1 = 1 --"}), (std::vector<int>{}));
}

TEST_P(StoreContract, sums_usage_by_what_was_asked_for) {
  InferenceLog next_day = call(2);
  next_day.time = next_test_day;
  next_day.cost_picodollars = 250'000'000'001;
  InferenceLog other = call(3);
  other.model = "fast";
  other.key_id = "";
  other.status = 429;
  other.end_state = "gateway_error";
  other.attempts.clear();
  other.input_tokens = std::nullopt;
  other.output_tokens = std::nullopt;
  put(*store, {call(1), next_day, other});

  const auto all = store->requests().usage({});
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(*all, (std::vector<UsageRow>{{.requests = 3,
                                          .errors = 1,
                                          .attempts = 2,
                                          .input_tokens = 20,
                                          .output_tokens = 10,
                                          .cost_picodollars = 250'000'000'001,
                                          .unpriced = 1}}));
  const auto by_day = store->requests().usage({.by_day = true});
  ASSERT_EQ(by_day->size(), 2U);
  EXPECT_EQ(by_day->at(0).day, "2026-11-21");
  EXPECT_EQ(by_day->at(0).requests, 2);
  EXPECT_EQ(by_day->at(0).cost_picodollars, std::nullopt) << "unknown is not zero";
  EXPECT_EQ(by_day->at(1).cost_picodollars, 250'000'000'001);
  const auto by_all = store->requests().usage({.by_key = true, .by_model = true, .by_day = true, .from = id_of(2)});
  ASSERT_EQ(by_all->size(), 2U);
  EXPECT_EQ(by_all->at(0).model, "fast");
  EXPECT_EQ(by_all->at(0).key_id, "");
  EXPECT_EQ(by_all->at(1).key_id, "key_a");
  EXPECT_EQ(store->requests().usage({.to = id_of(2)})->at(0).requests, 1);
  EXPECT_TRUE(store->requests().usage({.by_day = true, .from = id_of(9)})->empty());
}

TEST_P(StoreContract, sums_usage_of_one_key_tenant_or_model) {
  InferenceLog other = call(2);
  other.key_id = "key_b";
  other.tenant = "acme";
  InferenceLog third = call(3);
  third.key_id = "key_b";
  third.model = "fast";
  put(*store, {call(1), other, third});
  const auto requests = [&](const UsageQuery& query) {
    const auto rows = store->requests().usage(query);
    EXPECT_TRUE(rows.has_value());
    return rows->empty() ? 0 : rows->at(0).requests;
  };
  EXPECT_EQ(requests({.key_id = "key_b"}), 2);
  EXPECT_EQ(requests({.tenant = "acme"}), 1);
  EXPECT_EQ(requests({.model = "smart"}), 2);
  EXPECT_EQ(requests({.key_id = "key_b", .model = "fast"}), 1);
  EXPECT_EQ(requests({.key_id = "nobody"}), 0);
  const auto by_tenant = store->requests().usage({.by_key = true, .by_tenant = true});
  ASSERT_EQ(by_tenant->size(), 3U);
  EXPECT_EQ(by_tenant->at(0).tenant, "acme");
  EXPECT_EQ(by_tenant->at(1).tenant, "default");
  EXPECT_EQ(by_tenant->at(1).key_id, "key_a");
  EXPECT_EQ(by_tenant->at(2).key_id, "key_b");
}

TEST_P(StoreContract, sums_money_exactly) {
  std::vector<InferenceLog> calls;
  for (int number = 1; number <= 1000; ++number) {
    calls.push_back(call(number));
    calls.back().cost_picodollars = 100'000'000'001 + number;  // tenths of a dollar, which no binary number is
  }
  calls.front().cost_picodollars = 8'999'000'000'000'007;  // the dearest call there ever was
  put(*store, calls);
  std::int64_t sum = 0;
  for (const InferenceLog& one : calls) {
    sum += *one.cost_picodollars;
  }
  EXPECT_EQ(store->requests().usage({})->at(0).cost_picodollars, sum);
}

TEST_P(StoreContract, finds_lists_and_removes_what_was_put_together_in_any_order) {
  // Blocks that overlap: a call is put when it ends, and its id is from when it began.
  for (int first = 1; first <= 5; ++first) {
    std::vector<InferenceLog> calls;
    for (int number = first; number <= 500; number += 5) {
      calls.push_back(call(number));
    }
    ASSERT_TRUE(put_calls(*store, calls, Repeats::none).has_value());
  }
  EXPECT_EQ(*store->requests().find(id_of(251)), object_of(call(251)));
  RequestQuery query{.limit = 30};
  std::vector<std::string> seen;
  do {
    const auto page = store->requests().list(query);
    ASSERT_TRUE(page.has_value());
    seen.insert(seen.end(), page->records.begin(), page->records.end());
    query.after = page->next;
  } while (!query.after.empty());
  ASSERT_EQ(seen.size(), 500U);
  for (int number = 500; number >= 1; --number) {
    ASSERT_EQ(seen.at(static_cast<std::size_t>(500 - number)), object_of(call(number)));
  }
  EXPECT_EQ(store->requests().usage({.from = id_of(100), .to = id_of(200)})->at(0).requests, 100);
  EXPECT_EQ(store->requests().remove_oldest(id_of(9999), 1000), 500);
  EXPECT_TRUE(store->requests().list({})->records.empty());
}

TEST_P(StoreContract, shows_each_record_from_an_id_on_as_it_was_put) {
  std::vector<std::string> expected;
  for (int first = 1; first <= 3; ++first) {
    std::vector<InferenceLog> calls;
    for (int number = first; number <= 300; number += 3) {
      calls.push_back(call(number));
      if (number >= 100) {
        expected.push_back(kept(calls.back()));
      }
    }
    put(*store, calls);
  }
  std::vector<std::string> shown;
  const auto visited =
      store->requests().visit(id_of(100), [&](std::string_view record) { shown.emplace_back(record); });
  ASSERT_TRUE(visited.has_value()) << visited.error().message;
  std::ranges::sort(shown);
  std::ranges::sort(expected);
  EXPECT_EQ(shown, expected);
}

TEST_P(StoreContract, refuses_what_is_no_record_and_takes_nothing_of_the_rest) {
  for (const std::string_view wrong : {"", "{}", "[]", "[7]"}) {
    const std::string good = kept(call(1));
    EXPECT_FALSE(store->requests().put(std::vector<std::string_view>{good, wrong}, Repeats::possible).has_value());
    EXPECT_EQ(*store->requests().find(id_of(1)), std::nullopt);
  }
}

TEST_P(StoreContract, removes_the_oldest_with_their_attempts) {
  for (int number = 1; number <= 6; ++number) {
    put(*store, {call(number)});
  }
  EXPECT_EQ(store->requests().remove_oldest(id_of(5), 3), 3);
  EXPECT_EQ(store->requests().remove_oldest(id_of(5), 3), 1);
  EXPECT_EQ(store->requests().remove_oldest(id_of(5), 3), 0);
  EXPECT_EQ(store->requests().list({})->records, (std::vector<std::string>{object_of(call(6)), object_of(call(5))}));
  EXPECT_EQ(store->requests().usage({})->at(0).attempts, 2);
  EXPECT_TRUE(store->shrink().has_value());
  EXPECT_TRUE(store->make_durable().has_value());
}

TEST_P(StoreContract, tells_that_a_question_goes_forward) {
  put(*store, {call(1)});
  put(*store, {call(2)});
  put(*store, {call(3)});
  int told = 0;
  store->on_progress([&] { ++told; });
  ASSERT_TRUE(store->requests().usage({}).has_value());
  EXPECT_GE(told, 3) << "for each part that is read";
  told = 0;
  ASSERT_TRUE(store->requests().list({.model = "none has it"}).has_value());
  EXPECT_GE(told, 3);
  told = 0;
  ASSERT_TRUE(store->bytes().has_value());
  EXPECT_EQ(told, 0);
}

TEST_P(StoreContract, takes_more_bytes_the_more_there_is) {
  const auto before = store->bytes();
  std::vector<InferenceLog> calls;
  for (int number = 1; number <= 500; ++number) {
    calls.push_back(call(number));
    calls.back().model.append(1000, 'x');
  }
  put(*store, calls);
  const auto full = store->bytes();
  EXPECT_GT(*full, *before + 500'000);
  EXPECT_EQ(store->requests().remove_oldest(id_of(9999), 1000), 500);
  EXPECT_LT(*store->bytes(), *full - 400'000);
}

}  // namespace
}  // namespace weir::store

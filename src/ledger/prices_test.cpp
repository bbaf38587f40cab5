#include "ledger/prices.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "ledger/price_book.hpp"
#include "ledger/price_table.hpp"

namespace weir::ledger {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

Money dollars(std::string_view text) {
  return Money::parse(text).value_or(Money::picodollars(-1));
}

TEST(Cost, of_worked_examples) {
  struct Case {
    const char* company;
    const char* model;
    llm::Usage usage;
    Tier tier;
    const char* dollars;
  };
  const auto usage = [](std::int64_t in, std::int64_t out, std::int64_t cached = 0, std::int64_t written = 0,
                        std::int64_t thoughts = 0) {
    return llm::Usage{.input_tokens = in,
                      .output_tokens = out,
                      .cached_input_tokens = cached,
                      .cache_write_tokens = written,
                      .reasoning_tokens = thoughts};
  };
  const PriceTable table = PriceTable::built_in();
  for (const Case& one : {
           Case{"openai", "gpt-4o", usage(1200, 300, 1024), Tier::standard, "0.00472"},
           Case{"openai", "gpt-4o", usage(1200, 300, 1024), Tier::priority, "0.008024"},
           Case{"openai", "gpt-4o", usage(1200, 300), Tier::batch, "0.003"},
           Case{"openai", "gpt-5.4", usage(272000, 2000), Tier::standard, "0.71"},
           Case{"openai", "gpt-5.4", usage(272001, 2000), Tier::standard, "1.405005"},
           Case{"openai", "gpt-5.4", usage(300000, 2000, 100000), Tier::standard, "1.095"},
           Case{"anthropic", "claude-sonnet-4-5", usage(12000, 500, 8000, 3000), Tier::standard, "0.02415"},
           Case{"dashscope", "qwen-plus-2025-07-28", usage(1000, 900, 0, 0, 600), Tier::standard, "0.00316"},
           Case{"dashscope", "qwen-plus-2025-07-28", usage(256001, 1, 0, 0, 0), Tier::standard, "0.3072048"},
           Case{"gemini", "gemini-2.5-pro", usage(200000, 1000), Tier::standard, "0.26"},
           Case{"gemini", "gemini-2.5-pro", usage(200001, 1000), Tier::standard, "0.5150025"},
           Case{"anthropic",
                "claude-opus-4-6",
                {.input_tokens = 12000,
                 .output_tokens = 500,
                 .cached_input_tokens = 8000,
                 .cache_write_tokens = 3000,
                 .reasoning_tokens = std::nullopt,
                 .cache_write_hour_tokens = 1000},
                Tier::standard,
                "0.044"},
           Case{"openai",
                "gpt-4o-audio-preview",
                {.input_tokens = 420, .output_tokens = 260, .audio_input_tokens = 400, .audio_output_tokens = 200},
                Tier::standard,
                "0.03265"},
           Case{"openai",
                "gpt-image-1",
                {.input_tokens = 373, .output_tokens = 1056, .image_input_tokens = 323, .image_output_tokens = 1056},
                Tier::standard,
                "0.04572"},
           // No batch price of its own: half. Images where they have none: as text.
           Case{"anthropic", "claude-sonnet-4-5", usage(1000, 100), Tier::batch, "0.00225"},
           Case{"openrouter", "anthropic/claude-sonnet-4.5", usage(200000, 0), Tier::batch, "0.3"},
           Case{"openrouter", "anthropic/claude-sonnet-4.5", usage(256000, 1000), Tier::batch, "0.77925"},
           Case{"xai", "grok-4-fast-reasoning", usage(128000, 0), Tier::batch, "0.0256"},
           Case{"openai", "gpt-5.4", usage(300000, 2000), Tier::batch, "0.7725"},
           Case{"dashscope", "qwen-plus-2025-07-28", usage(1000, 900, 0, 0, 600), Tier::batch, "0.00158"},
           Case{"dashscope", "qwen-plus-2025-07-28", usage(2000000, 0), Tier::batch, "1.2"},
           Case{"openai",
                "gpt-4o",
                {.input_tokens = 1000, .output_tokens = 0, .image_input_tokens = 700},
                Tier::standard,
                "0.0025"},
           // More audio than there is room for beside what was cached.
           Case{"openai",
                "gpt-4o-audio-preview",
                {.input_tokens = 100,
                 .output_tokens = 10,
                 .cached_input_tokens = 90,
                 .audio_input_tokens = 50,
                 .audio_output_tokens = 99},
                Tier::standard,
                "0.001425"},
           Case{"openai", "text-embedding-3-small", {.input_tokens = 10000}, Tier::standard, "0.0002"},
           // More cached than there was, and more thoughts than output: never more than the whole.
           Case{"openai", "gpt-4o", usage(10, 10, 50, 50, 50), Tier::standard, "0.0001125"},
       }) {
    const auto price = table.find(one.company, one.model);
    ASSERT_TRUE(price) << one.model;
    const auto cost = cost_of(*price, one.usage, one.tier);
    ASSERT_TRUE(cost) << one.model;
    EXPECT_EQ(cost->to_text(), one.dollars) << one.model;
  }
}

TEST(Cost, is_unknown_where_a_count_or_a_price_is_missing) {
  const ModelPrice chat{.base = {.input = dollars("0.000001"), .output = dollars("0.000002")}};
  EXPECT_FALSE(cost_of(chat, {}));
  EXPECT_FALSE(cost_of(chat, {.input_tokens = 5}));
  EXPECT_FALSE(cost_of(chat, {.output_tokens = 5}));
  EXPECT_TRUE(cost_of(chat, {.input_tokens = 0, .output_tokens = 0}));
  const ModelPrice no_output{.base = {.input = dollars("0.000001")}};
  EXPECT_FALSE(cost_of(no_output, {.input_tokens = 5, .output_tokens = 5}));
  EXPECT_TRUE(cost_of(no_output, {.input_tokens = 5, .output_tokens = 0}));
  EXPECT_FALSE(cost_of({}, {.input_tokens = 5, .output_tokens = 5}));
  const ModelPrice free{.base = {.input = Money{}, .output = Money{}}};
  EXPECT_EQ(cost_of(free, {.input_tokens = 5, .output_tokens = 5}), Money{});
}

TEST(Cost, of_what_has_no_price_of_its_own_is_that_of_the_whole) {
  const ModelPrice price{.base = {.input = dollars("0.000003"), .output = dollars("0.000010")}};
  EXPECT_EQ(cost_of(price, {.input_tokens = 10,
                            .output_tokens = 10,
                            .cached_input_tokens = 5,
                            .cache_write_tokens = 2,
                            .reasoning_tokens = 7}),
            dollars("0.00013"));
}

TEST(Cost, of_thoughts_in_a_tier_with_a_price_of_output_alone) {
  ModelPrice price{.base = {.input = dollars("1"), .output = dollars("2"), .reasoning = dollars("3")}};
  price.specials.push_back({.tier = Tier::priority, .rates = {.output = dollars("4")}});
  EXPECT_EQ(price.rates_for(1, Tier::priority).reasoning, dollars("4"));
  EXPECT_EQ(price.rates_for(1, Tier::priority).input, dollars("1"));
  EXPECT_EQ(price.rates_for(1, Tier::standard).reasoning, dollars("3"));
}

TEST(Cost, does_not_wrap) {
  const ModelPrice price{.base = {.input = Money::most(), .output = Money::most()}};
  EXPECT_EQ(cost_of(price, {.input_tokens = 1'000'000'000'000, .output_tokens = 1'000'000'000'000}), Money::most());
  EXPECT_EQ(cost_of(price, {.input_tokens = -5, .output_tokens = 0}), Money{});
}

TEST(Cost, at_its_worst_is_never_below_what_it_turns_out_to_be) {
  const PriceTable table = PriceTable::built_in();
  for (const char* model : {"gpt-4o", "gpt-5.4", "o3", "gpt-4o-mini"}) {
    const auto price = table.find("openai", model);
    ASSERT_TRUE(price) << model;
    for (const std::int64_t input : {1, 1000, 272001}) {
      const auto worst = worst_cost(*price, input, 4096);
      ASSERT_TRUE(worst);
      for (const Tier tier : {Tier::standard, Tier::batch, Tier::flex, Tier::priority}) {
        for (const std::int64_t cached : {std::int64_t{0}, input}) {
          const auto cost = cost_of(
              *price,
              {.input_tokens = input, .output_tokens = 4096, .cached_input_tokens = cached, .reasoning_tokens = 4000},
              tier);
          ASSERT_TRUE(cost);
          EXPECT_LE(*cost, *worst) << model << " " << input;
        }
      }
    }
  }
}

TEST(PriceTable, finds_every_line_it_has) {
  const PriceTable table = PriceTable::built_in();
  std::string_view rest = table.lines();
  int lines = 0;
  std::string before;
  for (; !rest.empty(); ++lines) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const auto parsed = parse_price_line(line);
    ASSERT_TRUE(parsed) << line;
    ASSERT_LT(before, parsed->name) << "not sorted";
    before = parsed->name;
    const std::string_view behind = line.substr(line.find('\t') + 1);
    const auto found = table.entry(parsed->name, behind.substr(0, behind.find('\t')));
    ASSERT_TRUE(found) << line;
    EXPECT_EQ(found->name, parsed->name);
    EXPECT_EQ(found->base, parsed->base);
    EXPECT_EQ(found->specials, parsed->specials);
  }
  EXPECT_GT(lines, 2000);
  EXPECT_FALSE(table.entry("", "openai"));
  EXPECT_FALSE(table.entry("zzzz", "openai"));
  EXPECT_FALSE(table.entry("gpt-4o", ""));
}

TEST(PriceTable, finds_a_model_by_its_other_names_and_never_another_company_s) {
  const PriceTable table = PriceTable::built_in();
  const auto name_of = [&](std::string_view company, std::string_view model) {
    const auto price = table.find(company, model);
    return price ? price->name : std::string();
  };
  EXPECT_EQ(name_of("openai", "gpt-4o-2024-08-06"), "gpt-4o-2024-08-06");
  EXPECT_EQ(name_of("openai", "gpt-4o-2031-01-01"), "gpt-4o");
  EXPECT_EQ(name_of("openai", "ft:gpt-4o-mini-2024-07-18:acme:bot:abc"), "ft:gpt-4o-mini-2024-07-18");
  EXPECT_EQ(name_of("groq", "llama-3.1-8b-instant"), "groq/llama-3.1-8b-instant");
  EXPECT_EQ(name_of("cohere", "command-r"), "command-r");
  EXPECT_EQ(name_of("openai", "gpt-3.5-turbo-instruct"), "gpt-3.5-turbo-instruct");
  EXPECT_EQ(name_of("openai", "gpt-3.5-turbo-instruct-0914"), "gpt-3.5-turbo-instruct-0914");
  EXPECT_EQ(name_of("openai", "babbage-002"), "babbage-002");
  EXPECT_EQ(name_of("openai", "ft:babbage-002:acme::abc"), "ft:babbage-002");
  EXPECT_EQ(name_of("azure", "gpt-35-turbo-instruct"), "azure/gpt-35-turbo-instruct");
  EXPECT_EQ(name_of("deepseek", "gpt-4o"), "");
  EXPECT_EQ(name_of("", "gpt-4o"), "");
  EXPECT_EQ(name_of("openai", "gpt-4oo"), "");
}

TEST(PriceTable, refuses_lines_that_are_none) {
  for (const char* line :
       {"", "x", "x\ty\t1\t2\tq=1", "x\ty\t1\t2\ti=", "x\ty\t1\t2\ti=-1", "x\ty\t1\t2\ti=1\tpriority",
        "x\ty\t1\t2\ti=1\t>k: i=2", "x\ty\t1\t2\ti=1\t(1,2: i=2", "x\ty\t1\t2\ti=0.0000001"}) {
    const auto price = parse_price_line(line);
    EXPECT_TRUE(!price || !price->base.input) << line;
  }
}

TEST(PriceBook, prefers_the_exact_rule_then_the_longer_pattern_then_the_newer) {
  const auto rule = [](const char* pattern, const char* input, std::optional<sys_days> from = std::nullopt) {
    return PriceBook::Rule{.pattern = pattern, .rates = {.input = dollars(input), .output = Money{}}, .from = from};
  };
  const sys_days summer = 2026y / 7 / 1;
  const PriceBook book({rule("home/*", "1"), rule("home/big*", "2"), rule("home/big-model", "3"),
                        rule("home/big-model", "4", summer), rule("openai/gpt-4o", "5", summer)},
                       {{"openai", {.company = "openai"}}, {"mock", {.is_free = true}}, {"home", {}}, {"odd", {}}});
  const auto input = [&](const char* target, sys_days day) {
    const auto price = book.find(target, day);
    return price && price->base.input ? price->base.input->to_text() : std::string("unknown");
  };
  EXPECT_EQ(input("home/x", summer), "1");
  EXPECT_EQ(input("home/bigger", summer), "2");
  EXPECT_EQ(input("home/big-model", summer - std::chrono::days(1)), "3");
  EXPECT_EQ(input("home/big-model", summer), "4");
  EXPECT_EQ(input("openai/gpt-4o", summer - std::chrono::days(1)), "0.0000025");
  EXPECT_EQ(input("openai/gpt-4o", summer), "5");
  EXPECT_EQ(input("mock/anything", summer), "0");
  EXPECT_EQ(input("odd/gpt-4o", summer), "unknown");
  EXPECT_EQ(input("nobody/gpt-4o", summer), "unknown");
  EXPECT_EQ(input("openai", summer), "unknown");
}

TEST(Cost, of_audio_and_drawn_images_without_a_price_is_unknown_not_that_of_text) {
  const ModelPrice price{.base = {.input = dollars("1"), .output = dollars("2")}};
  EXPECT_TRUE(cost_of(price, {.input_tokens = 420, .output_tokens = 260}));
  EXPECT_FALSE(cost_of(price, {.input_tokens = 420, .output_tokens = 260, .audio_input_tokens = 1}));
  EXPECT_FALSE(cost_of(price, {.input_tokens = 420, .output_tokens = 260, .audio_output_tokens = 1}));
  EXPECT_FALSE(cost_of(price, {.input_tokens = 420, .output_tokens = 260, .image_output_tokens = 1}));
  EXPECT_EQ(cost_of(price, {.input_tokens = 2, .output_tokens = 1, .image_input_tokens = 2}), dollars("4"));
}

TEST(Cost, of_what_is_written_for_an_hour_is_that_of_writing_where_it_has_no_price) {
  const auto cost = [](const Rates& rates, std::int64_t prompt = 10) {
    ModelPrice price{.base = rates};
    price.specials.push_back({.prompt_min = 1000, .prompt_max = std::nullopt, .rates = {.cache_write = dollars("50")}});
    return cost_of(price,
                   {.input_tokens = prompt, .output_tokens = 0, .cache_write_tokens = 4, .cache_write_hour_tokens = 3});
  };
  Rates rates{.input = dollars("1"), .output = dollars("2")};
  EXPECT_EQ(cost(rates), dollars("10"));
  rates.cache_write = dollars("5");
  EXPECT_EQ(cost(rates), dollars("26"));
  rates.cache_write_hour = dollars("7");
  EXPECT_EQ(cost(rates), dollars("32"));
  EXPECT_EQ(cost(rates, 1000), dollars("1196")) << "the long prompt's price of writing stands for both";
}

TEST(Cost, is_never_more_than_the_worst) {
  const PriceTable table = PriceTable::built_in();
  for (const char* model : {"gpt-4o-audio-preview", "gpt-4o", "gpt-image-1"}) {
    const auto price = table.find("openai", model);
    ASSERT_TRUE(price) << model;
    for (const auto input :
         {&llm::Usage::audio_input_tokens, &llm::Usage::image_input_tokens, &llm::Usage::cache_write_hour_tokens}) {
      for (const auto output : {&llm::Usage::audio_output_tokens, &llm::Usage::image_output_tokens}) {
        llm::Usage usage{.input_tokens = 1000, .output_tokens = 1000};
        usage.*input = 1000;
        usage.*output = 1000;
        const auto cost = cost_of(*price, usage);
        const auto worst = worst_cost(*price, 1000, 1000);
        EXPECT_TRUE(!cost || !worst || *cost <= *worst) << model;
      }
    }
  }
}

TEST(PriceBook, has_the_rates_of_tiers_that_the_operator_set) {
  const PriceBook book({{.pattern = "a/*",
                         .rates = {.input = dollars("1"), .output = dollars("2")},
                         .tiers = {{.tier = Tier::flex, .rates = {.input = dollars("0.5")}}}}},
                       {{"a", {}}});
  const auto price = book.find("a/x", sys_days{2026y / 7 / 1});
  ASSERT_TRUE(price);
  EXPECT_EQ(price->rates_for(1, Tier::flex).input, dollars("0.5"));
  EXPECT_EQ(price->rates_for(1, Tier::flex).output, dollars("2"));
  EXPECT_EQ(price->rates_for(1, Tier::priority).input, dollars("1"));
}

TEST(PriceBook, has_other_rates_at_some_hours_of_the_day) {
  const auto book = std::make_shared<const PriceBook>(
      std::vector{PriceBook::Rule{
          .pattern = "a/*",
          .rates = {.input = dollars("4"), .output = dollars("8"), .reasoning = dollars("9")},
          .tiers = {{.tier = Tier::flex, .prompt_max = std::nullopt, .rates = {.input = dollars("3")}}},
          .off_peak = PriceBook::OffPeak{.from = 16h + 30min, .to = 30min, .rates = {.input = dollars("1")}}}},
      PriceBook::Sources{{"a", {}}});
  const sys_days day = 2026y / 7 / 1;
  PriceCache cache;
  cache.use(book);
  for (const auto& [at, input] :
       {std::pair{0min, "1"}, {29min, "1"}, {30min, "4"}, {16h + 29min, "4"}, {16h + 30min, "1"}, {23h + 59min, "1"}}) {
    const auto price = cache.find("a/x", day + at);
    ASSERT_TRUE(price);
    EXPECT_EQ(price->rates_for(1, Tier::standard).input, dollars(input)) << at.count();
    EXPECT_EQ(price->rates_for(1, Tier::standard).output, dollars("8"));
    EXPECT_EQ(price->rates_for(1, Tier::standard).reasoning, dollars("9"));
    EXPECT_EQ(price->rates_for(1, Tier::flex).input, dollars("3"));
    EXPECT_EQ(worst_cost(*price, 1, 0), dollars("4")) << "whenever it is settled";
  }
  const PriceBook::OffPeak noon{.from = 11h, .to = 13h, .rates = {}};
  EXPECT_TRUE(noon.covers(day + 11h));
  EXPECT_FALSE(noon.covers(day + 13h));
  EXPECT_FALSE(noon.covers(day + 1h));
}

TEST(PriceBook, matches_patterns) {
  for (const auto& [pattern, text, yes] : {std::tuple{"*", "", true},
                                           {"*", "a/b", true},
                                           {"a*c", "abc", true},
                                           {"a*c", "ac", true},
                                           {"a*c", "acb", false},
                                           {"a**c", "abbc", true},
                                           {"", "", true},
                                           {"", "a", false},
                                           {"*b*b", "abab", true},
                                           {"abc", "ab", false}}) {
    EXPECT_EQ(matches(pattern, text), yes) << pattern << " " << text;
  }
}

TEST(PriceCache, follows_the_day_and_the_book) {
  const sys_days summer = 2026y / 7 / 1;
  const auto book = [&](const char* input) {
    return std::make_shared<const PriceBook>(
        std::vector{PriceBook::Rule{.pattern = "a/b", .rates = {.input = dollars(input)}, .from = summer}},
        PriceBook::Sources{});
  };
  PriceCache cache;
  EXPECT_FALSE(cache.find("a/b", summer));
  cache.use(book("1"));
  EXPECT_FALSE(cache.find("a/b", summer - 1h));
  ASSERT_TRUE(cache.find("a/b", summer));
  EXPECT_EQ(cache.find("a/b", summer)->base.input, dollars("1"));
  cache.use(book("2"));
  EXPECT_EQ(cache.find("a/b", summer + 30h)->base.input, dollars("2"));
}

}  // namespace
}  // namespace weir::ledger

#include "tokens/tokenizer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "text/json_scan.hpp"
#include "text/json_value.hpp"
#include "tokens/chat.hpp"
#include "tokens/estimate.hpp"
#include "tokens/pieces.hpp"
#include "tokens/vocabularies.hpp"

namespace weir::tokens {
namespace {

const Vocabulary& vocabulary(Encoding encoding) {
  static Vocabularies vocabularies;
  const auto loaded = vocabularies.get(encoding);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().message << "; ./dev setup fetches them";
    std::abort();
  }
  return **loaded;
}

std::vector<TokenId> ids_of(std::string_view array) {
  std::vector<TokenId> ids;
  text::for_each_element(
      array, [&](const text::JsonValue& id) { ids.push_back(static_cast<TokenId>(text::to_int64(id).value_or(-1))); });
  return ids;
}

class Vectors : public testing::TestWithParam<std::pair<Encoding, const char*>> {};

TEST_P(Vectors, are_encoded_and_decoded_as_published) {
  const auto [encoding, file] = GetParam();
  Tokenizer tokenizer(encoding, vocabulary(encoding));
  std::ifstream in(std::string(WEIR_TOKEN_VECTORS "/") + file);
  ASSERT_TRUE(in);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto value = text::find_member(line, "text");
    const auto ids = text::find_member(line, "ids");
    ASSERT_TRUE(value && ids) << line;
    const std::string plain = text::unescape_lossy(value->string_raw());
    std::vector<TokenId> got;
    if (text::find_member(line, "allowed_special")) {
      tokenizer.encode_with_specials(plain, got);
    } else {
      tokenizer.encode(plain, got);
      EXPECT_EQ(tokenizer.count(plain), got.size());
    }
    EXPECT_EQ(got, ids_of(ids->raw)) << line;
    EXPECT_EQ(tokenizer.decode(got), plain);
  }
  EXPECT_GE(lines, 443);
}

INSTANTIATE_TEST_SUITE_P(Tokens, Vectors,
                         testing::Values(std::pair{Encoding::cl100k_base, "token_vectors_cl100k.jsonl"},
                                         std::pair{Encoding::o200k_base, "token_vectors_o200k.jsonl"}));

std::vector<std::string> pieces(Encoding encoding, std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = piece_length(encoding, text, at);
    out.emplace_back(text.substr(at, length));
    at += length;
  }
  return out;
}

TEST(Pieces, are_cut_as_the_published_expressions_cut) {
  using Words = std::vector<std::string>;
  struct Case {
    const char* text;
    Words cl100k;
    Words o200k;
  };
  const Case cases[] = {
      {"Hello, world! I'm 12345 years_old.",
       {"Hello", ",", " world", "!", " I", "'m", " ", "123", "45", " years", "_old", "."},
       {"Hello", ",", " world", "!", " I'm", " ", "123", "45", " years", "_old", "."}},
      {"HTTPServerError XMLHttpRequest",
       {"HTTPServerError", " XMLHttpRequest"},
       {"HTTPServer", "Error", " XMLHttp", "Request"}},
      {"don't DON'T 'sx", {"don", "'t", " DON", "'T", " '", "sx"}, {"don't", " DON'T", " '", "sx"}},
      {"\u2019s O'Reilly's", {"\u2019s", " O", "'Re", "illy", "'s"}, {"\u2019s", " O'Re", "illy's"}},
      {"a\n\n  b  c", {"a", "\n\n", " ", " b", " ", " c"}, {"a", "\n\n", " ", " b", " ", " c"}},
      {"x = 1;\r\n\r\n\treturn x;",
       {"x", " =", " ", "1", ";\r\n\r\n", "\treturn", " x", ";"},
       {"x", " =", " ", "1", ";\r\n\r\n", "\treturn", " x", ";"}},
      {"foo\n   ", {"foo", "\n", "   "}, {"foo", "\n", "   "}},
      {"it'\u017f", {"it", "'\u017f"}, {"it'\u017f"}},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(pieces(Encoding::cl100k_base, one.text), one.cl100k) << one.text;
    EXPECT_EQ(pieces(Encoding::o200k_base, one.text), one.o200k) << one.text;
  }
}

TEST(Tokens, survive_any_bytes) {
  std::mt19937 random(7);
  for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
    Tokenizer tokenizer(encoding, vocabulary(encoding));
    for (int round = 0; round < 2000; ++round) {
      std::string bytes(random() % 200, '\0');
      for (char& c : bytes) {
        c = static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 128 : random() % 128);
      }
      std::vector<TokenId> ids;
      tokenizer.encode(bytes, ids);
      ASSERT_EQ(tokenizer.decode(ids), bytes) << "round " << round;
    }
  }
}

// The small window of the second tokenizer is the smallest there is; the first merges each word as a whole.
TEST(Tokens, of_a_long_word_are_the_same_in_windows) {
  std::mt19937 random(11);
  const std::string_view alphabets[] = {"a",
                                        "ab",
                                        "aabbc",
                                        "etaoinshrdlu",
                                        "\u4f60\u597d\u4e16\u754c",
                                        "ACGT",
                                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"};
  for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
    Tokenizer whole(encoding, vocabulary(encoding), {.window_bytes = std::size_t{1} << 20});
    Tokenizer windows(encoding, vocabulary(encoding), {.window_bytes = 1});
    for (const std::string_view alphabet : alphabets) {
      for (int round = 0; round < 10; ++round) {
        std::string word;
        const std::size_t size = 600 + random() % 4000;
        while (word.size() < size) {
          const std::size_t step = alphabet[0] < 0 ? 3 : 1;
          const std::size_t at = random() % (alphabet.size() / step) * step;
          // Runs, so that merges depend on where they begin.
          for (std::size_t repeat = random() % 6 == 0 ? random() % 300 : 1; repeat > 0; --repeat) {
            word += alphabet.substr(at, step);
          }
        }
        std::vector<TokenId> expected;
        std::vector<TokenId> got;
        whole.encode(word, expected);
        windows.encode(word, got);
        ASSERT_EQ(got, expected) << word;
      }
    }
  }
}

TEST(Tokens, of_a_chat_include_what_each_message_adds) {
  struct Case {
    const char* body;
    PromptCount cl100k;
    PromptCount o200k;
  };
  const Case cases[] = {
      {R"({"messages":[{"role":"user","content":"Hello"}]})", {8}, {8}},
      {R"({"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is 2+2?"}]})",
       {24},
       {24}},
      {R"({"messages":[{"role":"system","content":"R\u00e9ponds en fran\u00e7ais."},{"role":"user","content":"你好"},{"role":"assistant","content":"Bonjour !"},{"role":"user","content":"Merci 🙂"}]})",
       {32},
       {30}},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]})", {8}, {8}},
      {R"({"messages":[{"role":"user","name":"Hello","content":null}]})", {9}, {9}},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x","detail":"low"}}]}]})",
       {92, false},
       {92, false}},
      {R"({"messages":[]})", {3}, {3}},
  };
  Tokenizer cl100k(Encoding::cl100k_base, vocabulary(Encoding::cl100k_base));
  Tokenizer o200k(Encoding::o200k_base, vocabulary(Encoding::o200k_base));
  for (const Case& one : cases) {
    EXPECT_EQ(count_chat(cl100k, one.body), one.cl100k) << one.body;
    EXPECT_EQ(count_chat(o200k, one.body), one.o200k) << one.body;
  }
}

TEST(Tokens, of_prompts_and_inputs_in_every_form) {
  Tokenizer tokenizer(Encoding::cl100k_base, vocabulary(Encoding::cl100k_base));
  EXPECT_EQ(count_prompt(tokenizer, R"({"input":"hello world"})", "input").tokens, 2);
  EXPECT_EQ(count_prompt(tokenizer, R"({"input":["hello world","hello"]})", "input").tokens, 3);
  EXPECT_EQ(count_prompt(tokenizer, R"({"prompt":[1,2,3]})", "prompt").tokens, 3);
  EXPECT_EQ(count_prompt(tokenizer, R"({"prompt":[[1,2],[3]]})", "prompt").tokens, 3);
  EXPECT_EQ(count_prompt(tokenizer, R"({"input":7})", "prompt").tokens, 0);
}

TEST(Tokens, are_estimated_alike_wherever_a_character_lies) {
  for (std::size_t before = 0; before < 130; ++before) {
    for (const std::size_t behind : {0U, 1U, 63U, 64U, 65U, 200U}) {
      const std::string text = std::string(before, 'a') + "\u00e4\u20ac" + std::string(behind, 'b');
      const auto twentieths = static_cast<std::int64_t>((before + behind) * 5 + 2 * 16);
      ASSERT_EQ(estimate(text), (twentieths + 19) / 20) << before << " " << behind;
    }
  }
}

TEST(Tokens, are_estimated_from_bytes) {
  EXPECT_EQ(estimate(""), 0);
  EXPECT_EQ(estimate("abcd"), 1);
  EXPECT_EQ(estimate("abcde"), 2);
  EXPECT_EQ(estimate("\u4f60\u597d\u4e16\u754c\u4f60"), 4);
}

TEST(Encodings, follow_the_model) {
  struct Case {
    const char* model;
    Encoding encoding;
    bool known;
  };
  for (const Case& one :
       {Case{"gpt-4o-2024-08-06", Encoding::o200k_base, true}, Case{"gpt-4-turbo", Encoding::cl100k_base, true},
        Case{"gpt-4.1-mini", Encoding::o200k_base, true},
        Case{"ft:gpt-3.5-turbo:acme:x:1", Encoding::cl100k_base, true},
        Case{"openai/o3-mini", Encoding::o200k_base, true}, Case{"text-embedding-3-small", Encoding::cl100k_base, true},
        Case{"claude-sonnet-4-5", Encoding::o200k_base, false}, Case{"", Encoding::o200k_base, false}}) {
    const EncodingChoice choice = encoding_of(one.model);
    EXPECT_EQ(choice.encoding, one.encoding) << one.model;
    EXPECT_EQ(choice.known, one.known) << one.model;
  }
}

TEST(Vocabulary, refuses_what_is_none) {
  for (const char* document : {"", "{", "{}", R"({"bpe_ranks":7})", R"({"bpe_ranks":"! 1 IQ=="})",
                               R"({"bpe_ranks":"! 0 IQ== *"})", R"({"bpe_ranks":"! 0 IQ=="})"}) {
    EXPECT_FALSE(Vocabulary::parse(document)) << document;
  }
}

}  // namespace
}  // namespace weir::tokens

// The mock's embeddings: no model, but vectors that behave like ones.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "dialects/openai/embeddings.hpp"
#include "dialects/openai/errors.hpp"
#include "dialects/openai/request.hpp"
#include "providers/mock_writer.hpp"
#include "text/json_value.hpp"

namespace weir::providers {
namespace {

constexpr std::int64_t dimensions_usual = 16;
constexpr std::int64_t dimensions_max = 4096;

/// SplitMix64: the same numbers on every machine, which std::hash does not promise.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(std::string_view word) {
  std::uint64_t hash = 0;
  for (const char c : word) {
    hash = mix(hash ^ static_cast<unsigned char>(c));
  }
  return hash;
}

class EmbeddingWriter final : public MockWriter {
 public:
  EmbeddingWriter(std::string_view body, std::string_view model, const MockOptions& options, bool fails)
      : MockWriter("embd", body, model, options, fails) {
    if (const auto request = openai::read_embedding_request(body)) {
      base64_ = request->encoding_format == openai::EncodingFormat::base64;
    }
    if (const auto dimensions = text::find_member(body, "dimensions")) {
      dimensions_ = static_cast<std::size_t>(
          std::clamp<std::int64_t>(text::to_int64(*dimensions).value_or(dimensions_usual), 1, dimensions_max));
    }
    if (const auto input = text::find_member(body, "input")) {
      read_input(*input);
    }
  }

 private:
  using Words = std::vector<std::uint64_t>;

  void read_input(const text::JsonValue& input) {
    if (input.kind == text::JsonKind::string) {
      const std::string text = text::unescape_lossy(input.string_raw());
      Words words;
      for (const std::string& token : tokens_of(text)) {
        words.push_back(
            hash_of(std::string_view(token).substr(std::min(token.size(), token.find_first_not_of(" \n\t")))));
      }
      inputs_.push_back(std::move(words));
    } else if (input.kind == text::JsonKind::array) {
      Words tokens;
      text::for_each_element(input.raw, [&](const text::JsonValue& element) {
        if (element.kind == text::JsonKind::number) {
          tokens.push_back(hash_of(element.raw));
        } else {
          read_input(element);
        }
      });
      if (!tokens.empty()) {
        inputs_.push_back(std::move(tokens));
      }
    }
  }

  /// The sum of its words' directions, of length 1.
  [[nodiscard]] std::vector<float> vector_of(const Words& words) const {
    std::vector<double> sum(dimensions_, 0.0);
    for (std::size_t i = 0; i < dimensions_; ++i) {
      sum[i] = 1e-3;  // a text without words has a direction too
      for (const std::uint64_t word : words) {
        sum[i] += static_cast<double>(mix(word + i)) / 9.223372036854775808e18 - 1;
      }
    }
    double squares = 0;
    for (const double part : sum) {
      squares += part * part;
    }
    std::vector<float> vector;
    vector.reserve(dimensions_);
    for (const double part : sum) {
      vector.push_back(static_cast<float>(part / std::sqrt(squares)));
    }
    return vector;
  }

  void write_answer() override {
    if (inputs_.empty()) {
      script_.status = openai::request_error_status;
      add(openai::error_body(openai::RequestError{.message = "Missing required parameter: 'input'.",
                                                  .code = "missing_required_parameter",
                                                  .param = "input"}),
          {});
      return;
    }
    std::string data;
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const std::vector<float> vector = vector_of(inputs_[i]);
      tokens += inputs_[i].size();
      data += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i == 0 ? "" : ",", i);
      if (base64_) {
        openai::append_base64(data, vector);
      } else {
        openai::append_floats(data, vector);
      }
      data += '}';
    }
    const std::string usage =
        options_.usage ? fmt::format(R"(,"usage":{{"prompt_tokens":{},"total_tokens":{}}})", tokens, tokens) : "";
    add_whole(fmt::format(R"({{"object":"list","data":[{}],"model":{}{}}})", data, model_, usage), 0);
  }

  bool base64_ = false;
  std::size_t dimensions_ = dimensions_usual;
  std::vector<Words> inputs_;
};

}  // namespace

MockScript make_embeddings(std::string_view body, std::string_view model, const MockOptions& options, bool fails) {
  return EmbeddingWriter(body, model, options, fails).write();
}

}  // namespace weir::providers

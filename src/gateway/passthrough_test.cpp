#include "gateway/passthrough.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace weir::gateway {
namespace {

http::Headers headers_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  http::Headers headers;
  for (const auto& [name, value] : fields) {
    headers.add(name, value);
  }
  return headers;
}

TEST(Passthrough, nothing_of_this_connection_and_no_credential_goes_up) {
  const http::Headers headers = headers_of({
      {"Host", "a"},
      {"Connection", "close, X-Listed"},
      {"X-Listed", "1"},
      {"Keep-Alive", "5"},
      {"Transfer-Encoding", "chunked"},
      {"Content-Length", "5"},
      {"TE", "trailers"},
      {"Upgrade", "h2c"},
      {"Expect", "100-continue"},
      {"Authorization", "Bearer caller"},
      {"Proxy-Authorization", "Basic x"},
      {"X-API-Key", "caller"},
      {"api-key", "caller"},
      {"Cookie", "session=1"},
      {"Accept-Encoding", "gzip"},
      {"X-Forwarded-For", "1.2.3.4"},
      {"Forwarded", "for=1.2.3.4"},
      {"Via", "1.1 x"},
      {"X-Mock", "echo"},
      {"x-weir-anything", "1"},
      {"X-WEIR-OTHER", "1"},
      {"X-Request-Id", "callers"},
      {"traceparent", "00-x"},
  });
  RecycledVector<http::Header> out;
  select_request_headers(headers, out);
  std::string names;
  for (const http::Header& header : out) {
    names.append(header.name).append(" ");
  }
  EXPECT_EQ(names, "");
}

TEST(Passthrough, what_is_the_providers_goes_up_in_order_repeated_and_spelt_as_sent) {
  const http::Headers headers = headers_of({
      {"Content-Type", "application/json"},
      {"OpenAI-Organization", "org"},
      {"OpenAI-Beta", "assistants=v2"},
      {"X-Custom", "1"},
      {"X-Custom", "2"},
      {"User-Agent", "OpenAI/Python"},
      {"Accept", "*/*"},
  });
  RecycledVector<http::Header> out;
  select_request_headers(headers, out);
  ASSERT_EQ(out.size(), headers.size());
  EXPECT_TRUE(std::ranges::equal(out, headers, [](const http::Header& a, const http::Header& b) {
    return a.name == b.name && a.value == b.value;
  }));
}

TEST(Passthrough, a_provider_cannot_speak_for_weir_or_of_its_own_connection) {
  const http::Headers headers = headers_of({
      {"Content-Type", "text/event-stream"},
      {"Content-Length", "5"},
      {"Connection", "keep-alive, X-Hop"},
      {"X-Hop", "1"},
      {"Transfer-Encoding", "chunked"},
      {"x-weir-target", "forged"},
      {"X-Weir-Request-Id", "forged"},
      {"Set-Cookie", "__cf_bm=1"},
      {"alt-svc", "h3=\":443\""},
      {"Strict-Transport-Security", "max-age=1"},
      {"x-request-id", "req_provider"},
      {"x-ratelimit-remaining-requests", "5"},
  });
  RecycledVector<http::Header> passing;
  select_reply_headers(headers, passing);
  std::vector<std::pair<std::string_view, std::string_view>> out;
  for (const http::Header& header : passing) {
    out.emplace_back(header.name, header.value);
  }
  const std::vector<std::pair<std::string_view, std::string_view>> expected{
      {"Content-Type", "text/event-stream"}, {"x-request-id", "req_provider"}, {"x-ratelimit-remaining-requests", "5"}};
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace weir::gateway

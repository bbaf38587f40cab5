#include "api/inference.hpp"

#include <fmt/format.h>

#include "api/generate_sink.hpp"
#include "api/http_sink.hpp"
#include "api/reply.hpp"
#include "dialects/openai/errors.hpp"
#include "dialects/openai/generate.hpp"
#include "gateway/exchange.hpp"
#include "gateway/passthrough.hpp"

namespace weir::api {

namespace {

constexpr std::size_t model_bytes_max = 1024;
constexpr std::size_t client_request_id_max = 256;  // what a record keeps of it

gateway::Call::Unusable unusable(const openai::RequestError& error) {
  return {.error = {.code = Code::invalid_request, .message = error.message}, .reply = openai::error_body(error)};
}

/// Reads what the gateway has to know of the body, or notes why it cannot be used.
void read_request(gateway::Call& call) {
  auto read = call.operation().read_request(call.body);
  if (!read) {
    call.unusable = unusable(read.error());
  } else if (read->model.size() > model_bytes_max) {
    // Records and error messages hold the name: it must not be as large as a body.
    call.unusable =
        unusable({.message = fmt::format("Invalid value for 'model': a name has at most {} bytes.", model_bytes_max),
                  .code = "invalid_value",
                  .param = "model"});
  } else {
    call.request = std::move(*read);
  }
}

/// A call of this request with `body`, which lives as long as the call; not read yet.
gateway::Call make_call(ApiRequest& request, std::string_view body) {
  const http::Headers& headers = request.http.head.headers;
  gateway::Call call{
      .endpoint = request.endpoint,
      .id = std::move(request.id),
      .body = body,
      .request = {},
      .unusable = std::nullopt,
      .headers = {},
      .query = request.http.head.target.query,
      .client = std::string(request.http.peer),
      .client_request_id = std::string(headers.value(http::KnownHeader::x_request_id).substr(0, client_request_id_max)),
      .trace = std::nullopt,
      .mock = headers.value(http::KnownHeader::x_mock),
      .mock_asked = headers.has(http::KnownHeader::x_mock),
      .credential = auth::read_credential(headers),
      .principal = {},
      .started = request.http.started,
      .received = request.http.received};
  if (headers.has(http::KnownHeader::traceparent) && !headers.repeated(http::KnownHeader::traceparent)) {
    call.trace = observe::parse_traceparent(headers.value(http::KnownHeader::traceparent));
  }
  gateway::select_request_headers(headers, call.headers);
  return call;
}

/// The body goes up as it came, but for the edited spans, and what comes back goes down.
Task<void> infer(ApiRequest& request) {
  gateway::Call call = make_call(request, request.http.body);
  read_request(call);
  HttpSink sink(request.response);
  gateway::Exchange exchange(request.core, call, sink, request.end);
  co_await exchange.run();
}

/// A chat call in other words, both ways.
Task<void> generate(ApiRequest& request) {
  const auto chat = openai::chat_body_of_generate(request.http.body);
  gateway::Call call = make_call(request, chat ? std::string_view(*chat) : request.http.body);
  if (chat) {
    read_request(call);
  } else {
    call.unusable = unusable(chat.error());
  }
  HttpSink http(request.response);
  GenerateSink sink(http);
  gateway::Exchange exchange(request.core, call, sink, request.end);
  co_await exchange.run();
}

}  // namespace

void add_inference_endpoints(Registry& registry) {
  registry.add({.method = "POST",
                .path = "/v1/chat/completions",
                .upstream_path = "/chat/completions",
                .operation = &openai::chat_completion,
                .summary = "A chat completion, whole or streamed."},
               infer);
  registry.add({.method = "POST",
                .path = "/v1/completions",
                .upstream_path = "/completions",
                .operation = &openai::text_completion,
                .summary = "A legacy text completion, whole or streamed."},
               infer);
  registry.add({.method = "POST",
                .path = "/v1/embeddings",
                .upstream_path = "/embeddings",
                .operation = &openai::embedding,
                .summary = "Embeddings of texts or token lists."},
               infer);
  registry.add({.method = "POST",
                .path = "/v1/generate",
                .upstream_path = "/chat/completions",
                .operation = &openai::chat_completion,
                .summary = "A text for a prompt, whole or streamed."},
               generate);
}

}  // namespace weir::api

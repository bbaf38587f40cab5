#include "providers/openai_provider.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "http/head_writer.hpp"
#include "observe/metric_names.hpp"
#include "platform/recycled_memory.hpp"
#include "providers/decoded_reply.hpp"

namespace weir::providers {

namespace {

class HttpReply final : public UpstreamReply {
 public:
  HttpReply(http::Client& client, std::unique_ptr<http::ClientResponse> response)
      : client_(client), response_(std::move(response)) {}
  // One for every call.
  static void* operator new(std::size_t bytes) { return allocate_recycled(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_recycled(block, bytes); }

  [[nodiscard]] int status() const override { return response_->head().status; }
  [[nodiscard]] const http::Headers& headers() const override { return response_->head().headers; }
  Task<Result<std::string_view>> read(platform::Until until) override { return response_->read(until); }
  [[nodiscard]] bool ended() const override { return response_->ended(); }
  [[nodiscard]] std::optional<std::uint64_t> body_bytes() const override {
    if (response_->head().framing != http::BodyFraming::length) {
      return std::nullopt;
    }
    return response_->head().content_length;
  }
  void finish() override {
    if (!response_->ended()) {
      client_.linger(std::move(response_));
    }
  }
  void distrust() override { response_->distrust(); }

 private:
  http::Client& client_;
  std::unique_ptr<http::ClientResponse> response_;
};

/// What stands before a query, which may be empty.
std::string_view separator(std::string_view query, bool behind_another) {
  if (query.empty()) {
    return {};
  }
  return behind_another ? "&" : "?";
}

/// What does not change from request to request is checked and written once.
std::string fields_of(std::span<const std::pair<std::string, std::string>> headers) {
  std::string fields;
  http::HeadWriter writer(fields);
  for (const auto& [name, value] : headers) {
    writer.field(name, value);
  }
  return fields;
}

std::string host_field_of(const std::string& host) {
  std::string field;
  http::HeadWriter(field).field(http::KnownHeader::host, host);
  return field;
}

}  // namespace

OpenAiProvider::OpenAiProvider(platform::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      own_authorization_(configures("authorization")),
      own_accept_encoding_(configures("accept-encoding")),
      own_traceparent_(configures("traceparent")),
      host_field_(host_field_of(options_.host)),
      configured_fields_(fields_of(options_.headers)),
      client_(loop, {.peer = options_.peer,
                     .tls = options_.tls,
                     .proxy = options_.proxy,
                     .dialer = options_.dialer,
                     .slots = options_.slots,
                     .idle_max = options_.idle_max,
                     .idle_timeout = options_.idle_timeout}) {}

bool OpenAiProvider::configures(std::string_view header) const {
  return std::ranges::any_of(options_.headers, [&](const auto& own) { return http::iequals(own.first, header); });
}

std::string OpenAiProvider::head_of(const UpstreamRequest& request, const KeyPool::Lease* key) const {
  std::string head;
  head.reserve(1024);
  http::HeadWriter writer(head);
  const std::string_view base_query = options_.base_query;
  const bool asks = !base_query.empty() || !request.query.empty();
  const bool has_query = asks && (options_.base_path.contains('?') || request.path.contains('?'));
  static_cast<void>(
      writer.request_line(request.method, {options_.base_path, request.path,  //
                                           separator(base_query, has_query), base_query,
                                           separator(request.query, has_query || !base_query.empty()), request.query}));
  head.append(host_field_);
  bool has_type = configures("content-type");
  bool has_idempotency_key = configures("idempotency-key");
  for (const http::Header& header : request.headers) {
    // The operator's word for this provider stands above the caller's.
    const bool withheld =
        !options_.quirks.withheld_header.empty() && http::iequals(header.name, options_.quirks.withheld_header);
    if (!withheld && !configures(header.name)) {
      has_type = has_type || header.known == http::KnownHeader::content_type;
      has_idempotency_key = has_idempotency_key ||
                            (header.known == http::KnownHeader::other && http::iequals(header.name, "idempotency-key"));
      writer.parsed_field(header);
    }
  }
  const bool has_body = request.method == "POST";
  if (!has_type && has_body) {
    writer.field(http::KnownHeader::content_type, "application/json");
  }
  if (!own_accept_encoding_) {
    writer.field(http::KnownHeader::accept_encoding, "identity");
  }
  if (key != nullptr) {
    writer.field(http::KnownHeader::authorization, "Bearer " + key->value().reveal());
  }
  if (!request.idempotency_key.empty() && options_.quirks.idempotency_key && !has_idempotency_key) {
    writer.field("Idempotency-Key", request.idempotency_key);
  }
  if (!request.traceparent.empty() && !own_traceparent_) {
    writer.field(http::KnownHeader::traceparent, request.traceparent);
  }
  head.append(configured_fields_);
  if (has_body) {
    writer.content_length(request.body_bytes);
  }
  writer.end();
  return head;
}

Task<Result<std::unique_ptr<UpstreamReply>>> OpenAiProvider::send(const UpstreamRequest& request, UpstreamFacts& facts,
                                                                  platform::Until until) {
  if (KeyPool* const pool = keys(); pool != nullptr && !request.choose_key && pool->is_shut_by_hand(loop_.now())) {
    co_return fail(Code::upstream_credentials, "all keys of this provider were taken out by hand");
  }
  struct Sending {
    OpenAiProvider& provider;
    const UpstreamRequest& request;
    std::optional<KeyPool::Lease> own_key = std::nullopt;
    std::string head = {};
    bool keyless = false;  // it has keys, and gave none

    bool connected(platform::Instant now) {
      if (request.on_connected) {
        request.on_connected(now);
      }
      const KeyPool::Lease* const key = request.choose_key ? request.choose_key(now) : take_key(now);
      WEIR_ASSERT(key == nullptr || key->pool() == provider.keys(), "a key goes to its own provider and to no other");
      keyless = key == nullptr && provider.keys() != nullptr;
      if (!keyless) {
        head = provider.head_of(request, key);
      }
      return !keyless;
    }
    const KeyPool::Lease* take_key(platform::Instant now) {
      KeyPool* const pool = provider.keys();
      if (pool != nullptr && !(own_key = pool->take(request.model, {}, now))) {
        own_key = pool->take_anyway(request.model, {}, now);
      }
      return own_key ? &*own_key : nullptr;
    }
  };
  Sending sending{.provider = *this, .request = request};
  const std::function<bool(platform::Instant)> on_connected = [&sending](platform::Instant now) {
    return sending.connected(now);
  };
  http::ClientFacts client_facts;
  auto response = co_await client_.send(sending.head, request.body,
                                        {.connect_deadline = request.connect_deadline,
                                         .fresh_connection = request.fresh_connection,
                                         .on_connected = &on_connected},
                                        client_facts, until);
  facts = {.connected = client_facts.connected,
           .reused_connection = client_facts.reused_connection,
           .closed_before_reply = client_facts.closed_before_reply};
  if (sending.keyless) {
    // An operator took the last key out while the call waited for a connection.
    co_return fail(Code::upstream_credentials,
                   "no key of this provider can be used now, and it is not asked without one");
  }
  if (!response) {
    co_return std::unexpected(std::move(response.error()));
  }
  co_return decoded(loop_, std::make_unique<HttpReply>(client_, std::move(*response)));
}

void OpenAiProvider::conceal(std::string& words) const {
  if (options_.keys != nullptr) {
    options_.keys->conceal(words);
  }
}

void OpenAiProvider::collect(observe::MetricShard& shard) const {
  shard.cell(observe::metric::pool_idle, {options_.name}).add(static_cast<double>(client_.idle()));
  shard.cell(observe::metric::pool_active, {options_.name})
      .add(static_cast<double>(client_.statistics().open - client_.idle()));
  shard.cell(observe::metric::pool_waiting, {options_.name}).add(static_cast<double>(client_.statistics().waiting));
  shard.cell(observe::metric::pool_opened, {options_.name}).add(static_cast<double>(client_.statistics().opened));
  shard.cell(observe::metric::pool_reused, {options_.name}).add(static_cast<double>(client_.statistics().reused));
  const net::TlsStatistics tls = client_.tls_statistics();
  if (options_.tls) {
    shard.cell(observe::metric::tls_handshakes, {options_.name, "full"})
        .add(static_cast<double>(tls.handshakes - tls.resumed));
    shard.cell(observe::metric::tls_handshakes, {options_.name, "resumed"}).add(static_cast<double>(tls.resumed));
    shard.cell(observe::metric::tls_handshakes, {options_.name, "failed"}).add(static_cast<double>(tls.failed));
  }
}

}  // namespace weir::providers

"""GET /metrics and /health: the fixed shapes, from what the calls met and never by a call of their own."""

import re

import pytest

from fault_server import USAGE, provider_error

PERFORMANCE = {"total_requests", "total_tokens_generated", "average_latency_seconds", "streaming_requests", "non_streaming_requests", "errors"}
SECTIONS = {
    "performance": PERFORMANCE,
    "cache": {"hits", "misses", "hit_rate", "cache_size", "memory", "evictions", "warming", "built"},
    "rate_limiter": {"active_clients", "max_requests_per_window", "window_seconds", "built"},
    "http_client": {"total", "successful", "failed", "average_response_time", "error_rate"},
    "connection_pool": {"active", "idle", "pending", "reused"},
    "system": {"cpu", "memory", "disk", "network", "threads"},
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_metrics_are_json_with_the_fixed_keys(weir, a):
    before = weir.request("GET", "/metrics").json["performance"]
    weir.record(weir.chat("alone").request_id)
    weir.record(weir.chat("alone", stream=True).request_id)
    weir.record(weir.chat("no-such-model").request_id)
    reply = weir.request("GET", "/metrics")
    assert reply.status == 200 and reply.header("content-type") == "application/json" and reply.request_id
    page = reply.json
    assert set(page) == {"sopa_version", "version", "timestamp", *SECTIONS}
    for name, keys in SECTIONS.items():
        assert set(page[name]) == keys, name
    now = page["performance"]
    assert now["total_requests"] - before["total_requests"] == 3 and now["errors"] - before["errors"] == 1
    assert now["streaming_requests"] - before["streaming_requests"] == 1
    assert now["non_streaming_requests"] - before["non_streaming_requests"] == 2
    assert now["total_tokens_generated"] - before["total_tokens_generated"] == 2 * USAGE["completion_tokens"]
    assert re.fullmatch(r"\d+\.\d\d", now["average_latency_seconds"])
    assert page["cache"]["hit_rate"] == "0.00%" and page["cache"]["built"] is False
    assert re.fullmatch(r"\d+\.\d\d%", page["http_client"]["error_rate"]) and page["http_client"]["successful"] >= 2
    assert page["system"]["memory"]["resident_bytes"] > 1 << 20 and page["system"]["threads"] >= 2
    assert TIMESTAMP.fullmatch(page["timestamp"])


SCRAPER = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"


@pytest.mark.parametrize(
    "accept, text",
    [(SCRAPER, True), ("text/plain", True), ("*/*", False), ("text/plain;q=0.1, application/json", False), ("text/html,*/*;q=0.8", False)],
)
def test_accept_chooses_the_form(weir, a, accept, text):
    weir.record(weir.chat("alone").request_id)
    reply = weir.request("GET", "/metrics", headers={"Accept": accept})
    if text:
        assert reply.header("content-type").startswith("text/plain; version=0.0.4") and b"# TYPE weir_requests_total counter" in reply.body
    else:
        assert "performance" in reply.json


def test_health_has_its_shape_and_asks_nobody(weir, a, b):
    reply = weir.request("GET", "/health")
    assert reply.status == 200 and set(reply.json) == {"status", "service", "version", "timestamp", "checks"}
    assert reply.json["service"] == "weir" and TIMESTAMP.fullmatch(reply.json["timestamp"])
    assert set(reply.json["checks"]) == {"cores", "accepting", "memory", "providers", "store"}
    assert reply.json["checks"]["store"] == {"status": "healthy", "kind": "memory"}  # nothing is kept on a disk here
    detailed = weir.request("GET", "/health/detailed").json
    assert set(detailed["providers"]) == {"a", "b", "hasty", "nobody", "paid", "mock"}
    assert detailed["components"]["cache"] == {"status": "not built"}
    for path in ("/health", "/health/detailed", "/health/providers"):
        assert weir.request("HEAD", path).body == b""
        assert weir.request("POST", path, b"{}").status == 405
    assert a.requests == b.requests == a.model_requests == []


def test_a_provider_that_fails_shows(weir, a, b):
    a.always("status", status=500)
    for _ in range(6):
        last = weir.chat("smart-hasty")  # each fails at hasty, which is the same server as a, and is answered by b
    weir.record(last.request_id)
    providers = weir.request("GET", "/health/providers").json["providers"]
    assert providers["hasty"]["status"] == "unhealthy" and providers["hasty"]["last_minute"] == {"succeeded": 0, "failed": 6}
    assert providers["hasty"]["success_rate"] == 0 and providers["b"]["status"] == "healthy" and providers["b"]["total"]["succeeded"] >= 6
    whole = weir.request("GET", "/health")
    assert whole.status == 200 and whole.json["status"] == "degraded" and whole.json["checks"]["providers"]["failing"] == 1


def test_the_callers_own_errors_say_nothing_of_the_provider(weir, a):
    a.always(provider_error("400 invalid value"))
    for _ in range(6):
        last = weir.chat("paid")
    weir.record(last.request_id)
    assert weir.request("GET", "/health/providers").json["providers"]["paid"]["status"] == "healthy"

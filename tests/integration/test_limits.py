"""Limits by address: exactly as many as they say, refusals that cost nothing and a wait that is true."""

import concurrent.futures
import re
import time

import openai
import pytest

from fault_server import FaultServer
from weir_server import Weir

CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello."}}}}
models: {{m: mock/x, a: a/x}}
server: {{trusted_proxies: [127.0.0.1]}}
retry: {{attempts: 1}}
{rest}
"""


@pytest.fixture(scope="module")
def upstream():
    with FaultServer("a") as server:
        yield server


def limited(upstream, tmp_path, rest: str) -> Weir:
    return Weir(tmp_path, CONFIG.format(a=upstream.base_url, rest=rest))


def caller(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def metric(weir: Weir, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", weir.request("GET", "/metrics/prometheus").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_of_parallel_calls_exactly_as_many_pass_as_the_limit_says(upstream, tmp_path):
    with limited(upstream, tmp_path, "limits: {without_key: {requests: 7/1h}}") as weir:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: weir.chat("m", headers=caller("192.0.2.1")), range(40)))
        assert sorted(reply.status for reply in replies) == [200] * 7 + [429] * 33
        assert sorted(int(reply.header("x-ratelimit-remaining-requests")) for reply in replies if reply.status == 200) == list(range(7))
        for reply in replies:
            if reply.status == 429:
                error = reply.json["error"]
                assert error["code"] == "rate_limit_exceeded" and "7 requests per 3600 s" in error["message"]
                assert 3500 < int(reply.header("retry-after")) <= 3600
                assert int(reply.header("retry-after-ms")) == 1000 * int(reply.header("retry-after"))
                assert reply.request_id
        # Another address has its own; so has another IPv6 network, but not another host of the same.
        assert weir.chat("m", headers=caller("192.0.2.2")).status == 200
        assert [weir.chat("m", headers=caller(f"2001:db8:1::{i}")).status for i in range(1, 9)] == [200] * 7 + [429]
        assert weir.chat("m", headers=caller("2001:db8:2::1")).status == 200
        assert metric(weir, 'weir_limited_requests_total{scope="address",unit="requests"}') == 34
        assert metric(weir, "weir_limit_scopes") == 4
        page = weir.request("GET", "/metrics").json["rate_limiter"]
        assert page == {"active_clients": 4, "max_requests_per_window": 7, "window_seconds": 3600, "built": True}
        record = weir.record(replies[-1].request_id) if replies[-1].status == 429 else None
        assert record is None or (record["error_code"] == "rate_limit_exceeded" and record["attempts"] == [] and record["cost_usd"] == 0)


def test_who_waits_as_long_as_he_is_told_is_admitted(upstream, tmp_path):
    with limited(upstream, tmp_path, "limits: {without_key: {requests: 1/1500ms}}") as weir:
        for _ in range(3):
            while (reply := weir.chat("m")).status == 200:
                pass
            assert reply.status == 429
            time.sleep(int(reply.header("retry-after")))  # what the test is about
            assert weir.chat("m").status == 200


def test_places_come_back_however_a_call_ends(upstream, tmp_path):
    with limited(upstream, tmp_path, "auth: {mode: none}\nlimits: {without_key: {in_flight: 2}}") as weir:
        for how in ("status", "cut_rst", "ok", "garbage", "error_event"):
            for _ in range(4):
                upstream.forget()
                upstream.plan(how)
                assert weir.chat("a", stream=True).status != 429
        assert weir.chat("m").header("x-ratelimit-limit-requests") is None  # only calls in flight are limited


def test_calls_at_the_same_time_are_limited_and_a_client_that_leaves_frees_its_place(upstream, tmp_path):
    with limited(upstream, tmp_path, "auth: {mode: none}\nlimits: {without_key: {in_flight: 1}}") as weir:
        upstream.forget()
        upstream.plan("silence")
        sock = weir.connect()
        body = b'{"model":"a","messages":[{"role":"user","content":"x"}]}'
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        upstream.wait_for(lambda: upstream.requests, "the call to reach the provider")
        refused = weir.chat("m")
        assert refused.status == 429 and "1 call at the same time" in refused.json["error"]["message"]
        assert refused.header("retry-after") == "1"
        sock.close()
        until = time.monotonic() + 30
        while weir.chat("m").status == 429:
            assert time.monotonic() < until


def test_tokens_are_reserved_and_settled(upstream, tmp_path):
    with limited(upstream, tmp_path, "auth: {mode: none}\nlimits: {without_key: {tokens: 1000/1h}}") as weir:
        upstream.forget()
        too_large = weir.chat("a", max_tokens=2000)
        assert too_large.status == 400 and "limit of this address is 1000 tokens" in too_large.json["error"]["message"]
        first = weir.chat("a", max_tokens=900)
        assert first.status == 200 and int(first.header("x-ratelimit-remaining-tokens")) < 100  # as long as it runs
        weir.record(first.request_id)
        second = weir.chat("a", max_tokens=900)
        assert second.status == 200  # the first one used few of what it had reserved
        used = weir.record(first.request_id)["tokens_in"] + weir.record(first.request_id)["tokens_out"]
        assert int(second.header("x-ratelimit-limit-tokens")) == 1000
        assert int(first.header("x-ratelimit-remaining-tokens")) - int(second.header("x-ratelimit-remaining-tokens")) == used
        weir.record(second.request_id)
        assert weir.chat("a", max_tokens=950).status == 429


def test_ours_stand_in_place_of_the_provider_s(upstream, tmp_path):
    with limited(upstream, tmp_path, "auth: {mode: none}\nlimits: {without_key: {requests: 50/1h}}") as weir:
        for stream in (False, True):
            upstream.forget()
            upstream.always("ok", headers=(("x-ratelimit-limit-requests", "9"), ("X-RateLimit-Reset-Tokens", "6m0s"), ("x-other", "kept")))
            reply = weir.chat("a", stream=stream)
            assert reply.status == 200 and reply.header("x-other") == "kept"
            assert reply.header("x-ratelimit-limit-requests") == "50" and reply.header("x-ratelimit-reset-tokens") is None
            assert re.fullmatch(r"1h0m0s|59m\d+(\.\d+)?s", reply.header("x-ratelimit-reset-requests"))


def test_the_defaults(upstream, tmp_path):
    for mode in ("none", "required"):
        (tmp_path / mode).mkdir()
        with limited(upstream, tmp_path / mode, f"auth: {{mode: {mode}}}") as weir:
            assert {weir.chat("m").status for _ in range(120)} == {200}
    (tmp_path / "keys").mkdir()
    with limited(upstream, tmp_path / "keys", "auth: {mode: optional}") as weir:
        first = weir.chat("m")
        assert first.header("x-ratelimit-limit-requests") == "100" and first.header("x-ratelimit-remaining-requests") == "99"
        assert weir.chat("no-such-model").status == 404  # does not count
        assert weir.chat("m").header("x-ratelimit-remaining-requests") == "98"
    (tmp_path / "off").mkdir()
    with limited(upstream, tmp_path / "off", "auth: {mode: optional}\nlimits: {without_key: {requests: none}}") as weir:
        assert weir.chat("m").header("x-ratelimit-limit-requests") is None


def test_the_official_client_takes_it_for_a_rate_limit(upstream, tmp_path):
    with limited(upstream, tmp_path, "limits: {without_key: {requests: 1/1h}}") as weir:
        client = weir.client(max_retries=0)
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert refused.value.code == "rate_limit_exceeded"

"""Budgets and quotas: a hard one is never passed, held is not spent, and what was spent survives the process."""

import concurrent.futures
import json
import signal
import socket
import time

import pytest

from fault_server import USAGE, FaultServer
from weir_server import Reply, Weir

# A call that asks for 1000 tokens may cost $0.60; one costs COST.
CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  unpriced: {{dialect: openai, base_url: "{a}", keys: none}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello."}}}}
models: {{m: a/x, free: mock/x, unpriced: unpriced/x, either: {{steps: [unpriced/x, a/x]}}}}
prices: {{"a/*": {{input: 0, output: 600}}}}
retry: {{attempts: 1}}
tenants:
  company: {{limits: {{requests: 5/1h}}}}
  team: {{parent: company}}
  other: {{parent: company}}
auth:
  keys:
    - {{name: hard, value: the-hard-key, budgets: [{{usd: 1.00, period: month}}]}}
    - {{name: cap, value: the-cap-key, budgets: [{{usd: 0.60, period: month}}]}}
    - {{name: switch, value: the-switch-key, budgets: [{{usd: 0, substitute: free}}]}}
    - {{name: quota, value: the-quota-key, quotas: [{{tokens: 1000, count: output}}]}}
    - {{name: fresh, value: the-fresh-key, quotas: [{{tokens: 1000000, count: output}}]}}
    - {{name: total, value: the-total-key, quotas: [{{tokens: 100000, count: total}}]}}
    - {{name: soft, value: the-soft-key, budgets: [{{usd: 0.01, hard: false}}]}}
    - {{name: three, value: the-three-key, limits: {{requests: 3/1h}}}}
    - {{name: hundred, value: the-hundred-key, limits: {{requests: 100/1h}}}}
    - {{name: one, value: the-one-key, tenant: team}}
    - {{name: two, value: the-two-key, tenant: other}}
    - {{name: ops, value: the-ops-key, role: operator}}
{rest}
"""
COST = USAGE["completion_tokens"] * 600e-6


@pytest.fixture(scope="module")
def upstream():
    with FaultServer("a") as server:
        yield server


def budgeted(upstream, tmp_path, rest: str = "") -> Weir:
    upstream.forget()
    return Weir(tmp_path, CONFIG.format(a=upstream.base_url, rest=rest))


def ask(weir: Weir, key: str, model: str = "m", **fields) -> Reply:
    return weir.chat(model, headers={"Authorization": f"Bearer the-{key}-key"}, **{"max_tokens": 1000, **fields})


def code(reply: Reply) -> str | None:
    return reply.json["error"]["code"] if reply.status != 200 else None


def record(weir: Weir, reply: Reply) -> dict:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = weir.request("GET", f"/admin/v1/requests/{reply.request_id}", headers={"Authorization": "Bearer the-ops-key"})
        if found.status == 200:
            return found.json
    raise AssertionError("no record")


def hanging_call(weir: Weir, upstream, key: str) -> socket.socket:
    """A call that reached the provider and gets no answer."""
    before = len(upstream.requests)
    body = json.dumps({"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}).encode()
    sock = weir.connect()
    sock.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-%s-key\r\nContent-Length: %d\r\n\r\n"
        % (key.encode(), len(body)) + body
    )  # fmt: skip
    upstream.wait_for(lambda: len(upstream.requests) > before, "the call to reach the provider")
    return sock


def test_of_fifty_parallel_calls_one_runs_and_the_rest_may_come_back(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        upstream.always("slow_first_token", seconds=8.0)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: ask(weir, "hard"), range(50)))
        assert sorted(reply.status for reply in replies) == [200] + [429] * 49
        for reply in replies:
            if reply.status == 429:
                assert code(reply) == "budget_busy" and "$1 per month" in reply.json["error"]["message"]
                assert reply.header("retry-after") == "1" and reply.header("retry-after-ms") == "1000"
                assert reply.header("x-should-retry") is None
        assert len(upstream.requests) == 1
        ran = record(weir, next(reply for reply in replies if reply.status == 200))
        assert ran["attempts"][0]["reserved"]["usd"] == pytest.approx(0.6)
        assert ran["attempts"][0]["charged_usd"] == ran["cost_usd"] == pytest.approx(COST)
        refused = record(weir, next(reply for reply in replies if reply.status == 429))
        assert refused["refused_by"] == "the budget of this key, $1 per month: busy" and not refused["attempts"]
        upstream.forget()
        assert ask(weir, "hard").status == 200  # it settled below its hold
        page = weir.request("GET", "/metrics/prometheus").body.decode()
        assert 'weir_budget_refused_total{owner="key",reason="busy"} 49' in page
        assert 'weir_budget_held{owner="key",name="config:hard",unit="usd",period="month"} 0' in page


def test_what_is_spent_is_402_and_final(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        assert ask(weir, "cap").status == 200
        spent = ask(weir, "cap")
        assert (spent.status, code(spent)) == (402, "quota_exhausted")
        assert spent.header("x-should-retry") == "false" and spent.header("retry-after") is None
        assert "It begins anew at 20" in spent.json["error"]["message"]
        assert ask(weir, "cap", max_tokens=500).status == 200  # there is enough for this
        assert ask(weir, "cap", "free").status == 200  # what costs nothing always fits
        assert ask(weir, "hard").status == 200  # another key has its own


def test_a_caller_who_leaves_gives_the_hold_back(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        upstream.always("stall")
        with hanging_call(weir, upstream, "hard"):
            assert code(ask(weir, "hard")) == "budget_busy"
        upstream.forget()
        until = time.monotonic() + 30
        while (reply := ask(weir, "hard")).status == 429:
            assert time.monotonic() < until
        assert reply.status == 200


def test_what_was_spent_and_what_was_held_survive_a_kill(upstream, tmp_path):
    kept = 'data_dir: data\nstore: {url: "sqlite:weir.db"}'
    killed = budgeted(upstream, tmp_path, kept)
    killed.__enter__()
    assert ask(killed, "cap").status == 200
    upstream.always("stall")
    with hanging_call(killed, upstream, "hard"):
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(30)
    with budgeted(upstream, tmp_path, kept) as weir:
        until = time.monotonic() + 30
        while (reply := ask(weir, "cap")).status == 503:  # it is still reading
            assert code(reply) == "store_unavailable" and time.monotonic() < until
        assert code(reply) == "quota_exhausted"
        assert code(ask(weir, "hard")) == "budget_busy"  # nobody knows what the call that was running cost
        assert ask(weir, "hard", max_tokens=600).status == 200


def test_a_price_that_nobody_knows_is_not_zero(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        unknown = ask(weir, "hard", "unpriced")
        assert (unknown.status, code(unknown)) == (403, "price_unknown")
        either = ask(weir, "hard", "either")
        assert either.status == 200 and either.header("x-weir-target") == "a/x"
        assert any("price_unknown" in line for line in record(weir, either)["skipped"])
        assert ask(weir, "soft", "unpriced").status == 200


def test_another_model_stands_in_where_the_money_is_gone(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        reply = ask(weir, "switch")
        assert reply.status == 200 and reply.header("x-weir-target") == "mock/x"
        assert any("the budget of this key" in line for line in record(weir, reply)["skipped"])


def test_quotas_count_tokens_and_the_provider_is_told_the_limit(upstream, tmp_path):
    with budgeted(upstream, tmp_path, "budgets: {max_output_tokens: 900}") as weir:
        assert ask(weir, "quota", max_tokens=None).status == 200
        assert upstream.requests[-1].json["max_tokens"] == 900
        assert ask(weir, "quota", max_tokens=5000).status == 200
        assert upstream.requests[-1].json["max_tokens"] == 900
        assert ask(weir, "quota", max_tokens=5).status == 200
        assert upstream.requests[-1].json["max_tokens"] == 5
        told = {}
        for sent in ({"max_tokens": -1}, {"max_tokens": 0}, {"max_tokens": 5, "n_predict": -1}, {"n_predict": 7, "max_tokens": None}):
            assert ask(weir, "fresh", **sent).status == 200
            told = upstream.requests[-1].json
            # A negative limit is servers' word for none, and llama-server takes its own word before all others.
            assert all(0 < told[name] <= 900 for name in sent), told
        assert told["n_predict"] == 7
        assert ask(weir, "three", max_tokens=-1).status == 200
        assert upstream.requests[-1].json["max_tokens"] == -1  # nobody bounds this one
        assert ask(weir, "three", max_tokens=5000).status == 200
        assert upstream.requests[-1].json["max_tokens"] == 5000


@pytest.mark.parametrize("limit", [{"max_tokens": -1}, {"max_completion_tokens": -1, "max_tokens": None}, {"n_predict": -1}])
def test_no_wording_of_the_output_limit_passes_a_hard_budget(upstream, tmp_path, limit):
    with budgeted(upstream, tmp_path, "budgets: {max_output_tokens: 1000}") as weir:
        upstream.always("slow_first_token", seconds=4.0)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda _: ask(weir, "hard", **limit), range(20)))
        assert sorted(reply.status for reply in replies) == [200] + [429] * 19
        assert {code(reply) for reply in replies} == {None, "budget_busy"}


def test_a_prompt_holds_as_many_tokens_as_it_can_have(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        signs = "0x" * 500  # a token for each
        reply = ask(weir, "total", messages=[{"role": "user", "content": signs}])
        assert reply.status == 200
        assert record(weir, reply)["attempts"][0]["reserved"]["tokens"] >= 1000 + len(signs)


def test_tokens_of_a_caller_who_left_survive_a_restart(upstream, tmp_path):
    kept = 'data_dir: data\nstore: {url: "sqlite:weir.db"}'

    def used(weir: Weir) -> int:
        page = weir.request("GET", "/admin/v1/budgets?owner=key&id=config:total", headers={"Authorization": "Bearer the-ops-key"})
        return next((row["spent"] for row in page.json["data"]), 0)

    with budgeted(upstream, tmp_path, kept) as weir:
        upstream.always("stall")
        hanging_call(weir, upstream, "total").close()
        until = time.monotonic() + 30
        while not (before := used(weir)):
            assert time.monotonic() < until
            time.sleep(0.05)
    upstream.forget()
    with budgeted(upstream, tmp_path, kept) as weir:
        until = time.monotonic() + 30
        while (reply := ask(weir, "total", max_tokens=1)).status == 503:
            assert time.monotonic() < until
        assert used(weir) == before + sum(reply.json["usage"][name] for name in ("prompt_tokens", "completion_tokens"))


def test_a_soft_budget_warns_and_ends(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        statuses = [ask(weir, "soft", max_tokens=1).status for _ in range(5)]
        assert statuses[0] == 200 and statuses[-1] == 402
        weir.wait_for_output(r"100 % of the budget of key config:soft are used")


def test_limits_of_keys_and_of_tenants_above(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        assert [ask(weir, "three").status for _ in range(5)] == [200] * 3 + [429] * 2
        replies = [ask(weir, key) for key in ("one", "two", "one", "two", "one", "two", "one")]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 2
        assert "limit of this tenant is 5 requests per 3600 s" in replies[-1].json["error"]["message"]
        assert replies[0].header("x-ratelimit-remaining-requests") == "4"
        assert replies[-1].header("x-ratelimit-remaining-requests") == "0"
        assert record(weir, replies[-1])["refused_by"] == "the limit of this tenant, 5 requests per 3600 s"


def test_a_hundred_of_a_thousand_parallel_calls_pass(upstream, tmp_path):
    with budgeted(upstream, tmp_path) as weir:
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            replies = list(pool.map(lambda _: ask(weir, "hundred", "free"), range(1000)))
        assert sorted(reply.status for reply in replies) == [200] * 100 + [429] * 900
        assert {code(reply) for reply in replies} == {None, "rate_limit_exceeded"}

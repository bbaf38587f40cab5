"""Several keys at one provider: which is used, what happens when one is refused, spent or limited, and who hears of it."""

import json
import re
import time

import pytest

from fault_server import Behaviour, FaultServer
from weir_server import Weir, text_of, until

STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])

CONFIG = """
listen: 127.0.0.1:0
providers:
  a:
    dialect: openai
    base_url: "{a}"
    keys: [{{name: first, value: sk-a-first}}, {{name: second, value: sk-a-second}}]
    key_choice: priority
  b: {{dialect: openai, base_url: "{b}", keys: [{{name: only, value: sk-b-only}}]}}
{more}
models:
  smart: {{steps: [a/x, b/x]}}
  alone: a/x
  one-key: b/x
  backup: b/y
  long: {{steps: [b/big]}}
  careful: {{steps: [a/x], on_context_window: long, on_content_policy: backup}}
  twice: {{steps: [a/x, b/x]}}
retry: {{attempts: 1, backoff: 1ms, backoff_max: 5s}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


def start(directory, a, b, more=""):
    return Weir(directory, CONFIG.format(a=a.base_url, b=b.base_url, more=more))


@pytest.fixture
def a():
    with FaultServer("a") as server:
        yield server


@pytest.fixture
def b():
    with FaultServer("b") as server:
        yield server


@pytest.fixture
def weir(tmp_path, a, b):
    with start(tmp_path, a, b) as server:
        yield server


def keys_seen(server):
    return [request.header("authorization").removeprefix("Bearer ") for request in server.requests]


def attempts(weir, reply):
    return [(attempt["target"], attempt.get("key"), attempt.get("cause")) for attempt in weir.record(reply.request_id)["attempts"]]


@STREAMED
@pytest.mark.parametrize(
    "refusal, cause",
    [
        (Behaviour("status", status=401, code="invalid_api_key"), "credential"),
        (Behaviour("status", status=402, code=None), "key_quota"),
        (Behaviour("status", status=403, code=None), "credential"),
        (Behaviour("status", status=429, code="insufficient_quota"), "key_quota"),
    ],
    ids=["401", "402", "403", "429 quota"],
)
def test_a_refused_key_is_out_while_its_sibling_serves(weir, a, b, refusal, cause, stream):
    a.by_key["sk-a-first"] = refusal
    first = weir.chat("smart", stream=stream)
    assert first.status == 200 and text_of(first) == a.text
    assert attempts(weir, first) == [("a/x", "first", cause), ("a/x", "second", None)], "no retry: a change of key does not count"
    for _ in range(3):
        again = weir.chat("smart", stream=stream)
        assert again.status == 200 and attempts(weir, again) == [("a/x", "second", None)]
    assert keys_seen(a) == ["sk-a-first", "sk-a-second", "sk-a-second", "sk-a-second", "sk-a-second"] and b.requests == []
    metrics = weir.request("GET", "/metrics/prometheus").body.decode()
    assert 'weir_provider_key_failures_total{provider="a",key="first"} 1' in metrics
    assert 'weir_provider_key_out{provider="a",key="first"} 1' in metrics
    health = weir.request("GET", "/health/providers")
    assert b"sk-a" not in health.body
    keys = health.json["providers"]["a"]["keys"]
    assert keys["first"]["status"] == "out" and keys["first"]["last_error"] == cause and keys["first"]["seconds_left"] > 0
    assert keys["first"]["breaker"] == "open"
    assert 'weir_provider_key_breaker_state{provider="a",key="first"} 2' in metrics
    assert 'weir_provider_key_breaker_trips_total{provider="a",key="first"} 1' in metrics
    assert keys["second"] == {"status": "usable", "breaker": "closed", "in_flight": 0, "calls": 4, "failures": 0, "resting_models": 0}
    assert not any("sk-a" in line for line in weir.output) and "sk-a" not in metrics


@STREAMED
def test_when_all_keys_are_refused_the_next_target_answers_and_nobody_sees_401(weir, a, b, stream):
    a.always(Behaviour("status", status=401, code="invalid_api_key"))
    reply = weir.chat("smart", stream=stream)
    assert reply.status == 200 and text_of(reply) == b.text
    assert attempts(weir, reply) == [("a/x", "first", "credential"), ("a/x", "second", "credential"), ("b/x", "only", None)]
    assert keys_seen(b) == ["sk-b-only"], "a key goes to its own provider"
    again = weir.chat("smart", stream=stream)
    assert attempts(weir, again) == [("b/x", "only", None)] and len(a.requests) == 2
    assert re.search(r"all its keys are out for another [\d.]+ s", weir.record(again.request_id)["skipped"][0])
    alone = weir.chat("alone", stream=stream)
    assert alone.status == 502 and alone.json["error"]["code"] == "upstream_credentials", "there is nobody else: it is asked after all"


def test_a_short_retry_after_is_waited_for(tmp_path, a, b):
    with start(tmp_path, a, b) as weir:
        b.plan(Behaviour("status", status=429, code="rate_limit_exceeded", retry_after="1"), "ok")
        reply = weir.chat("one-key")
        # One attempt is all that is configured: the caller comes back, and finds the key at rest.
        assert reply.status == 429 and reply.header("retry-after") == "1"
        began = time.monotonic()
        assert text_of(weir.chat("one-key")) == b.text
        assert time.monotonic() - began < 60, "and is served"
        assert len(b.requests) == 2


def test_a_long_retry_after_moves_on_at_once_and_the_key_is_left_alone(weir, a, b):
    a.always(Behaviour("status", status=429, code="rate_limit_exceeded", retry_after="3600"))
    reply = weir.chat("smart")
    assert text_of(reply) == b.text
    assert attempts(weir, reply) == [("a/x", "first", "rate"), ("a/x", "second", "rate"), ("b/x", "only", None)]
    assert attempts(weir, weir.chat("smart")) == [("b/x", "only", None)]
    assert len(a.requests) == 2


def test_a_rate_limited_key_makes_room_for_its_sibling_at_once(weir, a, b):
    a.by_key["sk-a-first"] = Behaviour("status", status=429, code="rate_limit_exceeded", retry_after="3600")
    reply = weir.chat("alone")
    assert text_of(reply) == a.text and attempts(weir, reply) == [("a/x", "first", "rate"), ("a/x", "second", None)]
    assert attempts(weir, weir.chat("alone")) == [("a/x", "second", None)]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [(), (("Date", "Sat, 21 Nov 2026 11:00:00 GMT"), ("Retry-After", "Sat, 21 Nov 2026 11:00:30 GMT"))], ids=["nothing", "a date"])
def test_the_caller_is_told_when_to_come_back_in_whole_seconds(weir, b, status, headers):
    b.always(Behaviour("status", status=status, code="their_code", headers=headers))
    reply = weir.chat("one-key")
    assert reply.status == status and reply.json["error"]["code"] == "their_code"
    told = int(reply.header("retry-after"))
    assert 1 <= told <= 30 if headers else told >= 1


def test_the_soonest_target_decides_when_to_come_back(weir, a, b):
    a.always(Behaviour("status", status=503, code="x", retry_after="3000"))
    b.always(Behaviour("status", status=503, code="x", retry_after="9000"))
    reply = weir.chat("twice")
    assert reply.status == 503 and 2900 <= int(reply.header("retry-after")) <= 3000


@STREAMED
def test_a_request_too_long_for_one_model_is_answered_by_the_next(weir, a, b, stream):
    a.always(Behaviour("status", status=400, code="context_length_exceeded", message="too long"))
    reply = weir.chat("careful", stream=stream)
    assert text_of(reply) == b.text and reply.header("x-weir-target") == "b/big"
    assert attempts(weir, reply) == [("a/x", "first", "context_window"), ("b/big", "only", None)]
    # Without a model for it: the next step.
    assert weir.chat("smart", stream=stream).header("x-weir-target") == "b/x"
    b.always(Behaviour("status", status=400, code="context_length_exceeded", message="too long for b"))
    refused = weir.chat("smart", stream=stream)
    assert refused.status == 400 and refused.json["error"]["message"] == "too long for b", "nothing left: the provider's own answer"
    assert len(a.requests) == 3 and weir.record(refused.request_id)["end_state"] == "complete"


@STREAMED
def test_refused_content_goes_to_the_caller_unless_a_model_is_named_for_it(weir, a, b, stream):
    a.always(Behaviour("status", status=400, code="content_policy_violation", message="no"))
    refused = weir.chat("smart", stream=stream)
    assert refused.status == 400 and refused.json["error"]["code"] == "content_policy_violation" and b.requests == []
    reply = weir.chat("careful", stream=stream)
    assert text_of(reply) == b.text and reply.header("x-weir-target") == "b/y"


def test_a_command_prints_the_key_and_prints_another_one(tmp_path, a, b):
    (tmp_path / "key").write_text("sk-printed-1\n")
    more = f"  c: {{dialect: openai, base_url: \"{a.base_url}\", unknown_models: forward, keys: [{{name: printed, command: \"cat {tmp_path}/key\", refresh: 1s}}]}}"
    with start(tmp_path, a, b, more) as weir:
        assert weir.chat("c/m").status == 200 and keys_seen(a) == ["sk-printed-1"]
        (tmp_path / "key").write_text("sk-printed-2\n")
        deadline = time.monotonic() + 60
        while keys_seen(a)[-1] != "sk-printed-2":
            assert time.monotonic() < deadline
            weir.chat("c/m")
        assert weir.record(weir.chat("c/m").request_id)["attempts"][0]["key"] == "printed"
    assert not any("sk-printed" in line for line in weir.output)


def breaker(weir, key):
    (found,) = [one for one in weir.request("GET", "/admin/v1/breakers").json["data"] if one["target"] == key]
    assert found["kind"] == "key"
    return found


def test_a_key_is_taken_out_and_brought_back_by_hand(weir, a, b):
    opened = weir.command("breakers", "open", "a#first")
    assert opened.returncode == 0 and "open by hand" in opened.stdout
    assert attempts(weir, weir.chat("smart")) == [("a/x", "second", None)]
    state = breaker(weir, "a#first")
    assert state["by_hand"] and state["state"] == "open" and state["open_until"] is None and state["trips"] == 0
    listed = weir.command("breakers").stdout
    assert re.search(r"^a#first +open by hand", listed, re.MULTILINE) and re.search(r"^a#second +closed", listed, re.MULTILINE)
    assert weir.request("GET", "/health/providers").json["providers"]["a"]["keys"]["first"]["by_hand"] is True

    # All of them: nobody is asked, not even where nobody else is left, and the caller hears the truth about when.
    assert weir.command("breakers", "open", "a#second", "--for", "10m").returncode == 0
    assert attempts(weir, weir.chat("smart")) == [("b/x", "only", None)]
    a.forget()
    alone = weir.chat("alone")
    assert (alone.status, alone.json["error"]["code"]) == (503, "upstream_unavailable") and a.requests == []
    assert 300 < int(alone.header("retry-after")) <= 600
    assert "all its keys were taken out by hand" in weir.record(alone.request_id)["skipped"][0]

    # It is an operator's word: it holds over a reload, and for whatever value the key has.
    path = weir.directory / "weir.yaml"
    path.write_text(path.read_text().replace("sk-a-first", "sk-a-new"))
    assert weir.request("POST", "/admin/v1/reload").status == 200
    assert weir.chat("alone").status == 503
    assert "closed" in weir.command("breakers", "close", "a#first").stdout
    assert attempts(weir, weir.chat("alone")) == [("a/x", "first", None)] and keys_seen(a) == ["sk-a-new"]

    for wrong in ({"state": "open", "seconds": 0}, {"state": "open", "seconds": "x"}, {"state": "closed", "seconds": 5}, {"state": "ajar"}):
        assert weir.request("POST", "/admin/v1/breakers/a%23first", json.dumps(wrong).encode()).status == 400
    assert weir.request("POST", "/admin/v1/breakers/a%23nobody", b'{"state":"open"}').status == 404
    assert weir.command("breakers", "open", "a#first", "--for", "soon").returncode == 2
    assert breaker(weir, "a#first")["state"] == "closed"
    weir.wait_for_output("the circuit breaker of a#first was set to open by hand")
    assert not any("sk-a" in line for line in weir.output)


def test_rate_limits_without_a_time_open_the_key_at_the_threshold(tmp_path, a, b):
    text = CONFIG.replace("failure_threshold: 1000000", "failure_threshold: 2")
    with Weir(tmp_path, text.format(a=a.base_url, b=b.base_url, more="")) as weir:
        a.by_key["sk-a-first"] = Behaviour("status", status=429, code="rate_limit_exceeded")
        for _ in range(2):
            assert attempts(weir, weir.chat("alone")) == [("a/x", "first", "rate"), ("a/x", "second", None)]
        assert attempts(weir, weir.chat("alone")) == [("a/x", "second", None)]
        state = breaker(weir, "a#first")
        assert (state["state"], state["failures_in_a_row"], state["by_hand"]) == ("open", 2, False) and 0 < state["retry_after_seconds"] <= 60
        assert breaker(weir, "a#second")["state"] == "closed"
        weir.wait_for_output("the circuit breaker of the key first of a/x opened")


def test_half_open_a_key_that_is_good_again_is_closed_by_its_trials(tmp_path, a, b):
    text = CONFIG.replace("failure_threshold: 1000000", "failure_threshold: 5, recovery_timeout: 1s, half_open_max_calls: 2")
    with Weir(tmp_path, text.format(a=a.base_url, b=b.base_url, more="")) as weir:
        a.by_key["sk-a-first"] = Behaviour("status", status=401, code="invalid_api_key")
        assert weir.chat("alone").status == 200
        a.by_key.clear()
        until(lambda: breaker(weir, "a#first")["state"] == "half_open", "the breaker tries again")
        a.forget()
        while keys_seen(a).count("sk-a-first") < 2:  # equals take turns
            assert breaker(weir, "a#first")["state"] == "half_open", "two have to succeed"
            assert weir.chat("alone").status == 200
        # The last answer may be heard before its end is noted.
        until(lambda: breaker(weir, "a#first")["state"] == "closed", "the breaker closes")
        assert len(a.requests) <= 4


def test_a_key_more_changes_nothing_that_is_known_of_the_others(weir, a, b):
    a.by_key["sk-a-first"] = Behaviour("status", status=401, code="invalid_api_key")
    assert weir.chat("alone").status == 200
    path = weir.directory / "weir.yaml"
    path.write_text(path.read_text().replace("value: sk-a-second}", "value: sk-a-second}, {name: third, value: sk-a-third}"))
    assert weir.request("POST", "/admin/v1/reload").status == 200
    assert attempts(weir, weir.chat("alone")) == [("a/x", "second", None)]
    assert breaker(weir, "a#first")["state"] == "open" and breaker(weir, "a#third")["state"] == "closed"


def test_an_idempotency_key_is_the_same_for_repeats_and_never_replaces_the_callers(tmp_path, a, b):
    more = f"  c: {{dialect: openai, base_url: \"{a.base_url}\", unknown_models: forward, keys: none, idempotency_key: true, retry: {{attempts: 3}}}}"
    with start(tmp_path, a, b, more) as weir:
        a.plan(Behaviour("status", status=500), Behaviour("status", status=500), "ok")
        assert weir.chat("c/m").status == 200
        assert weir.chat("c/m").status == 200
        sent = [request.header("idempotency-key") for request in a.requests]
        assert sent[0] and sent[0] == sent[1] == sent[2] != sent[3]
        a.forget()
        assert weir.chat("c/m", headers={"Idempotency-Key": "mine"}).status == 200
        assert a.requests[0].header("idempotency-key") == "mine"


def test_what_is_known_of_keys_survives_a_reload_that_leaves_them_alone(tmp_path, a, b):
    with start(tmp_path, a, b) as weir:
        a.by_key["sk-a-first"] = Behaviour("status", status=401, code="invalid_api_key")
        assert weir.chat("alone").status == 200
        path = tmp_path / "weir.yaml"
        path.write_text(path.read_text() + "log: {level: debug}\n")
        assert weir.request("POST", "/admin/v1/reload").status == 200
        assert attempts(weir, weir.chat("alone")) == [("a/x", "second", None)]
        path.write_text(path.read_text().replace("sk-a-first", "sk-a-new"))
        assert weir.request("POST", "/admin/v1/reload").status == 200
        assert attempts(weir, weir.chat("alone")) == [("a/x", "first", None)], "another key under the same name is not out"

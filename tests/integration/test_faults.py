"""Every way a provider can fail, on real TCP, streamed and not.

Before the first content a second target answers in full; after it, where its text is another, the caller gets the part that
came, one error event and no [DONE] (test_recovery.py has the same text). Either way the record tells each attempt and why it was left.
"""

import json

import openai
import pytest

from fault_server import Behaviour, FaultServer, divide
from weir_server import Weir, text_of

STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])

# name: model suffix (which first target), behaviour of it
BEFORE_CONTENT = {
    "401": ("", Behaviour("status", status=401, code="invalid_api_key")),
    "403": ("", Behaviour("status", status=403, code=None)),
    "404": ("", Behaviour("status", status=404, code="model_not_found")),
    "408": ("", Behaviour("status", status=408, code=None)),
    "429": ("", Behaviour("status", status=429, code="rate_limit_exceeded")),
    "429 with Retry-After": ("", Behaviour("status", status=429, code="rate_limit_exceeded", retry_after="30")),
    "500": ("", Behaviour("status", status=500, code=None)),
    "502 in HTML": ("", Behaviour("status", status=502, body="<html>Bad Gateway</html>")),
    "503": ("", Behaviour("status", status=503)),
    "503 with Retry-After": ("", Behaviour("status", status=503, retry_after="30")),
    "504": ("", Behaviour("status", status=504, code=None)),
    "529": ("", Behaviour("status", status=529, code=None)),
    "refused connection": ("-nobody", Behaviour()),
    "reset before the head": ("", Behaviour("reset_before_head")),
    "close before the head": ("", Behaviour("close_before_head")),
    "not HTTP": ("", Behaviour("garbage")),
    "silence": ("-hasty", Behaviour("silence")),
    "slow first token": ("-hasty", Behaviour("slow_first_token", seconds=55)),
    "HTML with 200": ("", Behaviour("html")),
    "malformed": ("", Behaviour("malformed")),
    "error object": ("", Behaviour("error_event")),
    "error object in the very first event": ("", Behaviour("error_event", role=False)),
    "RST": ("", Behaviour("cut_rst")),
    "RST right after the head": ("", Behaviour("cut_rst", role=False)),
    "FIN": ("", Behaviour("cut_fin")),
    "FIN right after the head": ("", Behaviour("cut_fin", role=False)),
    "FIN of a body framed by it": ("", Behaviour("cut_fin", framing="close")),
    "early end": ("", Behaviour("end_early")),
    "early end with no event at all": ("", Behaviour("end_early", role=False)),
    "stall": ("-hasty", Behaviour("stall")),
    "truncated chunk": ("", Behaviour("truncated_chunk")),
    "short body": ("", Behaviour("short_body")),
}

AFTER_CONTENT = {
    "RST": ("", Behaviour("cut_rst", after=2)),
    "FIN": ("", Behaviour("cut_fin", after=2)),
    "FIN of a body framed by it": ("", Behaviour("cut_fin", after=2, framing="close")),
    "early end": ("", Behaviour("end_early", after=2)),
    "stall": ("-hasty", Behaviour("stall", after=2)),
    "malformed": ("", Behaviour("malformed", after=2)),
    "error object": ("", Behaviour("error_event", after=2)),
    "RST after the last content": ("", Behaviour("cut_rst", after=4)),
    "early end after the last content": ("", Behaviour("end_early", after=4)),
}

WHOLE_ANYWAY = {
    "missing [DONE]": ("", Behaviour("missing_done")),
    "missing [DONE], framed by FIN": ("", Behaviour("missing_done", framing="close")),
    "socket kept open after [DONE]": ("", Behaviour("held_after_done")),
    "socket kept open after [DONE], framed by FIN": ("", Behaviour("held_after_done", framing="close")),
    "socket kept open after the finish reason": ("-hasty", Behaviour("held_after_finish")),
    "slow, but within the limit": ("", Behaviour("slow_first_token", seconds=0.05)),
}


def table(rows):
    return pytest.mark.parametrize("suffix, behaviour", rows.values(), ids=rows.keys())


def first_target_of(suffix: str) -> str:
    return {"": "a/x", "-hasty": "hasty/x", "-nobody": "nobody/x"}[suffix]


def without_silent_retries(record: dict) -> list[dict]:
    """The attempts, without those that only replace a kept-alive connection which turned out to be closed."""
    attempts = record["attempts"]
    for before, attempt in zip(attempts, attempts[1:]):
        assert not attempt["silent_retry"] or (before["reused_connection"] and not attempt["reused_connection"])
    return [attempt for attempt in attempts if not attempt["silent_retry"]]


@STREAMED
@table(BEFORE_CONTENT)
def test_before_content_the_second_target_gives_a_whole_answer(weir, a, b, suffix, behaviour, stream):
    a.always(behaviour)
    reply = weir.chat(f"smart{suffix}", stream=stream)

    assert reply.status == 200, reply
    assert text_of(reply) == b.text
    assert reply.header("x-weir-target") == "b/x"
    if stream:
        assert reply.events[-1] == "[DONE]" and reply.events.count("[DONE]") == 1
        assert b'"error"' not in reply.body
    assert len(b.requests) == 1

    record = weir.record(reply.request_id)
    assert reply.header("x-weir-attempts") == str(len(record["attempts"]))
    first, second = without_silent_retries(record)
    assert (first["target"], first["end_state"]) == (first_target_of(suffix), "upstream_error")
    assert (second["target"], second["end_state"]) == ("b/x", "complete")
    assert first["failure"] and first["reason"]
    assert record["end_state"] == "complete" and record["target"] == "b/x" and record["status"] == 200
    if behaviour.kind == "status":
        assert record["attempts"][0]["status"] == behaviour.status


@table(AFTER_CONTENT)
def test_after_content_an_error_event_and_no_done(weir, a, b, suffix, behaviour):
    a.always(behaviour)
    reply = weir.chat(f"smart{suffix}", stream=True)

    assert reply.status == 200 and reply.header("x-weir-target") == first_target_of(suffix)
    *content, last = reply.events
    delivered = "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in content)
    assert delivered == "".join(divide(a.text, 4)[: behaviour.after]), "exactly what the provider sent before it broke"
    error = json.loads(last)["error"]
    assert set(error) >= {"message", "type", "param", "code"} and error["message"] and error["code"]
    assert "[DONE]" not in reply.body.decode()

    record = weir.record(reply.request_id)
    assert [attempt["target"] for attempt in record["attempts"]] == [first_target_of(suffix), "b/x"]
    assert "first_token_ms" not in record["attempts"][1], "no other text may continue this one"
    assert record["attempts"][0]["end_state"] == "upstream_error" and record["attempts"][0]["reason"]
    assert record["end_state"] == "upstream_error" and record["error_code"] == error["code"]


@table(AFTER_CONTENT)
def test_after_content_the_sdk_raises(weir, a, b, suffix, behaviour):
    a.always(behaviour)
    text = ""
    with pytest.raises(openai.APIError) as broken:
        for event in weir.client().chat.completions.create(
            model=f"smart{suffix}", messages=[{"role": "user", "content": "hi"}], stream=True
        ):
            text += event.choices[0].delta.content or ""
    assert text == "".join(divide(a.text, 4)[: behaviour.after])
    assert broken.value.code and not isinstance(broken.value, openai.APIConnectionError), "told by an event, not by a dead socket"


@table(WHOLE_ANYWAY)
@STREAMED
def test_an_answer_that_is_whole_stays_whole(weir, a, b, suffix, behaviour, stream):
    """The body's end is the gateway's own: a held socket is let go 60 seconds before the provider would end it."""
    a.always(behaviour)
    reply = weir.chat(f"smart{suffix}", stream=stream)
    assert reply.status == 200 and text_of(reply) == a.text
    if stream:
        assert reply.events[-1] == "[DONE]" and reply.events.count("[DONE]") == 1
    assert b.requests == [] and reply.header("x-weir-attempts") == "1"
    assert weir.record(reply.request_id)["end_state"] == "complete"
    if behaviour.kind.startswith("held") and stream:
        a.wait_for(lambda: a.requests[0].state == "cancelled", "letting go of the held connection")


# With no other target: what the caller is told. The provider's own error keeps its status and body.
ALONE = {
    "refused connection": ("-nobody", Behaviour(), 502, "upstream_unreachable"),
    "reset before the head": ("", Behaviour("reset_before_head"), 502, "upstream_broken"),
    "close before the head": ("", Behaviour("close_before_head"), 502, "upstream_broken"),
    "not HTTP": ("", Behaviour("garbage"), 502, "upstream_malformed"),
    "silence": ("-hasty", Behaviour("silence"), 504, "upstream_timeout"),
    "slow first token": ("-hasty", Behaviour("slow_first_token", seconds=55), 504, "upstream_timeout"),
    "stall": ("-hasty", Behaviour("stall"), 504, "upstream_timeout"),
    "HTML with 200": ("", Behaviour("html"), 502, "upstream_malformed"),
    "malformed": ("", Behaviour("malformed"), 502, "upstream_malformed"),
    "RST": ("", Behaviour("cut_rst"), 502, "upstream_broken"),
    "FIN": ("", Behaviour("cut_fin"), 502, "upstream_broken"),
    "short body": ("", Behaviour("short_body"), 502, "upstream_broken"),
    "truncated chunk": ("", Behaviour("truncated_chunk"), 502, "upstream_broken"),
    "error object": ("", Behaviour("error_event"), 502, "upstream_error"),
    "401": ("", Behaviour("status", status=401, code="invalid_api_key", message="Incorrect API key: sk-secret"), 502, "upstream_credentials"),
    "403 for our key": ("", Behaviour("status", status=403, code="insufficient_permissions"), 502, "upstream_credentials"),
}  # fmt: skip


@STREAMED
@pytest.mark.parametrize("suffix, behaviour, status, code", ALONE.values(), ids=ALONE.keys())
def test_with_no_other_target_the_caller_gets_one_clear_error(weir, a, suffix, behaviour, status, code, stream):
    a.always(behaviour)
    reply = weir.chat(f"alone{suffix}", stream=stream)
    assert (reply.status, reply.json["error"]["code"]) == (status, code), reply
    assert reply.header("content-type") == "application/json"
    assert set(reply.json["error"]) >= {"message", "type", "param", "code"}
    assert reply.json["error"]["message"] and "sk-secret" not in reply.body.decode()

    record = weir.record(reply.request_id)
    assert record["status"] == status and record["error_code"] == code and record["target"] in ("", first_target_of(suffix))
    assert [attempt["end_state"] for attempt in without_silent_retries(record)] == ["upstream_error"]


@STREAMED
@pytest.mark.parametrize("status", [404, 408, 429, 500, 503, 529])
def test_the_providers_own_error_keeps_its_status_and_body(weir, a, status, stream):
    a.always(Behaviour("status", status=status, code="their_code", message="their words", retry_after="7"))
    reply = weir.chat("alone", stream=stream)
    assert reply.status == status
    assert reply.json["error"]["code"] == "their_code" and reply.json["error"]["message"] == "their words"
    assert reply.header("retry-after") == "7"


@STREAMED
def test_a_callers_own_mistake_is_answered_at_once_by_the_provider_that_saw_it(weir, a, b, stream):
    a.always(Behaviour("status", status=400, code="invalid_value", message="no such role"))
    reply = weir.chat("smart", stream=stream)
    assert reply.status == 400 and reply.json["error"]["code"] == "invalid_value"
    assert len(a.requests) == 1 and b.requests == []
    assert weir.record(reply.request_id)["end_state"] == "complete", "the provider did what it should"


@STREAMED
def test_the_same_target_is_tried_again_as_often_as_configured(weir, a, stream):
    a.plan(Behaviour("status", status=500), Behaviour("status", status=503), "ok")
    reply = weir.chat("stubborn", stream=stream)
    assert text_of(reply) == a.text
    states = [attempt["end_state"] for attempt in without_silent_retries(weir.record(reply.request_id))]
    assert states == ["upstream_error", "upstream_error", "complete"]

    a.forget()
    a.always(Behaviour("status", status=503, message="still down"))
    reply = weir.chat("stubborn", stream=stream)
    assert reply.status == 503 and reply.json["error"]["message"] == "still down" and len(a.requests) == 3


def test_retry_after_is_a_floor(weir, a):
    """The pause before the second attempt is at least what the provider asked for, though the backoff alone is 1 ms."""
    a.plan(Behaviour("status", status=429, headers=(("retry-after-ms", "150"),)), "ok")
    reply = weir.chat("stubborn")
    assert text_of(reply) == a.text
    assert weir.record(reply.request_id)["attempts"][1]["backoff_ms"] >= 150


@STREAMED
def test_a_reused_connection_that_was_closed_is_replaced_in_silence(tmp_path, stream):
    """It closed before any response byte: nothing was answered, so the call is repeated at once, as an attempt of its own."""
    with FaultServer("a") as a:
        config = f"""
listen: 127.0.0.1:0
server: {{workers: 1}}  # each core has its own connections
providers: {{a: {{dialect: openai, base_url: "{a.base_url}", keys: none}}}}
models: {{alone: a/x}}
retry: {{attempts: 1}}
"""
        with Weir(tmp_path, config) as weir:
            assert text_of(weir.chat("alone", stream=stream)) == a.text
            weir.wait_for_idle_connection("a")
            a.plan("close_before_head", "ok")
            reply = weir.chat("alone", stream=stream)
            assert text_of(reply) == a.text
            attempts = weir.record(reply.request_id)["attempts"]
    assert [attempt["target"] for attempt in attempts] == ["a/x", "a/x"]
    assert [attempt["reused_connection"] for attempt in attempts] == [True, False]
    assert [attempt["silent_retry"] for attempt in attempts] == [False, True]
    assert a.requests[1].number_on_connection > 0 and a.requests[2].number_on_connection == 0


@STREAMED
def test_connections_that_the_provider_closed_while_idle_are_not_used(weir, a, stream):
    a.always("ok", close=True)
    for _ in range(5):
        reply = weir.chat("alone", stream=stream)
        assert text_of(reply) == a.text
    assert len(a.requests) == 5 and len({request.connection for request in a.requests}) == 5


def test_explain_tells_the_story(weir, a, b):
    a.always(Behaviour("status", status=503, message="overloaded, says a"))
    reply = weir.chat("smart", stream=True)
    weir.record(reply.request_id)
    for told in (weir.command("explain", reply.request_id), weir.command("explain", "last")):
        assert told.returncode == 0, told
        story = told.stdout
        for word in (reply.request_id, "smart", "a/x", "b/x", "503"):
            assert word in story, story
        assert story.index("a/x") < story.rindex("b/x")
        assert "hi" not in story.split() and b.text not in story, "no prompts and no answers"


@STREAMED
def test_after_all_this_the_next_call_works(weir, a, b, stream):
    reply = weir.chat("smart", stream=stream)
    assert text_of(reply) == a.text and reply.header("x-weir-attempts") == "1" and b.requests == []


def test_bytes_that_drip_inside_an_event_do_not_count_as_events(tmp_path):
    with FaultServer("a") as a:
        a.always(Behaviour("trickle", after=100_000, seconds=0.01))
        config = f"""
listen: 127.0.0.1:0
providers: {{a: {{dialect: openai, base_url: "{a.base_url}", keys: none}}}}
models: {{m: a/x}}
retry: {{attempts: 1}}
timeouts: {{between_events: 1s}}
recovery: none
auth: {{mode: none}}
"""
        with Weir(tmp_path, config) as weir:
            reply = weir.chat("m", stream=True)  # some 200 bytes an event: two seconds each
            assert reply.status == 200 and "[DONE]" not in reply.events
            assert json.loads(reply.events[-1])["error"]["code"] == "upstream_timeout"
            (attempt,) = weir.record(reply.request_id)["attempts"]
            assert attempt["failure"] == "timeout" and attempt["cause"] == "slow"

"""A stream that breaks off after 40 of 60 events: another target goes on with it if it says the same, and the caller is told if not.

Promise 3: text comes from one coherent answer. The regenerated deltas are split differently, escaped differently, differ at a chosen byte
or inside a character, bring reasoning; the official client sees a normal answer or one error.
"""

import json

import openai
import pytest

from fault_server import Behaviour, chunk, divide, head
from weir_server import Weir

EVENTS, LEFT = 60, 40
TEXT = "".join(f"{number}: grüß Gott, 你好 🦦; " for number in range(60))
PARTS = divide(TEXT, EVENTS)
PART = "".join(PARTS[:LEFT])

CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
  given: {{dialect: llama-server, base_url: "{b}", keys: none, recovery: prefill}}
models:
  two: {{steps: [a/x, b/x]}}
  stalling: {{steps: [{{target: a/x, timeouts: {{between_events: 1s}}}}, b/x]}}
  one: {{steps: [a/x], retry: {{attempts: 2, backoff: 1ms}}}}
  three: {{steps: [a/x, b/x, {{target: b/y}}]}}
  none: {{steps: [a/x, b/x], recovery: none}}
  seedless: {{steps: [a/x, b/x], recovery_with_seed: false}}
  given: {{steps: [a/x, given/x]}}
retry: {{attempts: 1}}
auth: {{mode: none}}
store: {{url: none}}
caching: {{exact: {{enabled: false}}}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


@pytest.fixture(scope="module")
def weir(a_running, b_running, tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("recovery"), CONFIG.format(a=a_running.base_url, b=b_running.base_url)) as server:
        yield server


def event(delta: dict, finish: str | None = None, *, name: str = "b", ascii_only: bool = False) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": f"chatcmpl-{name}", "object": "chat.completion.chunk", "created": 1, "model": name, "choices": [choice]}
    return b"data: " + json.dumps(data, ensure_ascii=ascii_only).encode() + b"\n\n"


def streamed(*events: bytes, end: str = "keep", tail: bytes = b"0\r\n\r\n") -> Behaviour:
    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    return Behaviour("raw", pieces=(start, *(chunk(one) for one in events), tail), end=end)


def answer(parts: list[str], *, reasoning: list[str] = [], finish: bool = True, ascii_only: bool = False) -> list[bytes]:  # noqa: B006
    events = [event({"role": "assistant", "content": ""}, ascii_only=ascii_only)]
    events += [event({"reasoning_content": part}, ascii_only=ascii_only) for part in reasoning]
    events += [event({"content": part}, ascii_only=ascii_only) for part in parts]
    return [*events, event({}, "stop"), b"data: [DONE]\n\n"] if finish else events


def chunks_of(reply) -> list[dict]:
    return [json.loads(data) for data in reply.events if data != "[DONE]"]


def text_of(chunks: list[dict], field: str = "content") -> str:
    return "".join(choice["delta"].get(field) or "" for one in chunks if "error" not in one for choice in one["choices"])


def assert_whole(weir, reply, *, recovered_from: str = "a/x") -> dict:
    """The whole text once, as one answer; its record."""
    chunks = chunks_of(reply)
    assert reply.events[-1] == "[DONE]" and reply.events.count("[DONE]") == 1, reply.events[-1]
    assert text_of(chunks) == TEXT
    assert len({(one["id"], one["created"], one["model"]) for one in chunks}) == 1
    assert sum("role" in choice["delta"] for one in chunks for choice in one["choices"]) == 1
    record = weir.record(reply.request_id)
    assert record["end_state"] == "complete" and record["recovered_from"] == recovered_from
    return record


def assert_told(weir, reply, *, reset: bool = False) -> dict:
    """Exactly what came, and one error; the record."""
    *chunks, last = chunks_of(reply)
    assert PART.startswith(text_of(chunks)) if reset else text_of(chunks) == PART
    assert set(last) == {"error"} and "broke off" in last["error"]["message"] and "[DONE]" not in reply.events
    assert "incomplete" in last["error"]["message"]
    record = weir.record(reply.request_id)
    assert record["end_state"] == "upstream_error" and "recovered_from" not in record
    return record


CUTS = {
    "FIN": Behaviour("cut_fin", text=TEXT, events=EVENTS, after=LEFT),
    "FIN of a body that only FIN ends": Behaviour("cut_fin", text=TEXT, events=EVENTS, after=LEFT, framing="close"),
    "RST": Behaviour("cut_rst", text=TEXT, events=EVENTS, after=LEFT),
    "early end": Behaviour("end_early", text=TEXT, events=EVENTS, after=LEFT),
    "malformed": Behaviour("malformed", text=TEXT, events=EVENTS, after=LEFT),
    "error event": Behaviour("error_event", text=TEXT, events=EVENTS, after=LEFT),
    "stall": Behaviour("stall", text=TEXT, events=EVENTS, after=LEFT),
    "inside a chunk": streamed(*answer(PARTS[:LEFT], finish=False), tail=b"ff\r\ndata: {", end="fin"),
}
CUT = CUTS["FIN"]
RESET = "RST"  # the system throws away what had come and was not read yet, so the part may be shorter


def model_for(name: str) -> str:
    return "stalling" if name == "stall" else "two"


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("events", [60, 7, 200], ids=["split as before", "in a few pieces", "in small pieces"])
def test_a_second_target_that_says_the_same_goes_on(weir, a, b, name, events):
    a.always(CUTS[name])
    b.always("ok", text=TEXT, events=events)
    record = assert_whole(weir, weir.chat(model_for(name), stream=True))
    first, second = record["attempts"]
    assert first["end_state"] == "upstream_error" and "recovery" not in first
    assert (second["recovery"], second["end_state"]) == ("proven", "complete")
    assert second["repeated_bytes"] == len(PART.encode()) or name == RESET
    assert record["target"] == "b/x"
    assert b.requests[0].json["messages"] == a.requests[0].json["messages"], "it was asked the same"


@pytest.mark.parametrize("name", CUTS)
def test_another_text_is_never_sewn_to_it(weir, a, b, name):
    a.always(CUTS[name])
    b.always("ok", text="Something else altogether.")
    record = assert_told(weir, weir.chat(model_for(name), stream=True), reset=name == RESET)
    assert [leg.get("recovery") for leg in record["attempts"]] == [None, "proven"]


@pytest.mark.parametrize("name", CUTS)
def test_the_official_client_sees_a_normal_answer_or_one_error(weir, a, b, name):
    def stream() -> str:
        text = ""
        for one in weir.client().chat.completions.create(model=model_for(name), messages=[{"role": "user", "content": "hi"}], stream=True):
            text += one.choices[0].delta.content or ""
            seen.append(text)
        return text

    seen: list[str] = []
    a.always(CUTS[name])
    b.always("ok", text=TEXT, events=11)
    assert stream() == TEXT
    b.always("ok", text="#" + TEXT[1:])
    with pytest.raises(openai.APIError, match="broke off"):
        stream()
    assert seen[-1] == PART or name == RESET


@pytest.mark.parametrize("place", [0, 1, len(PART) // 2, len(PART) - 1])
def test_one_other_byte_ends_it_there(weir, a, b, place):
    a.always(CUT)
    same = TEXT[:place]
    # What follows never ends: only a call that is cancelled at the byte that differs comes to an end.
    b.always(streamed(*answer([*divide(same, 9), "#", "and so on"] if same else ["#", "and so on"], finish=False), tail=b"", end="hold"))
    record = assert_told(weir, weir.chat("two", stream=True))
    leg = record["attempts"][1]
    assert leg["repeated_bytes"] == len(same.encode())
    assert leg["reason"] == f"its content differs at byte {len(same.encode())} from the text that had left"
    assert leg["end_state"] == "gateway_error" and "first_token_ms" not in leg
    b.wait_for(lambda: b.requests[0].state == "cancelled", "the call to be cancelled")


def test_a_difference_inside_a_character(weir, a, b):
    place = PART.rindex("🦦")
    a.always(CUT)
    for other, same in (("🦧", 3), ("🤦", 1)):  # the first bytes are the same
        b.always("ok", text=TEXT[:place] + other + TEXT[place + 1 :])
        leg = assert_told(weir, weir.chat("two", stream=True))["attempts"][1]
        assert leg["repeated_bytes"] == len(TEXT[:place].encode()) + next(
            i for i in range(4) if other.encode()[i] != "🦦".encode()[i]
        ), same


def test_other_escapes_and_halves_of_characters_are_the_same_text(weir, a, b):
    a.always(CUT)
    b.always(streamed(*answer(divide(TEXT, 13), ascii_only=True)))
    assert_whole(weir, weir.chat("two", stream=True))
    # The surrogate pair of a character, an event for each half.
    before, after = TEXT.split("🦦", 1)
    high, low = (event({"content": half}, ascii_only=True) for half in ("\ud83e", "\udda6"))
    b.always(streamed(event({"role": "assistant", "content": before}), high, low, event({"content": after}), event({}, "stop"), b"data: [DONE]\n\n"))
    assert_whole(weir, weir.chat("two", stream=True))


def test_reasoning_is_proven_too(weir, a, b):
    thoughts = divide("First I think, and then I say it.", 5)
    a.always(streamed(*answer(PARTS[:LEFT], reasoning=thoughts, finish=False), end="fin", tail=b""))
    b.always(streamed(*answer(divide(TEXT, 9), reasoning=["".join(thoughts)])))
    reply = weir.chat("two", stream=True)
    assert_whole(weir, reply)
    assert text_of(chunks_of(reply), "reasoning_content") == "".join(thoughts)
    b.always(streamed(*answer(divide(TEXT, 9), reasoning=["First I think twice"])))
    assert "reasoning_content" in assert_told(weir, weir.chat("two", stream=True))["attempts"][1]["reason"]


def test_the_same_target_is_asked_again_while_it_has_attempts(weir, a, b):
    a.plan(CUT, Behaviour("ok", text=TEXT, events=9))
    record = assert_whole(weir, weir.chat("one", stream=True))
    assert [leg["target"] for leg in record["attempts"]] == ["a/x", "a/x"]


def test_as_long_as_targets_are_left_and_with_one_error_at_the_end(weir, a, b):
    a.always(CUT)
    # The second breaks off behind the place where the first did, or before it.
    for after, recovered_from in ((50, "b/x"), (20, "a/x")):
        b.plan(Behaviour("cut_fin", text=TEXT, events=EVENTS, after=after), Behaviour("ok", text=TEXT))
        record = assert_whole(weir, weir.chat("three", stream=True), recovered_from=recovered_from)
        assert [leg["target"] for leg in record["attempts"]] == ["a/x", "b/x", "b/y"]
    b.plan(Behaviour("status", status=503), Behaviour("ok", text="Another text"))
    assert len(assert_told(weir, weir.chat("three", stream=True))["attempts"]) == 3


def test_never_behind_a_part_of_a_tool_call(weir, a, b):
    call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":'}}]}
    a.always(streamed(*answer(PARTS[:LEFT], finish=False), event(call), end="fin", tail=b""))
    record = assert_told(weir, weir.chat("two", stream=True))
    assert len(record["attempts"]) == 1 and b.requests == []


def test_switched_off(weir, a, b):
    a.always(CUT)
    assert len(assert_told(weir, weir.chat("none", stream=True))["attempts"]) == 1
    assert len(assert_told(weir, weir.chat("seedless", stream=True, seed=7))["attempts"]) == 1
    assert b.requests == []
    b.always("ok", text=TEXT)
    assert_whole(weir, weir.chat("seedless", stream=True))


def test_prefill_gives_the_target_the_beginning(weir, a, b):
    a.always(CUT)
    b.always("ok", text=TEXT[len(PART) :])
    record = assert_whole(weir, weir.chat("given", stream=True))
    assert record["attempts"][1]["recovery"] == "prefill"
    assert b.requests[0].json["messages"][-1] == {"role": "assistant", "content": PART}


def test_prefill_that_is_refused_or_not_understood_is_proven_instead(weir, a, b):
    a.always(CUT)
    refusal = '{"error":{"code":400,"message":"Assistant response prefill is incompatible with enable_thinking.","type":"invalid_request_error"}}'
    for first in (Behaviour("status", status=400, body=refusal), Behaviour("ok", text=TEXT)):
        b.forget()
        b.plan(first, Behaviour("ok", text=TEXT))
        record = assert_whole(weir, weir.chat("given", stream=True))
        assert [leg.get("recovery") for leg in record["attempts"]] == [None, "prefill", "proven"]
        assert b.requests[1].json["messages"][-1]["role"] == "user"
    b.plan(Behaviour("status", status=400, body=refusal), Behaviour("ok", text="Another text"))
    assert_told(weir, weir.chat("given", stream=True))


def test_explain_and_the_metric_tell_it(weir, a, b):
    a.always(CUT)
    b.always("ok", text=TEXT)
    reply = weir.chat("two", stream=True)
    weir.record(reply.request_id)
    story = weir.command("explain", reply.request_id).stdout
    assert f"it repeated {len(PART.encode())} bytes of it, and went on" in story
    assert 'weir_recoveries_total{how="proven",outcome="continued"}' in weir.request("GET", "/metrics/prometheus").body.decode()

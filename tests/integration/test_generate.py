"""POST /v1/generate: a prompt in, a text out. Its shapes are fixed; behind it stands a chat completion like any other."""

import json

import pytest

from fault_server import USAGE, Behaviour, response


def generate(weir, headers=None, **fields):
    return weir.request("POST", "/v1/generate", json.dumps(fields).encode(), headers)


def test_the_reply_has_exactly_the_six_members(weir, a):
    reply = generate(weir, prompt="Say", model="alone", max_tokens=7, temperature=0.5)
    assert reply.status == 200 and reply.header("content-type") == "application/json"
    assert reply.json == {"id": "chatcmpl-0", "model": "x", "text": a.text, "finish_reason": "stop", "usage": USAGE, "cached": False}
    assert list(reply.json) == ["id", "model", "text", "finish_reason", "usage", "cached"]
    assert reply.header("content-length") == str(len(reply.body)) and reply.header("x-weir-target") == "a/x"
    assert a.requests[0].target == "/v1/chat/completions"
    assert a.requests[0].json == {"messages": [{"role": "user", "content": "Say"}], "model": "x", "max_tokens": 7, "temperature": 0.5}
    record = weir.record(reply.request_id)
    assert record["endpoint"] == "/v1/generate" and record["tokens_out"] == USAGE["completion_tokens"]


def test_without_a_model_the_default_model_answers(weir, a):
    assert generate(weir, prompt="Say").json["text"] == a.text
    assert a.requests[0].json["model"] == "x"


def test_a_stream_is_texts_and_then_done(weir, a):
    reply = generate(weir, prompt="Say", model="alone", stream=True)
    assert reply.header("content-type").startswith("text/event-stream")
    *events, last = reply.events
    assert last == "[DONE]" and all(list(json.loads(event)) == ["text"] for event in events)
    assert "".join(json.loads(event)["text"] for event in events) == a.text and len(events) == 4
    assert weir.record(reply.request_id)["tokens_out"] == USAGE["completion_tokens"]


def test_a_failing_target_is_replaced_and_a_broken_stream_says_so(weir, a, b):
    a.always("cut_rst", after=0)
    assert generate(weir, prompt="Say", model="smart").json["text"] == b.text
    assert generate(weir, prompt="Say", model="smart", stream=True).status == 200
    a.always("cut_rst", after=2)
    broken = generate(weir, prompt="Say", model="smart", stream=True)
    assert "[DONE]" not in broken.events and json.loads(broken.events[-1])["error"]["code"] == "upstream_broken"


def test_an_answer_beyond_what_is_held_is_told_anew_too(weir, a):
    a.always("ok", text="weir " * 500_000)
    assert generate(weir, prompt="Say", model="alone").json["text"] == "weir " * 500_000


REFUSED = {
    "no prompt": ({"model": "alone"}, "prompt"), "a list": ({"prompt": ["a"]}, "prompt"), "null": ({"prompt": None}, "prompt"),
    "messages": ({"prompt": "a", "messages": []}, "messages"), "two answers": ({"prompt": "a", "n": 2}, "n"),
    "a number for a model": ({"prompt": "a", "model": 7}, "model"), "stream": ({"prompt": "a", "stream": "yes"}, "stream"),
}  # fmt: skip


@pytest.mark.parametrize("fields, param", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_meant_is_refused_by_name(weir, a, fields, param):
    reply = generate(weir, **fields)
    assert reply.status == 400 and reply.json["error"]["param"] == param and a.requests == []
    assert weir.record(reply.request_id)["status"] == 400


def test_errors_have_openais_shape(weir, a):
    assert weir.request("POST", "/v1/generate", b"{").json["error"]["type"] == "invalid_request_error"
    missing = generate(weir, prompt="a", model="smrat")
    assert missing.status == 404 and missing.json["error"]["code"] == "model_not_found"
    a.plan(Behaviour("raw", pieces=(response(422, b'{"error":{"message":"no money","type":"x","param":null,"code":"y"}}'),)))
    theirs = generate(weir, prompt="a", model="alone")
    assert theirs.status == 422 and theirs.json["error"]["message"] == "no money"
    assert weir.request("GET", "/v1/generate").status == 405


def test_a_prompt_arrives_as_it_was_spelt(weir, a):
    weir.request("POST", "/v1/generate", b'{"model":"alone" , "prompt" : "\\u0041\\/\\ud83d" , "x":1e999, "top_p" : 1.0}')
    assert a.requests[0].body == b'{"messages":[{"role":"user","content":"\\u0041\\/\\ud83d"}],"model":"x","x":1e999,"top_p" : 1.0}'

"""Bytes stay bytes at the other endpoints too, and where a body is large: only the edited spans change."""

import base64
import json
import random

import pytest

from fault_server import Behaviour, chunk, head, response

# Odd but valid bodies. MODEL stands where the model's JSON string stands, quotes included; FIELD is `prompt` or `input`.
ODD_BODIES = {
    "plain": b'{"model":MODEL,"FIELD":"hi"}',
    "spaces everywhere": b' \n{ "model" :\tMODEL , \r\n "FIELD" : [ "hi" ,"ho"] } \n\n',
    "model last": b'{"FIELD":"hi","model":MODEL}',
    "model inside of another": b'{"metadata":{"model":"gpt-4"},"model":MODEL,"FIELD":"x"}',
    "model spelt in a text": b'{"FIELD":"\\"model\\":\\"smart\\"","model":MODEL}',
    "numbers as written": b'{"model":MODEL,"FIELD":"a","temperature":0.70,"top_p":1E-0,"seed":-0,"x":1.0e+2,"y":100000000000000000000000000001}',
    "a number beyond double": b'{"model":MODEL,"FIELD":"a","logit_bias":{"50256":1e999}}',
    "a lone surrogate": b'{"model":MODEL,"FIELD":"\\ud83d"}',
    "escapes as written": b'{"model":MODEL,"FIELD":"\\u0041\\/\\u00e9\\n\\ud83e\\udda6"}',
    "raw unicode": '{"model":MODEL,"FIELD":"grüß Gott 你好 🦦 \u2028 \u007f"}'.encode(),
    "escaped keys": b'{"model":MODEL,"\\u0046\\u0049":1,"FIELD":"a"}',
    "unknown keys": b'{"model":MODEL,"FIELD":"a","x_vendor":{"a":[1,2,{"b":null}]},"":1," ":true}',
    "null everywhere": b'{"model":MODEL,"FIELD":"a","stop":null,"user":null,"suffix":null}',
    "tokens": b'{"model":MODEL,"FIELD":[1 ,2.0,3e0, -0]}',
    "lists of tokens": b'{"model":MODEL,"FIELD":[[1,2],[ 3 ]]}',
    "empty list": b'{"model":MODEL,"FIELD":[]}',
    "no FIELD at all": b'{"model":MODEL,"content":"a server of the family takes this"}',
    "deep": b'{"model":MODEL,"FIELD":"a","x":' + b"[" * 200 + b"]" * 200 + b"}",
    "repeated unknown keys": b'{"model":MODEL,"FIELD":"a","x":1,"x":2}',
    "a long string": b'{"model":MODEL,"FIELD":"' + b"weir " * 40_000 + b'"}',
}

ODD_MODELS = {"plain": b'"alone"', "escaped": b'"al\\u006fne"'}


@pytest.mark.parametrize("spelling", ODD_MODELS.values(), ids=ODD_MODELS.keys())
@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
@pytest.mark.parametrize("path, field", [("/v1/completions", b"prompt"), ("/v1/embeddings", b"input")])
def test_an_odd_body_arrives_with_only_the_model_replaced(weir, a, path, field, body, spelling):
    body = body.replace(b"FIELD", field)
    assert weir.request("POST", path, body.replace(b"MODEL", spelling)).status == 200
    assert a.requests[0].body == body.replace(b"MODEL", b'"x"')


ODD_ANSWERS = {
    "/v1/completions": b' {"choices" : [ {"text":"\\u0041\\/ \\ud83d","x":1e999,"index":0,"finish_reason":"stop"} ],"vendor":[[]],"usage":{"prompt_tokens":1.0} }\n',
    "/v1/embeddings": b'{\n"data":[ {"embedding" : [0.10, -1E-7,1.000000000000000000001],"index" :0,"object":"embedding"}],"object":"list", "x":"\\u00e9"}\n\n',
}


@pytest.mark.parametrize("path", ODD_ANSWERS)
def test_the_answers_bytes_are_the_providers(weir, a, path):
    a.plan(Behaviour("raw", pieces=(response(200, ODD_ANSWERS[path]),)))
    assert weir.request("POST", path, b'{"model":"alone","prompt":"a","input":"a"}').body == ODD_ANSWERS[path]


def test_the_events_bytes_are_the_providers(weir, a):
    events = (
        b': hello\n\ndata:{"choices":[{"text":"","index":0}]}\n\n'
        b'event: x\r\ndata: { "choices" : [ {"text":"\\u0041\\ud83d", "index":0,"y":1e999} ] }\r\n\r\n'
        b'data: {"choices":[{"text":"b",\ndata: "index":0,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    a.plan(Behaviour("raw", pieces=(start, chunk(events), b"0\r\n\r\n")))
    reply = weir.request("POST", "/v1/completions", b'{"model":"alone","prompt":"a","stream":true}')
    assert reply.body == events.removeprefix(b": hello\n\n"), "a heartbeat before the answer is of no use"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_image_of_five_megabytes_passes_as_it_is(weir, a, stream):
    image = base64.b64encode(random.Random(5).randbytes(5_000_000)).replace(b"/", b"\\/")
    body = (
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,'
        + image
        + b'"}}]}],"stream":%s,"model":"alone"}' % (b"true" if stream else b"false")
    )
    reply = weir.request("POST", "/v1/chat/completions", body)
    assert reply.status == 200
    sent = body.replace(b'"alone"', b'"x"')
    if stream:
        sent = b'{"stream_options":{"include_usage":true},' + sent[1:]
    assert a.requests[0].body == sent


def test_large_embedding_requests_and_replies_pass_as_they_are(weir, a):
    texts = ["weir " * 200] * 2048
    body = json.dumps({"model": "alone", "input": texts}).encode()
    answer = json.dumps({"data": [{"index": index, "embedding": [0.1] * 256} for index in range(2048)]}).encode()
    a.plan(Behaviour("raw", pieces=(response(200, answer),)))
    assert weir.request("POST", "/v1/embeddings", body).body == answer
    assert a.requests[0].body == body.replace(b'"alone"', b'"x"')

"""POST /v1/completions: the legacy text completions take the same way as chat, with a stream grammar of their own."""

import json

import openai
import pytest

from fault_server import USAGE, Behaviour, chunk, head, response


def complete(weir, model="alone", headers=None, **fields):
    body = json.dumps({"model": model, "prompt": "Say", **fields}).encode()
    return weir.request("POST", "/v1/completions", body, headers)


def text_of(reply):
    if (reply.header("content-type") or "").startswith("text/event-stream"):
        return "".join(choice["text"] for event in reply.events if event != "[DONE]" for choice in json.loads(event)["choices"])
    return reply.json["choices"][0]["text"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_answer_and_its_record(weir, a, stream):
    reply = complete(weir, stream=stream)
    assert reply.status == 200 and text_of(reply) == a.text
    assert a.requests[0].target == "/v1/completions" and a.requests[0].json["model"] == "x"
    record = weir.record(reply.request_id)
    assert record["endpoint"] == "/v1/completions" and record["end_state"] == "complete"
    assert (record["tokens_in"], record["tokens_out"]) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


def test_usage_is_asked_for_and_hidden(weir, a):
    reply = complete(weir, stream=True)
    assert a.requests[0].json["stream_options"] == {"include_usage": True} and b'"usage"' not in reply.body
    assert reply.events[-1] == "[DONE]" and all(json.loads(event)["choices"] for event in reply.events[:-1])
    told = complete(weir, stream=True, stream_options={"include_usage": True})
    assert json.loads(told.events[-2])["usage"] == USAGE


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("kind", ["status", "reset_before_head", "cut_fin", "malformed", "error_event", "garbage"])
def test_a_target_that_fails_before_content_is_replaced(weir, a, b, kind, stream):
    a.always(kind, after=0, role=False)
    reply = complete(weir, "smart", stream=stream)
    assert reply.status == 200 and text_of(reply) == b.text
    states = [attempt["end_state"] for attempt in weir.record(reply.request_id)["attempts"] if not attempt["silent_retry"]]
    assert states == ["upstream_error", "complete"]


def test_an_empty_text_is_no_content_yet(weir, a, b):
    """Events before the first text are held, so that the other target can still answer."""
    empty = b'data: {"id":"1","object":"text_completion","choices":[{"text":"","index":0,"finish_reason":null}]}\n\n'
    a.plan(Behaviour("raw", pieces=(head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]), chunk(empty)), end="fin"))
    assert text_of(complete(weir, "smart", stream=True)) == b.text


def test_a_stream_that_breaks_after_content_ends_with_an_error_and_no_done(weir, a, b):
    a.always("cut_rst", after=2)
    reply = complete(weir, "smart", stream=True)
    assert reply.status == 200 and "[DONE]" not in reply.events
    assert json.loads(reply.events[-1])["error"]["code"] == "upstream_broken"
    assert [leg.get("recovery") for leg in weir.record(reply.request_id)["attempts"]] == [None, "proven"]

    b.always("ok", text=a.text, events=5)
    reply = complete(weir, "smart", stream=True)
    assert reply.events[-1] == "[DONE]"
    assert "".join(choice["text"] for event in reply.events[:-1] for choice in json.loads(event)["choices"]) == a.text


def test_a_stream_without_done_ends_when_every_prompt_has_its_finish_reason(weir, a):
    def event(index, reason):
        return b"data: " + json.dumps({"choices": [{"text": "x", "index": index, "finish_reason": reason}]}).encode() + b"\n\n"

    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    pieces = (start, chunk(event(0, "stop")), chunk(event(1, "stop")), chunk(event(2, "stop")), chunk(event(3, "stop")))
    a.plan(Behaviour("raw", pieces=pieces, end="hold"))
    reply = complete(weir, stream=True, prompt=["a", "b"], n=2)
    assert len(reply.events) == 5 and reply.events[-1] == "[DONE]"


def test_many_prompts_in_one_stream(weir, a):
    """Indices go beyond the 128 choices that chat knows."""
    events = [b'data: {"choices":[{"text":"x","index":%d,"finish_reason":"stop"}]}\n\n' % index for index in range(300)]
    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    a.plan(Behaviour("raw", pieces=(start, chunk(b"".join(events) + b"data: [DONE]\n\n"), b"0\r\n\r\n")))
    reply = complete(weir, stream=True, prompt=["p"] * 300)
    assert len(reply.events) == 301 and weir.record(reply.request_id)["end_state"] == "complete"


def test_a_provider_without_the_endpoint_tells_so_itself(weir, a):
    a.plan(Behaviour("raw", pieces=(response(404, b'{"error":{"message":"no such route","type":"invalid_request_error","param":null,"code":null}}'),)))
    reply = complete(weir)
    assert reply.status == 404 and reply.json["error"]["message"] == "no such route"


@pytest.mark.parametrize("prompt", ["", None, [], ["a", "b"], [1, 2, 3], [[1, 2], [3]], "\U0001f9a6"], ids=repr)
def test_every_form_of_prompt_goes_up_as_it_is(weir, a, prompt):
    assert complete(weir, prompt=prompt).status == 200
    assert a.requests[0].json["prompt"] == prompt


def test_the_sdk(weir, a):
    client = weir.client()
    assert client.completions.create(model="alone", prompt="Say").choices[0].text == a.text
    events = list(client.completions.create(model="alone", prompt="Say", stream=True))
    assert "".join(event.choices[0].text for event in events) == a.text and events[-1].choices[0].finish_reason == "stop"
    with pytest.raises(openai.NotFoundError) as refusal:
        client.completions.create(model="smrat", prompt="Say")
    assert refusal.value.code == "model_not_found"
    a.always("cut_rst", after=1)  # at each attempt
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.completions.create(model="alone", prompt="Say", stream=True))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_mock(weir, stream):
    answer = weir.client().completions.create(model="mock/echo", prompt=["one two", "three"], n=2, stream=stream)
    texts = ["", "", "", ""]
    for event in answer if stream else [answer]:
        for choice in event.choices:
            texts[choice.index] += choice.text
    assert texts == ["one two", "one two", "three", "three"]
    broken = complete(weir, "mock/fault=cut,after_events=1", stream=True)
    assert json.loads(broken.events[-1])["error"]["code"] == "upstream_broken"

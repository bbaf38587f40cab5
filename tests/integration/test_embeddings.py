"""POST /v1/embeddings: bytes as they came, but for a vector that is in the other encoding than it was asked for."""

import base64
import json
import struct

import openai
import pytest

from fault_server import VECTORS, Behaviour, base64_of, response


def embed(weir, model="alone", **fields):
    return weir.request("POST", "/v1/embeddings", json.dumps({"model": model, "input": "text", **fields}).encode())


def as_float32(vector):
    return list(struct.unpack(f"<{len(vector)}f", struct.pack(f"<{len(vector)}f", *vector)))


@pytest.mark.parametrize("given", ["text", ["a", "b"], [1, 2, 3], [[1, 2], [3]]], ids=repr)
def test_inputs_go_up_and_the_answer_comes_down_as_it_is(weir, a, given):
    reply = embed(weir, input=given)
    assert reply.status == 200 and reply.json["data"][0]["embedding"] == VECTORS[0]
    assert reply.body == json.dumps(reply.json).encode(), "the server's own spelling"
    assert a.requests[0].target == "/v1/embeddings" and a.requests[0].json == {"model": "x", "input": given}
    record = weir.record(reply.request_id)
    assert record["endpoint"] == "/v1/embeddings" and record["tokens_in"] == 8 and record["usage_source"] == "provider"


@pytest.mark.parametrize("delivered", ["float", "base64"])
@pytest.mark.parametrize("asked", ["float", "base64", None])
def test_a_vector_comes_in_the_encoding_that_was_asked_for(weir, a, asked, delivered):
    a.always("ok", encoding=delivered)
    reply = embed(weir, input=["a", "b"], **({"encoding_format": asked} if asked else {}))
    assert reply.status == 200
    for item, vector in zip(reply.json["data"], VECTORS[:2], strict=True):
        if asked == "base64":
            assert item["embedding"] == base64_of(vector)
        elif delivered == "float":
            assert item["embedding"] == vector
        else:
            assert as_float32(item["embedding"]) == as_float32(vector)
            assert base64_of(item["embedding"]) == base64_of(vector), "the same bits"
    assert reply.header("content-length") == str(len(reply.body))


def test_an_encoding_of_the_familys_own_is_not_touched(weir, a):
    a.always("ok", encoding="base64")
    assert embed(weir, encoding_format="int8").json["data"][0]["embedding"] == base64_of(VECTORS[0])


@pytest.mark.parametrize("count", [200_000, 1_000_000])
def test_a_large_answer_is_converted_too(weir, a, count):
    """Beyond 1 MiB an answer is relayed as it comes; one that has to be converted is held longer."""
    body = json.dumps({"data": [{"index": 0, "embedding": [0.5] * count}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}).encode()
    a.plan(Behaviour("raw", pieces=(response(200, body),)), Behaviour("raw", pieces=(response(200, body),)))
    reply = embed(weir, encoding_format="base64")
    assert base64.b64decode(reply.json["data"][0]["embedding"]) == struct.pack("<f", 0.5) * count
    assert weir.record(reply.request_id)["tokens_in"] == 3
    assert embed(weir, encoding_format="float").body == body


def test_a_vector_that_cannot_be_converted_is_a_failure_of_the_provider(weir, a, b):
    body = b'{"data":[{"index":0,"embedding":"not base64"}]}'
    a.plan(Behaviour("raw", pieces=(response(200, body),)))
    reply = embed(weir, "smart", encoding_format="float")
    assert reply.status == 200 and reply.json["data"][0]["embedding"] == VECTORS[0], "the other target answered"
    failed, good = weir.record(reply.request_id)["attempts"]
    assert failed["failure"] == "upstream_malformed" and good["target"] == "b/x"


@pytest.mark.parametrize("kind", ["status", "malformed", "cut_fin", "close_before_head", "html"])
def test_failures_fall_back(weir, a, b, kind):
    a.always(kind)
    reply = embed(weir, "smart")
    assert reply.status == 200 and len(b.requests) == 1


def test_stream_is_no_word_of_this_endpoint(weir, a):
    reply = embed(weir, stream=True)
    assert reply.header("content-type") == "application/json" and b"stream_options" not in a.requests[0].body


@pytest.mark.parametrize("delivered", ["float", "base64"])
def test_the_sdk(weir, a, delivered):
    a.always("ok", encoding=delivered)
    client = weir.client()
    for options in ({}, {"encoding_format": "float"}):  # without one the SDK asks for base64 and decodes it
        answer = client.embeddings.create(model="alone", input=["a", "b"], **options)
        assert [as_float32(item.embedding) for item in answer.data] == [as_float32(vector) for vector in VECTORS[:2]]
    raw = client.embeddings.create(model="alone", input="a", encoding_format="base64")
    assert raw.data[0].embedding == base64_of(VECTORS[0])
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="smrat", input="a")


def test_the_mock_gives_each_text_its_vector(weir):
    client = weir.client()
    vectors = [item.embedding for item in client.embeddings.create(model="mock/x", input=["the red cat", "the red dog", "stocks fell"]).data]
    again = client.embeddings.create(model="mock/x", input="the red cat", encoding_format="float").data[0].embedding
    assert as_float32(again) == vectors[0] and len(again) == 16

    def product(one, other):
        return sum(x * y for x, y in zip(one, other, strict=True))

    assert abs(product(vectors[0], vectors[0]) - 1) < 1e-5
    assert product(vectors[0], vectors[1]) > product(vectors[0], vectors[2]), "texts that share words are nearer"
    assert len(client.embeddings.create(model="mock/x", input=[[1, 2], [3]], dimensions=3).data[1].embedding) == 3
    refused = weir.request("POST", "/v1/embeddings", b'{"model":"mock/x"}')
    assert refused.status == 400 and refused.json["error"]["param"] == "input"

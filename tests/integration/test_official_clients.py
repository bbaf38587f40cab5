"""Every official client, unchanged, through the gateway: what the caller sees, and what reached the provider.

The operations and clients are in clients.py. What only one client has (the openai SDK's own helpers) is in test_openai_sdk.py.
"""

import base64
import json
import struct

import pytest

from clients import CLIENTS, ClientError, NodeDriver, client_named
from fault_server import TOOL_CALLS, USAGE, VECTORS, Behaviour, refusing_url

MESSAGES = [{"role": "user", "content": "What is the weather in Zürich?"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": f"Tells the {name[4:]}", "parameters": {"type": "object", "properties": fields}},
    }
    for name, fields in (("get_weather", {"city": {"type": "string"}}), ("get_time", {}))
]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
# A red dot of 1 x 1.
IMAGE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def driver():
    with NodeDriver() as running:
        yield running


@pytest.fixture(params=CLIENTS)
def client(request, driver):
    return client_named(request.param, driver)


@pytest.fixture
def run(client, weir, a):
    """Runs an operation of the client against the gateway, whose model `alone` is the fault server `a`."""
    return lambda operation, **options: client.run(operation, **{"base_url": f"{weir.url}/v1", "model": "alone", **options})


def words_of(request) -> list:
    """The user's words as they reached the provider, whichever of the two spellings the client chose."""
    contents = [message["content"] for message in request.json["messages"]]
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]


def test_chat(run, a):
    answer = run("chat", messages=MESSAGES)
    assert answer == {"text": a.text, "finish": "stop", "tokens": USAGE["total_tokens"]}
    (request,) = a.requests
    assert request.json["model"] == "x" and words_of(request) == [MESSAGES[0]["content"]]
    assert request.target == "/v1/chat/completions"


def test_stream(run, a):
    answer = run("stream", messages=MESSAGES)
    assert answer["text"] == a.text and answer["finish"] == "stop"
    assert len(answer["pieces"]) == Behaviour().events, "the pieces arrive as they were sent"
    assert a.requests[0].json["stream"] is True


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_parallel_tools(run, a, stream):
    a.always("tools")
    answer = run("tools", messages=MESSAGES, tools=TOOLS, stream=stream)
    assert [(call["id"], call["name"], json.loads(call["arguments"])) for call in answer["calls"]] == [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in TOOL_CALLS
    ]
    assert answer["finish"].replace("-", "_") == "tool_calls"
    offered = a.requests[0].json["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["get_weather", "get_time"]
    assert offered[0]["function"]["parameters"]["properties"]["city"] == {"type": "string"}


def test_structured_output(run, a):
    value = {"city": "Zürich", "degrees": 12}
    a.always("ok", text=json.dumps(value, ensure_ascii=False))
    assert run("structured", messages=MESSAGES, schema=SCHEMA) == {"value": value}
    form = a.requests[0].json["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["properties"] == SCHEMA["properties"]


def test_vision(run, a):
    assert run("vision", question="What is on it?", image=IMAGE) == {"text": a.text}
    words, picture = a.requests[0].json["messages"][0]["content"]
    assert words == {"type": "text", "text": "What is on it?"}
    assert picture["type"] == "image_url" and picture["image_url"]["url"] == IMAGE


def numbers(vector: list | str) -> list[float]:
    """A vector in the precision of the wire; the SDKs leave base64 encoded when they were asked for it by name."""
    packed = base64.b64decode(vector) if isinstance(vector, str) else struct.pack(f"<{len(vector)}f", *vector)
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


@pytest.mark.parametrize("delivered", ["float", "base64"])
@pytest.mark.parametrize("asked", [None, "float", "base64"])
def test_embeddings_in_either_encoding(run, client, a, asked, delivered):
    """None is what the client asks for by itself: base64 in the SDKs of OpenAI, float in Vercel's."""
    a.always("ok", encoding=delivered)
    options = {"encoding": asked} if asked else {}
    vectors = run("embeddings", input=["one", "two"], **options)["vectors"]
    assert [numbers(vector) for vector in vectors] == [numbers(vector) for vector in VECTORS[:2]]
    (request,) = a.requests
    assert request.target == "/v1/embeddings" and request.json["input"] == ["one", "two"] and request.json["model"] == "x"
    if not client.name.startswith("ai-"):
        assert request.json["encoding_format"] == (asked or "base64")


# --- errors -----------------------------------------------------------------------------------------------------------

# The class that each status becomes in the SDKs of OpenAI (langchain raises those of the Python one).
CLASSES = {
    400: "BadRequestError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
}


def classes_of(client, status: int) -> set[str]:
    return {"AI_APICallError"} if client.name.startswith("ai-") else {CLASSES.get(status, "InternalServerError")}


@pytest.mark.parametrize("operation", ["chat", "stream"])
@pytest.mark.parametrize("status", CLASSES)
def test_a_providers_error_becomes_the_clients_exception(run, client, a, status, operation):
    a.always(Behaviour("status", status=status, code="their_code", message="their words"))
    with pytest.raises(ClientError) as refusal:
        run(operation, messages=MESSAGES)
    assert (refusal.value.kind, refusal.value.status, refusal.value.code) == ("api", status, "their_code")
    assert "their words" in refusal.value.message
    assert refusal.value.type in classes_of(client, status)
    assert len(a.requests) == 1


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_weirs_own_errors_become_the_clients_exceptions(run, client, a, operation):
    for model, status, code in (
        ("smrat", 404, "model_not_found"),
        ("alone-nobody", 502, "upstream_unreachable"),
        ("alone-hasty", 504, "upstream_timeout"),
    ):
        a.always("silence")
        with pytest.raises(ClientError) as refusal:
            run(operation, messages=MESSAGES, model=model)
        assert (refusal.value.kind, refusal.value.status, refusal.value.code) == ("api", status, code)
        assert refusal.value.type in classes_of(client, status)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_weirs_key_is_not_the_callers_401(run, a, status):
    a.always(Behaviour("status", status=status, code="invalid_api_key"))
    with pytest.raises(ClientError) as refusal:
        run("chat", messages=MESSAGES, model="paid")
    assert (refusal.value.status, refusal.value.code) == (502, "upstream_credentials")


@pytest.mark.parametrize("kind", ["cut_rst", "cut_fin", "error_event", "malformed", "stall"])
def test_an_answer_that_breaks_after_content_is_an_error_for_every_client(run, a, kind):
    a.always(kind, after=2)
    with pytest.raises(ClientError) as refusal:
        run("stream", messages=MESSAGES, model="alone-hasty")
    assert "Request id: req_" in refusal.value.message, "weir's own words, which name the request"
    assert refusal.value.kind in {"api", "other"}


def test_no_gateway_there_is_a_connection_error(client, driver):
    with refusing_url() as nobody, pytest.raises(ClientError) as refusal:
        client.run("chat", base_url=nobody, model="alone", messages=MESSAGES)
    assert refusal.value.kind == "connection"


# --- retries, timeouts, aborts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_the_clients_own_retries(run, a, operation):
    quick = (("retry-after-ms", "1"),)
    a.plan(Behaviour("status", status=429, headers=quick), Behaviour("status", status=503, headers=quick), "ok")
    assert run(operation, messages=MESSAGES, max_retries=2)["text"] == a.text
    assert len(a.requests) == 3


def test_a_client_without_retries_left_raises_the_last_error(run, a):
    a.always(Behaviour("status", status=503, headers=(("retry-after-ms", "1"),)))
    with pytest.raises(ClientError) as refusal:
        run("chat", messages=MESSAGES, max_retries=1)
    assert refusal.value.status == 503 and len(a.requests) == 2


def test_what_no_repetition_helps_is_not_repeated(run, a):
    a.always(Behaviour("status", status=400))
    with pytest.raises(ClientError):
        run("chat", messages=MESSAGES, max_retries=2)
    assert len(a.requests) == 1


@pytest.mark.parametrize("operation, kind", [("chat", "silence"), ("stream", "silence"), ("stream", "slow_first_token")])
def test_a_client_that_times_out_cancels_the_upstream_request(run, a, operation, kind):
    a.always(kind, seconds=55)
    with pytest.raises(ClientError) as refusal:
        run(operation, messages=MESSAGES, timeout=0.5)
    assert refusal.value.kind == "timeout"
    a.wait_for(lambda: a.requests and a.requests[-1].state == "cancelled", "the cancellation of the upstream request")


def test_an_abort_in_mid_stream_closes_the_upstream_connection(run, a):
    a.always("stall", after=2)  # so that only the abort can end it
    assert len(run("stream", messages=MESSAGES, stop_after=2)["pieces"]) == 2
    a.wait_for(lambda: a.requests[0].state == "cancelled", "the cancellation of the upstream request")


@pytest.mark.parametrize("name", ["openai-python", "openai-node"])  # the others cannot list models
def test_models(weir, driver, name):
    models = client_named(name, driver).run("models", base_url=f"{weir.url}/v1")
    assert {"smart", "alone", "paid"} <= set(models["ids"])

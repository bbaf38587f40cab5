"""A real model server behind the gateway: llama-server, driven by every official client."""

import base64
import json
import struct

import openai
import pytest

from clients import CLIENTS, ClientError, NodeDriver, client_named
from llama_server import BUILD_SECONDS_MAX, LlamaServer, build, make_model
from weir_server import Weir

pytestmark = pytest.mark.timeout(BUILD_SECONDS_MAX)  # of the first test, if nobody has built the server yet

REPLY = "Hello from a tiny model."
TOOL_REPLY = """<tool_call>
{"name": "get_weather", "arguments": {"city": "Zürich"}}
</tool_call>
<tool_call>
{"name": "get_time", "arguments": {}}
</tool_call>"""
CALLS = [("get_weather", {"city": "Zürich"}), ("get_time", {})]
# So long that no test sees its end: what ends earlier was cancelled.
ENDLESS_TOKENS = 131072

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object", "properties": fields}}}
    for name, fields in (("get_weather", {"city": {"type": "string"}}), ("get_time", {}))
]
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}

# The template in the model's file permits thinking, in which random weights lose themselves.
PLAIN = ("--chat-template", "chatml")

CONFIG = """
listen: 127.0.0.1:0
providers:
  hello: {{dialect: openai, base_url: "{hello}", keys: none}}
  tools: {{dialect: openai, base_url: "{tools}", keys: none}}
  endless: {{dialect: openai, base_url: "{endless}", keys: none}}
  random: {{dialect: openai, base_url: "{random}", keys: none}}
  embed: {{dialect: openai, base_url: "{embed}", keys: none}}
models:
  hello: hello/hello
  tools: tools/tools
  endless: endless/endless
  random: random/random
  embed: embed/embed
retry: {{attempts: 1}}
auth: {{mode: none}}
store: {{url: none}}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    build()
    folder = tmp_path_factory.mktemp("llama")
    with (
        LlamaServer("hello", make_model(folder / "hello.gguf", "--reply", REPLY), "--ctx-size", "4096") as hello,
        LlamaServer("tools", make_model(folder / "tools.gguf", "--reply", TOOL_REPLY), "--ctx-size", "4096") as tools,
        LlamaServer(
            "endless",
            make_model(folder / "endless.gguf", "--eos-logit", "-60", "--ctx", str(ENDLESS_TOKENS)),
            *("--ctx-size", str(2 * ENDLESS_TOKENS), *PLAIN),
        ) as endless,
        LlamaServer("random", make_model(folder / "random.gguf"), "--ctx-size", "4096", *PLAIN) as random,
        LlamaServer("embed", make_model(folder / "embed.gguf", "--kind", "embed"), "--embeddings") as embed,
    ):
        yield {server.name: server for server in (hello, tools, endless, random, embed)}


@pytest.fixture(scope="module")
def weir(servers, tmp_path_factory):
    config = CONFIG.format(**{name: server.base_url for name, server in servers.items()})
    with Weir(tmp_path_factory.mktemp("weir"), config) as server:
        yield server


@pytest.fixture(scope="module")
def driver():
    with NodeDriver() as running:
        yield running


@pytest.fixture(params=CLIENTS)
def run(request, driver, weir):
    client = client_named(request.param, driver)
    return lambda operation, **options: client.run(operation, **{"base_url": f"{weir.url}/v1", **options})


def test_chat(run):
    answer = run("chat", model="hello", messages=MESSAGES)
    assert answer["text"] == REPLY and answer["finish"] == "stop" and answer["tokens"] > 0


def test_stream(run):
    answer = run("stream", model="hello", messages=MESSAGES)
    assert answer["text"] == REPLY and answer["finish"] == "stop" and len(answer["pieces"]) > 2


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_parallel_tools(run, stream):
    answer = run("tools", model="tools", messages=MESSAGES, tools=TOOLS, stream=stream)
    assert [(call["name"], json.loads(call["arguments"])) for call in answer["calls"]] == CALLS
    assert len({call["id"] for call in answer["calls"]}) == 2
    assert answer["finish"].replace("-", "_") == "tool_calls"


def test_a_json_schema_becomes_a_grammar(run):
    # The weights are random: only the grammar that llama-server makes of the schema can lead to this.
    value = run("structured", model="random", messages=MESSAGES, schema=SCHEMA)["value"]
    assert value["answer"] in {"yes", "no"} and isinstance(value["sure"], bool)


@pytest.mark.parametrize("words", ["yes", "no"])
def test_a_grammar_of_the_servers_own_passes_through(weir, words):
    answer = weir.client().chat.completions.create(
        model="random", messages=MESSAGES, extra_body={"grammar": f'root ::= "{words}, of course"'}
    )
    assert answer.choices[0].message.content == f"{words}, of course"


def test_what_the_server_adds_of_its_own_comes_through(weir):
    answer = weir.client().chat.completions.create(model="hello", messages=MESSAGES)
    assert answer.model_extra["timings"]["predicted_n"] > 0
    events = list(
        weir.client().chat.completions.create(
            model="hello", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert events[-1].usage.completion_tokens == answer.usage.completion_tokens


def test_the_servers_own_error_comes_through(weir):
    with pytest.raises(openai.BadRequestError) as refusal:
        weir.client().chat.completions.create(model="hello", messages=[{"role": "user", "content": "word " * 5000}])
    assert refusal.value.body["type"] == "exceed_context_size_error" and refusal.value.body["n_prompt_tokens"] > 4096


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_legacy_completions(weir, stream):
    answer = weir.client().completions.create(model="hello", prompt="Hi", max_tokens=100, stream=stream)
    events = list(answer) if stream else [answer]
    assert "".join(event.choices[0].text for event in events) == REPLY
    assert events[-1].choices[0].finish_reason == "stop"


def test_embeddings(run):
    same, again, near, far = run("embeddings", model="embed", input=["hello world", "hello world", "hello worlds", "a stone"])["vectors"]

    def product(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert same == again and product(same, near) > product(same, far) > 0


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_in_both_encodings_are_the_same_numbers(weir, encoding):
    client = weir.client()
    by_default = client.embeddings.create(model="embed", input="hello").data[0].embedding
    (asked,) = client.embeddings.create(model="embed", input="hello", encoding_format=encoding).data
    vector = asked.embedding
    if encoding == "base64":
        packed = base64.b64decode(vector)
        vector = list(struct.unpack(f"<{len(packed) // 4}f", packed))
    assert vector == pytest.approx(by_default, rel=1e-6)


# --- cancellation -----------------------------------------------------------------------------------------------------


def tokens_at_release(server, since: int) -> int:
    return int(server.wait_for_output(r"slot +release.*stop processing: n_tokens = (\d+)", since)[1])


def test_an_abort_in_mid_stream_stops_the_generation(run, servers):
    endless = servers["endless"]
    since = len(endless.output)
    answer = run("stream", model="endless", messages=MESSAGES, stop_after=3)
    assert len(answer["pieces"]) >= 3
    endless.wait_for_output(r"cancel task", since)
    assert tokens_at_release(endless, since) < ENDLESS_TOKENS
    assert not any(slot["is_processing"] for slot in endless.get("/slots"))


def test_giving_up_on_a_whole_answer_stops_the_generation(run, servers):
    endless = servers["endless"]
    since = len(endless.output)
    with pytest.raises(ClientError) as gave_up:
        run("chat", model="endless", messages=MESSAGES, timeout=1.0)
    assert gave_up.value.kind == "timeout"
    endless.wait_for_output(r"cancel task", since)
    assert tokens_at_release(endless, since) < ENDLESS_TOKENS
    assert not any(slot["is_processing"] for slot in endless.get("/slots"))

"""The fault server does what it says, seen by the official SDK and by a plain socket: else the tests above it prove nothing."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import openai
import pytest

from fault_server import KINDS, TOOL_CALLS, Behaviour, FaultServer, refusing_url

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def server():
    with FaultServer("a") as running:
        yield running


def client_of(server: FaultServer, seconds: float = 20) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="sk-x", max_retries=0, timeout=seconds)


def stream_text(server: FaultServer, seconds: float = 20) -> tuple[str, Exception | None]:
    """What arrived, and what it ended with."""
    text = ""
    try:
        for event in client_of(server, seconds).chat.completions.create(model="m", messages=MESSAGES, stream=True):
            text += "".join(choice.delta.content or "" for choice in event.choices)
    except Exception as error:  # the test looks at its type
        return text, error
    return text, None


def test_a_whole_answer_streamed_and_not(server):
    answer = client_of(server).chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == server.text and answer.usage.total_tokens == 19
    assert stream_text(server) == (server.text, None)
    server.wait_for(lambda: [request.state for request in server.requests] == ["answered"] * 2, "both answered")
    assert server.requests[0].json["messages"] == MESSAGES


def test_the_plan_goes_before_the_model_name_and_that_before_the_default(server):
    server.always("status", status=500)
    server.plan("ok")
    client = client_of(server)
    assert client.chat.completions.create(model="status,status=404", messages=MESSAGES).choices[0].message.content == server.text
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="status,status=404", messages=MESSAGES)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="m", messages=MESSAGES)


def test_status_carries_retry_after_and_an_error_object(server):
    server.plan(Behaviour("status", status=429, retry_after="7", code="rate_limit_exceeded", message="slow down"))
    with pytest.raises(openai.RateLimitError) as refusal:
        client_of(server).chat.completions.create(model="m", messages=MESSAGES)
    assert refusal.value.response.headers["retry-after"] == "7"
    assert refusal.value.code == "rate_limit_exceeded" and "slow down" in str(refusal.value)


@pytest.mark.parametrize("kind", ["reset_before_head", "close_before_head", "garbage"])
def test_a_break_before_the_head_is_a_connection_error(server, kind):
    server.plan(kind)
    with pytest.raises(openai.APIConnectionError):
        client_of(server).chat.completions.create(model="m", messages=MESSAGES)


@pytest.mark.parametrize("kind", ["cut_rst", "cut_fin"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_cut_leaves_exactly_the_events_before_it(server, kind, after):
    server.plan(Behaviour(kind, after=after))
    text, error = stream_text(server)
    assert len(text) == after * -(-len(server.text) // 4) and server.text.startswith(text)
    assert error is not None


def test_a_reset_and_a_close_look_different_on_the_socket(server):
    for kind, expected in (("cut_rst", ConnectionResetError), ("cut_fin", None)):
        server.plan(Behaviour(kind, after=1))
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            body = json.dumps({"model": "m", "stream": True}).encode()
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            try:
                while raw.recv(65536):
                    pass
                seen = None
            except ConnectionResetError:
                seen = ConnectionResetError
        assert seen is expected, kind


def test_malformed_and_error_events(server):
    server.plan(Behaviour("malformed", after=1), Behaviour("error_event", after=1), Behaviour("error_event", role=False))
    assert isinstance(stream_text(server)[1], json.JSONDecodeError)
    text, error = stream_text(server)
    assert text and isinstance(error, openai.APIError)
    text, error = stream_text(server)
    assert text == "" and isinstance(error, openai.APIError)


def test_streams_that_end_without_saying_so_look_whole_to_the_sdk(server):
    """Which is why the gateway must tell: the SDK takes any clean end for a whole answer."""
    server.plan("missing_done", Behaviour("end_early", after=2))
    assert stream_text(server) == (server.text, None)
    text, error = stream_text(server)
    assert error is None and 0 < len(text) < len(server.text)


@pytest.mark.parametrize("kind", ["silence", "stall", "slow_first_token", "held_after_finish"])
def test_a_client_that_gives_up_is_noticed(server, kind):
    server.plan(Behaviour(kind, after=0 if kind == "slow_first_token" else 2, seconds=60))
    assert isinstance(stream_text(server, seconds=0.2)[1], openai.APITimeoutError)
    server.wait_for(lambda: server.requests[0].state == "cancelled", "the cancellation")
    assert server.requests[0].cancelled_after > 0


def test_a_connection_held_after_done_is_released_by_the_client(server):
    server.plan("held_after_done")
    assert stream_text(server) == (server.text, None)
    server.wait_for(lambda: server.requests[0].state == "cancelled", "the client's closing")


def test_tool_calls_in_fragments(server):
    server.always("tools")
    client = client_of(server)
    whole = client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.tool_calls
    assert [call.model_dump(exclude_none=True) for call in whole] == TOOL_CALLS
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        final = stream.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert [(call.id, call.function.name, call.function.arguments) for call in final.message.tool_calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in TOOL_CALLS
    ]


@pytest.mark.parametrize("kind", ["cut_rst", "cut_fin", "malformed", "html", "short_body", "truncated_chunk"])
def test_a_broken_body_is_no_answer(server, kind):
    server.plan(kind)
    try:
        answer = client_of(server).chat.completions.create(model="m", messages=MESSAGES)
    except (openai.APIError, json.JSONDecodeError):
        return
    assert not hasattr(answer, "choices"), "HTML comes out of the SDK as a bare string"


def test_raw_pieces_arrive_as_they_are_and_a_refusing_port_refuses(server):
    pieces = (b"HTTP/1.1 200 OK\r\nContent-", b"Length: 2\r\n\r\n{", b"}")
    server.plan(Behaviour("raw", pieces=pieces, end="fin"))
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        received = b""
        while more := raw.recv(65536):
            received += more
    assert received == b"".join(pieces)
    with refusing_url() as url, pytest.raises(openai.APIConnectionError):
        openai.OpenAI(base_url=url, api_key="x", max_retries=0).chat.completions.create(model="m", messages=MESSAGES)


def test_every_kind_is_reachable_by_its_name():
    assert [Behaviour.of(kind).kind for kind in KINDS] == list(KINDS)
    assert Behaviour.of("cut_fin,after=2,seconds=1.5,role=false") == Behaviour("cut_fin", after=2, seconds=1.5, role=False)
    with pytest.raises(ValueError, match="no behaviour is named"):
        Behaviour.of("cut_of")


def test_it_runs_on_its_own_and_is_controlled_over_http():
    script = Path(__file__).with_name("fault_server.py")
    with subprocess.Popen([sys.executable, str(script), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[-1]
            control = url.removesuffix("/v1") + "/control"

            def post(value):
                with urllib.request.urlopen(urllib.request.Request(control, json.dumps(value).encode(), method="POST")) as reply:
                    return json.load(reply)

            assert post({"plan": [{"kind": "status", "status": 404}, "ok"]}) == {"default": "ok", "requests": 0}
            client = openai.OpenAI(base_url=url, api_key="x", max_retries=0)
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="m", messages=MESSAGES)
            with urllib.request.urlopen(control + "/requests") as reply:
                assert [request["behaviour"] for request in json.load(reply)] == ["status"]
        finally:
            process.terminate()

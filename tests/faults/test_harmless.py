"""What looks broken and is not, against the real binary: no caller may see an error where there is none."""

import json
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

import raw_answers
import stream_grammar
from fault_server import FaultServer
from harmless import HARMLESS
from weir_server import Reply, Weir, text_of

CONFIG = """listen: 127.0.0.1:0
auth: {mode: none}
store: {url: none}
retry: {attempts: 1}
timeouts: {after_finish: 2s}
"""
NOT_PASSED = {"set-cookie", "alt-svc", "strict-transport-security"}


@pytest.fixture(scope="module")
def server():
    with FaultServer("sloppy") as running:
        yield running


@pytest.fixture(scope="module")
def weir(server, tmp_path_factory):
    providers = "".join(f'  "p{i}": {{dialect: openai, base_url: "{server.base_url.removesuffix("/v1")}/{i}/v1", keys: none}}\n' for i in range(len(HARMLESS)))
    models = "".join(f'  "{case.id}": "p{i}/x"\n' for i, case in enumerate(HARMLESS))
    with Weir(tmp_path_factory.mktemp("harmless"), f"{CONFIG}providers:\n{providers}models:\n{models}") as running:
        yield running


@pytest.fixture
def expected(case, server):
    """The text of the first answer; the second one is an ordinary one."""
    server.script(str(HARMLESS.index(case)), case.behaviour, "ok")
    return raw_answers.TEXT if case.behaviour.kind == "raw" else server.text


def assert_whole(weir: Weir, reply: Reply, text: str, streamed: bool) -> None:
    assert reply.status == 200, reply
    assert reply.header("content-type").split(";")[0] == ("text/event-stream" if streamed else "application/json")
    assert not {name.lower() for name, _ in reply.headers} & NOT_PASSED
    if streamed:
        *events, done = reply.events
        assert done == "[DONE]" and stream_grammar.complaints_about([json.loads(one) for one in events], "done") == []
    assert text_of(reply) == text
    record = weir.record(reply.request_id)
    assert record["end_state"] == "complete" and "error_code" not in record
    *crossed, last = record["attempts"]
    assert (last["end_state"], last.get("cause")) == ("complete", None), record
    # A connection that was closed, or about to be, when the call was written to it.
    assert len(crossed) <= 1 and all(one["status"] in {0, 408} for one in crossed) and bool(crossed) == last.get("silent_retry", False), record


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.id)
def test_the_answer_is_whole_and_so_is_the_next(weir, server, case, expected):
    assert_whole(weir, weir.chat(case.id, stream=case.streamed), expected, case.streamed)
    assert_whole(weir, weir.chat(case.id, stream=case.streamed), server.text, case.streamed)


def test_who_closes_after_every_answer_is_never_met_closed(weir, server):
    """Calls cross the close of the kept-alive connection that they were to use, again and again."""
    case = next(case for case in HARMLESS if case.behaviour.close and not case.streamed)
    server.script(str(HARMLESS.index(case)), case.behaviour)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: weir.chat(case.id), range(240)))
    assert {(reply.status, text_of(reply)) for reply in replies} == {(200, server.text)}


@pytest.mark.parametrize("case", [case for case in HARMLESS if case.streamed], ids=lambda case: case.id)
def test_the_official_client_sees_a_normal_answer(weir, case, expected):
    client: openai.OpenAI = weir.client()
    chunks = [
        chunk.model_dump(exclude_unset=True)
        for chunk in client.chat.completions.create(model=case.id, messages=[{"role": "user", "content": "hi"}], stream=True)
    ]
    assert stream_grammar.complaints_about(chunks, "done") == []
    assert stream_grammar.text_of(chunks) == expected

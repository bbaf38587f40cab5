"""What may a gateway send while the model has not begun to answer? Every official client over every form, on a scaled clock.

The server speaks to the clients directly: what is measured is the clients. The table is printed, and docs/decisions has it
word for word, so that an upgrade of a client that changes the answer fails here.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import CLIENTS, ClientError, NodeDriver, client_named
from fault_server import KEEP_ALIVE_EVERY, KEEP_ALIVES, FaultServer
from weir_server import ROOT

PAGE = next((ROOT / "docs/decisions").glob("*-keep-alives-are-comments.md"))
MESSAGES = [{"role": "user", "content": "hi"}]

# The scaled clock: a keep-alive every 0.1 s stands for one every 20 s, a client's limit of 1.5 s for one of 5 minutes.
SHORT_WAIT = 5 * KEEP_ALIVE_EVERY
LIMIT = 15 * KEEP_ALIVE_EVERY
LONG_WAIT = 2 * LIMIT

FORMS = {
    "nothing, the head comes late": {"late_head": "true"},
    "only the head": {},
    "comment `: keep-alive`": {"keep_alive": "comment"},
    "chunk with an empty delta": {"keep_alive": "empty_delta"},
    "chunk without choices": {"keep_alive": "no_choices"},
    "named event with `data: {}`": {"keep_alive": "named_event"},
    "named event without data": {"keep_alive": "named_event_without_data"},
}
BASELINE, COMMENT = "only the head", "comment `: keep-alive`"


@pytest.fixture(scope="module")
def outcomes():
    """For each question, form and client: what stream() returned or raised. All at once: they only wait."""
    assert set(KEEP_ALIVES) == {form.get("keep_alive", "") for form in FORMS.values()}, "every form has its row"

    def ask(client, server, kind: str, form: dict[str, str], wait: float, **options):
        model = ",".join([kind, f"wait={wait}", *(f"{name}={value}" for name, value in form.items())])
        try:
            answer = client.run("stream", base_url=server.base_url, model=model, messages=MESSAGES, **options)
        except Exception as error:  # a client that does not understand may fail in any way
            return error
        assert answer["text"] == server.text
        return answer

    with NodeDriver() as driver, FaultServer("k") as server, ThreadPoolExecutor(128) as pool:
        clients = {name: client_named(name, driver) for name in CLIENTS}
        futures = {}
        for form, fields in FORMS.items():
            for name, client in clients.items():
                futures["answer", form, name] = pool.submit(ask, client, server, "ok", fields, SHORT_WAIT)
                futures["limit", form, name] = pool.submit(ask, client, server, "ok", fields, LONG_WAIT, timeout=LIMIT)
                futures["error", form, name] = pool.submit(ask, client, server, "error_event,role=false", fields, SHORT_WAIT)
        for name, client in clients.items():
            kind = f"error_event,role=false,text={name}"  # the text is never sent; it tells the requests apart
            futures["again", COMMENT, name] = pool.submit(ask, client, server, kind, FORMS[COMMENT], SHORT_WAIT, max_retries=1)
        answers = {question: future.result() for question, future in futures.items()}
        for name in CLIENTS:
            answers["requests", COMMENT, name] = sum(f"text={name}," in request.json["model"] for request in server.requests)
        return answers


def words_for(outcomes, form: str, name: str) -> str:
    answer, limited = outcomes["answer", form, name], outcomes["limit", form, name]
    if isinstance(answer, Exception):
        return "**breaks**"
    extra = answer["items"] - outcomes["answer", BASELINE, name]["items"]
    seen = f"{extra} empty items" if extra else "sees nothing"
    if isinstance(limited, dict):
        return f"{seen}; waits on"
    assert isinstance(limited, ClientError) and limited.kind == "timeout", f"{name}, {form}: {limited}"
    return f"{seen}; times out"


def table(outcomes) -> str:
    rows = [["form", *CLIENTS], ["---"] * (len(CLIENTS) + 1)]
    rows += [[form, *(words_for(outcomes, form, name) for name in CLIENTS)] for form in FORMS]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def test_the_decision_page_has_the_table_that_is_measured(outcomes, capsys):
    measured = table(outcomes)
    with capsys.disabled():
        print(f"\nKeep-alives ({PAGE.name}):\n{measured}")
    assert measured in PAGE.read_text(), f"docs/decisions/{PAGE.name} says something else"


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_takes_comments_and_shows_nothing_of_them(outcomes, name):
    answer, plain = outcomes["answer", COMMENT, name], outcomes["answer", BASELINE, name]
    assert isinstance(answer, dict) and answer == plain


@pytest.mark.parametrize("name", CLIENTS)
def test_an_error_event_after_comments_is_an_exception_of_every_client(outcomes, name):
    error = outcomes["error", COMMENT, name]
    assert isinstance(error, ClientError) and error.kind == "api" and "The server had an error" in error.message


@pytest.mark.parametrize("name", CLIENTS)
def test_who_repeats_a_call_after_an_error_event(outcomes, name):
    assert isinstance(outcomes["again", COMMENT, name], ClientError)
    assert outcomes["requests", COMMENT, name] == (2 if name == "ai-openai" else 1)

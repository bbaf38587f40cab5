"""Carries out the table: every failure, streamed or not, with everything that may be left to try, against the real binary.

All cases run at once in one gateway, each with a provider, a model and a path of its own. A test looks at what became of one of them.
"""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
import trustme

import failures_page
import stream_grammar
from fault_server import Behaviour, FaultServer, divide, refusing_url, tls_alert_url, unresolvable_url
from fault_table import SHORT_TIMEOUTS, Case, all_cases
from test_tls import server_context
from weir_server import Reply, Weir

# What llama-server says to an assistant message at the end, where its template cannot go on with one.
PREFILL_REFUSED = Behaviour(
    "status",
    status=400,
    body='{"error":{"code":400,"message":"Assistant response prefill is incompatible with enable_thinking.","type":"invalid_request_error"}}',
)
AT_ONCE = 12  # calls; enough that the waiting ones hold nobody up

CASES = all_cases()
# The official client looks at every stream, too.
SDK_CASES = [case for case in CASES if case.stream]


@dataclass
class Outcome:
    """What became of a case."""

    reply: Reply | None = None
    record: dict[str, Any] = field(default_factory=dict)
    chunks: list[dict[str, Any]] = field(default_factory=list)  # what the SDK gave its caller
    raised: Exception | None = None                             # and how it ended


def provider_of(case: Case, suffix: str = "") -> str:
    return f"p{CASES.index(case)}{suffix}"


def fragments(case: Case, failing: FaultServer, spare: FaultServer, urls: dict[str, str], suffix: str) -> tuple[str, str]:
    """The providers and the model of a case, as lines of the configuration."""
    name, provider = case.id + suffix, provider_of(case, suffix)
    then = (Behaviour("ok", reasoning=case.fault.behaviour.reasoning),) if case.left in {"retry", "key"} else ()
    url = urls[case.fault.where] if case.fault.where else failing.script(name, case.fault.behaviour, *then)
    keys = "sk-fault-secret-1" + (", sk-fault-secret-2" if case.left == "key" else "")
    timeouts = f", timeouts: {SHORT_TIMEOUTS[case.fault.group]}" if case.fault.slow else ""
    providers = f'  {provider}: {{dialect: openai, base_url: "{url}", keys: [{keys}]{timeouts}}}\n'
    steps = f"{provider}/x"
    if case.left == "target":
        steps += ", spare/x"
    special = ""
    if case.left == "model":
        special = f"on_{case.fault.cause}: spare-model, "
    if case.left in {"twin", "prefill", "refused"}:
        same = Behaviour("ok", text=failing.text, events=7, reasoning=case.fault.behaviour.reasoning)  # divided in another way
        rest = Behaviour("ok", text=failing.text.removeprefix(part_that_came(failing, case.fault.behaviour)))
        twin = spare.script(name, *{"twin": [same], "prefill": [rest], "refused": [PREFILL_REFUSED, same]}[case.left])
        dialect = "openai" if case.left == "twin" else "llama-server, recovery: prefill"
        providers += f'  {provider}t: {{dialect: {dialect}, base_url: "{twin}", keys: none}}\n'
        steps += f", {provider}t/x"
    attempts = 2 if case.left == "retry" else 1
    return providers, f'  "{name}": {{steps: [{steps}], {special}retry: {{attempts: {attempts}, backoff: 1ms, backoff_max: 10s}}}}\n'


def with_sdk(weir: Weir, model: str) -> Outcome:
    outcome = Outcome()
    try:
        with weir.client().chat.completions.with_streaming_response.create(
            model=model, messages=[{"role": "user", "content": "hi"}], stream=True
        ) as response:
            for chunk in response.parse():
                outcome.chunks.append(chunk.model_dump(exclude_unset=True))
    except openai.APIError as error:
        outcome.raised = error
    return outcome


def plainly(weir: Weir, case: Case) -> Outcome:
    reply = weir.chat(case.id, stream=case.stream)
    return Outcome(reply=reply, record=weir.record(reply.request_id))


@pytest.fixture(scope="module")
def spare():
    """The other target: it always answers."""
    with FaultServer("spare") as server:
        yield server


@pytest.fixture(scope="module")
def failing():
    with FaultServer("failing") as server:
        yield server


@pytest.fixture(scope="module")
def outcomes(request, failing, spare, tmp_path_factory):
    """Runs the cases of the tests that were chosen."""
    chosen = [item.callspec.params["case"] for item in request.session.items if "plain_case" in item.keywords]
    chosen_sdk = [item.callspec.params["case"] for item in request.session.items if "sdk_case" in item.keywords]
    with contextlib.ExitStack() as stack:
        untrusted = stack.enter_context(FaultServer("untrusted", tls=server_context(trustme.CA().issue_cert("127.0.0.1"))))
        urls = {
            "refused": stack.enter_context(refusing_url()),
            "tls_alert": stack.enter_context(tls_alert_url()),
            "unresolvable": unresolvable_url(),
            "untrusted": untrusted.base_url,
        }
        rows = [fragments(case, failing, spare, urls, "") for case in chosen] + [fragments(case, failing, spare, urls, ".sdk") for case in chosen_sdk]
        config = (
            "listen: 127.0.0.1:0\nauth: {mode: none}\ncircuit_breaker: {failure_threshold: 1000000}\nstore: {url: none}\ncaching: {exact: {enabled: false}}\n"
            f'providers:\n  spare: {{dialect: openai, base_url: "{spare.base_url}", keys: none}}\n'
            + "".join(provider for provider, _ in rows) + "models:\n  spare-model: spare/x\n" + "".join(model for _, model in rows)
        )  # fmt: skip
        weir = stack.enter_context(Weir(tmp_path_factory.mktemp("faults"), config))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            plain = {case.id: pool.submit(plainly, weir, case) for case in chosen}
            sdk = {case.id + ".sdk": pool.submit(with_sdk, weir, case.id + ".sdk") for case in chosen_sdk}
            done = {**plain, **sdk}
        yield {name: future for name, future in done.items()}


def cases(chosen: list[Case], mark):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.id, marks=mark) for case in chosen])


def counted(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts, without the one that found its kept-alive connection closed."""
    return [attempt for attempt, after in zip(record["attempts"], [*record["attempts"][1:], {}]) if not after.get("silent_retry")]


def part_that_came(server: FaultServer, behaviour: Behaviour) -> str:
    return "" if behaviour.tools else "".join(divide(server.text, behaviour.events)[: behaviour.after])


@cases(CASES, pytest.mark.plain_case)
def test_what_the_caller_gets_and_what_the_record_tells(case, outcomes, failing, spare):
    outcome = outcomes[case.id].result()
    reply, record, fault = outcome.reply, outcome.record, case.fault
    provider = provider_of(case)
    first, *rest = counted(record)

    # The first attempt: what failed, why, and whose fault it was held to be.
    assert (first["target"], first["cause"], first["failure"]) == (f"{provider}/x", fault.cause, fault.failure), record
    assert first["reason"] and "secret-1" not in json.dumps(record)
    assert first["end_state"] == ("complete" if fault.about_request and not fault.moves_on else "upstream_error"), record
    if fault.group == "status":
        assert first["status"] == fault.behaviour.status

    if case.answered_by:
        text, target = {
            "same": (failing.text, f"{provider}/x"), "other": (spare.text, "spare/x"), "twin": (failing.text, f"{provider}t/x"),
        }[case.answered_by]  # fmt: skip
        assert reply.status == 200, reply
        refused, rest = (rest[0], rest[1:]) if case.left == "refused" else (None, rest)
        assert refused is None or (refused["target"], refused["status"], refused["recovery"]) == (target, 400, "prefill")
        assert [(attempt["target"], attempt["end_state"]) for attempt in rest] == [(target, "complete")], record
        if case.answered_by == "same":
            assert (rest[0].get("key") != first.get("key")) == (case.left == "key"), record
        if case.left == "retry" and fault.behaviour.retry_after == "1":
            assert rest[0]["backoff_ms"] >= 1000, "Retry-After is a floor"
        assert case.left == "retry" or rest[0]["backoff_ms"] == 0, "whoever did not fail is asked at once"
        assert rest[0].get("recovery") == ("prefill" if case.left == "prefill" else "proven" if fault.group == "content" else None)
        assert reply.header("x-weir-target") == (first["target"] if fault.group == "content" else target), "it was sent with the first content"
        assert record["target"] == target and record["end_state"] == "complete" and "error_code" not in record
        if case.stream:
            *events, done = reply.events
            chunks = [json.loads(event) for event in events]
            assert done == "[DONE]" and stream_grammar.complaints_about(chunks, "done") == []
            assert stream_grammar.text_of(chunks) == text
            assert stream_grammar.text_of(chunks, "reasoning_content") == (fault.behaviour.reasoning if fault.group == "content" else "")
        else:
            assert reply.json["choices"][0]["message"]["content"] == text
        return

    if fault.group == "content" and case.left == "target" and fault.moves_on:
        assert [(attempt["target"], attempt["end_state"], attempt["recovery"]) for attempt in rest] == [("spare/x", "gateway_error", "proven")], record
    else:
        assert rest == [], "nothing else is tried"
    assert record["end_state"] == ("complete" if fault.about_request else "upstream_error"), record
    status, code = fault.alone
    assert reply.status == record["status"] == status, reply
    if status in {429, 503}:
        earliest, latest = fault.come_back
        assert earliest <= int(reply.header("retry-after")) <= latest, reply
    if fault.group == "content":
        *events, last = reply.events
        chunks = [json.loads(event) for event in events]
        error = json.loads(last)["error"]
        assert stream_grammar.complaints_about(chunks, "error", fault.finished) == []
        assert stream_grammar.text_of(chunks) == part_that_came(failing, fault.behaviour), "exactly what came before it broke"
        assert b"[DONE]" not in reply.body
    else:
        assert reply.header("content-type") == "application/json"
        error = reply.json["error"]
    assert set(error) >= {"message", "type", "param", "code"} and error["message"]
    assert (error["code"] or "") == code, error
    if fault.own_words:
        assert reply.body.decode() == fault.behaviour.body, "the provider's own body, byte for byte"
    else:
        assert record["error_code"] == code and "secret-1" not in reply.body.decode()


@cases(SDK_CASES, pytest.mark.sdk_case)
def test_the_openai_sdk_sees_a_normal_answer_or_a_clear_error(case, outcomes, failing, spare):
    outcome, fault = outcomes[case.id + ".sdk"].result(), case.fault
    text = stream_grammar.text_of(outcome.chunks)
    if case.answered_by:
        assert outcome.raised is None
        assert stream_grammar.complaints_about(outcome.chunks, "done") == []
        assert text == (spare.text if case.answered_by == "other" else failing.text)
        return
    assert isinstance(outcome.raised, openai.APIError) and not isinstance(outcome.raised, openai.APIConnectionError), outcome
    assert stream_grammar.complaints_about(outcome.chunks, "error", fault.finished) == []
    assert (outcome.raised.code or "") == fault.alone[1]
    if fault.group == "content":
        assert text == part_that_came(failing, fault.behaviour)
    else:
        assert isinstance(outcome.raised, openai.APIStatusError) and outcome.raised.status_code == fault.alone[0]
        assert outcome.chunks == []


def test_the_page_for_people_says_the_same():
    if os.environ.get("WEIR_GOLDEN_UPDATE"):
        failures_page.PAGE.write_text(failures_page.page())
    assert failures_page.PAGE.read_text() == failures_page.page(), "WEIR_GOLDEN_UPDATE=1 writes docs/failures.md anew"

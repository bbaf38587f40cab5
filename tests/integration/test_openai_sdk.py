"""The official openai SDK for Python, unchanged, against the gateway: the fault server and the built-in mock behind it."""

import openai
import pytest

from fault_server import TOOL_CALLS, USAGE, Behaviour

MESSAGES = [{"role": "user", "content": "What is the weather?"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_weather", "get_time")
]


def test_chat(weir, a):
    answer = weir.client().chat.completions.create(model="smart", messages=MESSAGES)
    assert answer.choices[0].message.content == a.text and answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert a.requests[0].json["model"] == "x"


def test_no_model_is_the_default_model(weir, a):
    answer = weir.client().chat.completions.create(model=openai.omit, messages=MESSAGES)
    assert answer.choices[0].message.content == a.text


def test_stream(weir, a):
    events = list(weir.client().chat.completions.create(model="smart", messages=MESSAGES, stream=True))
    assert "".join(event.choices[0].delta.content or "" for event in events) == a.text
    assert events[-1].choices[0].finish_reason == "stop"
    assert len({event.id for event in events}) == 1


def test_usage_comes_in_the_stream_only_when_asked_for(weir, a):
    silent = list(weir.client().chat.completions.create(model="smart", messages=MESSAGES, stream=True))
    assert all(event.choices and event.usage is None for event in silent)
    told = list(
        weir.client().chat.completions.create(model="smart", messages=MESSAGES, stream=True, stream_options={"include_usage": True})
    )
    assert told[-1].choices == [] and told[-1].usage.total_tokens == USAGE["total_tokens"]
    assert len(told) == len(silent) + 1


def test_tools_streamed_and_not(weir, a):
    a.always("tools")
    client = weir.client()
    answer = client.chat.completions.create(model="smart", messages=MESSAGES, tools=TOOLS)
    assert [call.model_dump(exclude_none=True) for call in answer.choices[0].message.tool_calls] == TOOL_CALLS
    assert answer.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(model="smart", messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert [(call.id, call.function.name, call.function.arguments) for call in final.message.tool_calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in TOOL_CALLS
    ]
    assert a.requests[0].json["tools"] == TOOLS


def test_a_conversation_with_a_tool_result(weir, a):
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": TOOL_CALLS},
        {"role": "tool", "tool_call_id": "call_a", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "call_b", "content": "noon"},
    ]
    weir.client().chat.completions.create(model="smart", messages=messages, tools=TOOLS, stream=False)
    assert a.requests[0].json["messages"] == messages


def test_an_abort_in_mid_stream_cancels_the_upstream_request(weir, a):
    a.always("stall", after=2)  # so that only the abort can end it
    stream = weir.client().chat.completions.create(model="alone", messages=MESSAGES, stream=True)
    text = ""
    for event in stream:
        text += event.choices[0].delta.content or ""
        if len(text) >= len(a.text) // 4:
            break
    request_id = stream.response.headers["x-weir-request-id"]
    stream.close()
    a.wait_for(lambda: a.requests[0].state == "cancelled", "the cancellation of the upstream request")
    assert weir.record(request_id)["end_state"] == "client_abort"


@pytest.mark.parametrize("kind, stream", [("silence", True), ("silence", False), ("slow_first_token", True), ("stall", False)])
def test_a_client_that_gives_up_before_the_answer_cancels_the_upstream_request(weir, a, kind, stream):
    a.always(kind, seconds=55)
    with pytest.raises(openai.APITimeoutError):
        weir.client(timeout=0.3).chat.completions.create(model="alone", messages=MESSAGES, stream=stream)
    a.wait_for(lambda: a.requests and a.requests[0].state == "cancelled", "the cancellation of the upstream request")
    assert len(a.requests) == 1


ERRORS = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("status", ERRORS)
def test_the_providers_errors_become_the_sdks_exceptions(weir, a, status, stream):
    a.always(Behaviour("status", status=status, code="their_code", message="their words", retry_after="3"))
    with pytest.raises(ERRORS[status]) as refusal:
        weir.client().chat.completions.create(model="alone", messages=MESSAGES, stream=stream)
    assert refusal.value.status_code == status and refusal.value.code == "their_code"
    assert refusal.value.body["message"] == "their words"
    assert refusal.value.response.headers["retry-after"] == "3"
    assert refusal.value.request_id, "the SDK finds a request id on every error"


def test_weirs_own_errors_become_the_sdks_exceptions(weir, a):
    with pytest.raises(openai.NotFoundError) as refusal:
        weir.client().chat.completions.create(model="smrat", messages=MESSAGES)
    assert refusal.value.code == "model_not_found" and "smrat" in refusal.value.message
    with pytest.raises(openai.InternalServerError) as refusal:
        weir.client().chat.completions.create(model="alone-nobody", messages=MESSAGES)
    assert refusal.value.status_code == 502 and refusal.value.code == "upstream_unreachable"
    a.always(Behaviour("status", status=401, code="invalid_api_key"))
    with pytest.raises(openai.InternalServerError) as refusal:
        weir.client().chat.completions.create(model="paid", messages=MESSAGES)
    assert refusal.value.code == "upstream_credentials", "their refusal of our key is not the caller's 401"


def test_the_sdks_own_retries(weir, a):
    quick = (("retry-after-ms", "1"),)
    a.plan(Behaviour("status", status=429, headers=quick), Behaviour("status", status=500, headers=quick), "ok")
    answer = weir.client(max_retries=2).chat.completions.create(model="alone", messages=MESSAGES)
    assert answer.choices[0].message.content == a.text
    assert [request.header("x-stainless-retry-count") for request in a.requests] == ["0", "1", "2"]


def test_models(weir):
    models = {model.id for model in weir.client().models.list()}
    assert {"smart", "alone", "paid"} <= models
    one = weir.client().models.retrieve("smart")
    assert one.id == "smart" and one.object == "model"
    with pytest.raises(openai.NotFoundError):
        weir.client().models.retrieve("smrat")


def test_the_provider_gets_our_key_and_never_the_callers(weir, a):
    weir.client(api_key="sk-caller-secret").chat.completions.create(model="paid", messages=MESSAGES)
    weir.client(api_key="sk-caller-secret").chat.completions.create(model="alone", messages=MESSAGES)
    paid, alone = a.requests
    assert paid.header("authorization") == "Bearer sk-provider-secret" and paid.header("x-team") == "blue"
    assert alone.header("authorization") is None
    assert b"sk-caller-secret" not in paid.head + alone.head
    assert "sk-provider-secret" not in "\n".join(weir.output) and "sk-caller-secret" not in "\n".join(weir.output)


class TestMockProvider:
    """No provider needed: what a newcomer's first call meets."""

    def test_chat_and_stream_give_the_same_text(self, weir):
        client = weir.client()
        answer = client.chat.completions.create(model="mock/any", messages=MESSAGES)
        assert answer.choices[0].message.content == "Hello from the mock." and answer.usage.completion_tokens > 0
        events = list(client.chat.completions.create(model="mock/any", messages=MESSAGES, stream=True))
        assert "".join(event.choices[0].delta.content or "" for event in events) == "Hello from the mock."
        assert events[-1].choices[0].finish_reason == "stop" and len(events) > 3

    def test_usage_when_asked_for(self, weir):
        events = list(
            weir.client().chat.completions.create(
                model="mock/any", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
        )
        assert events[-1].usage.total_tokens > 0 and all(event.usage is None for event in events[:-1])

    def test_the_same_request_gets_the_same_bytes(self, weir):
        first, second = (weir.chat("mock/any", stream=True, seed=1) for _ in range(2))
        assert first.body == second.body

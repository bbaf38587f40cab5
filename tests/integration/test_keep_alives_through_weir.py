"""Keep-alives through the gateway: every official client behind a provider that says nothing for a while.

Which form the clients take is measured in test_keep_alives.py, on the same scaled clock.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import CLIENTS, ClientError, NodeDriver, client_named
from fault_server import FaultServer
from test_keep_alives import LIMIT, LONG_WAIT, MESSAGES
from weir_server import Weir

CONFIG = """
listen: 127.0.0.1:0
keep_alive: {{after: 100ms, every: 100ms}}
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none, timeouts: {{first_token: 500ms}}}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
models:
  steps: {{steps: [a/silence, b/ok]}}
  fails: {{steps: [a/silence, b/status]}}
  slow: "b/{slow}"
retry: {{attempts: 1}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
store: {{url: none}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """What the clients see of a gateway whose first provider says nothing; all at once again."""
    with FaultServer("a") as a, FaultServer("b") as b, NodeDriver() as driver, ThreadPoolExecutor(64) as pool:
        config = CONFIG.format(a=a.base_url, b=b.base_url, slow=f"ok,late_head=true,wait={LONG_WAIT}")
        with Weir(tmp_path_factory.mktemp("weir"), config) as weir:

            def ask(model: str, name: str, **options):
                client = client_named(name, driver)
                try:
                    return client.run("stream", base_url=f"{weir.url}/v1", model=model, messages=MESSAGES, **options)
                except ClientError as error:
                    return error

            limits = {"slow": {"timeout": LIMIT}}
            questions = [(model, name) for model in ("steps", "fails", "slow") for name in CLIENTS]
            futures = {question: pool.submit(ask, *question, **limits.get(question[0], {})) for question in questions}
            yield b, {question: future.result() for question, future in futures.items()}


@pytest.mark.parametrize("name", CLIENTS)
def test_no_client_notices_a_fallback_behind_keep_alives(gateway, name):
    server, answers = gateway
    assert answers["steps", name]["text"] == server.text and answers["steps", name]["finish"] == "stop"


@pytest.mark.parametrize("name", CLIENTS)
def test_a_failure_behind_keep_alives_is_an_exception(gateway, name):
    error = gateway[1]["fails", name]
    assert isinstance(error, ClientError) and error.kind == "api"
    # An event, as the status has left. Only @ai-sdk/openai makes a status of it.
    assert error.status == (503 if name == "ai-openai" else None)


@pytest.mark.parametrize("name", ["openai-python", "langchain", "openai-node"])  # the others limit the whole call
def test_a_client_whose_limit_is_shorter_than_the_wait_stays(gateway, name):
    server, answers = gateway
    assert isinstance(answers["slow", name], dict) and answers["slow", name]["text"] == server.text

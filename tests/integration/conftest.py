"""Two fault servers and a gateway in front of them, shared by the tests of one file."""

import pytest

from fault_server import FaultServer, refusing_url
from weir_server import Weir

# `hasty` is the same server as `a`, with limits short enough to be reached by a test; `b` is the one that always answers.
# Caches, limits and breakers are out of the way: each test sees its own request only.
CONFIG = """
listen: 127.0.0.1:0
providers:
  a: {{dialect: openai, base_url: "{a}", keys: none}}
  b: {{dialect: openai, base_url: "{b}", keys: none}}
  hasty:
    dialect: openai
    base_url: "{a}"
    keys: none
    timeouts: {{first_token: 300ms, between_events: 300ms, attempt: 300ms}}
  nobody: {{dialect: openai, base_url: "{nobody}", keys: none}}
  paid:
    dialect: openai
    base_url: "{a}"
    keys: [sk-provider-secret]
    headers: {{x-team: blue}}
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello from the mock."}}}}
models:
  smart: {{steps: [a/x, b/x]}}
  smart-hasty: {{steps: [hasty/x, b/x]}}
  smart-nobody: {{steps: [nobody/x, b/x]}}
  alone: a/x
  patient: {{steps: [a/x], timeouts: {{after_finish: 1m}}}}  # for streams that a busy machine sends slowly
  alone-hasty: hasty/x
  alone-nobody: nobody/x
  stubborn: {{steps: [a/x], retry: {{attempts: 3, backoff_max: 5s}}}}
  paid: paid/x
default_model: smart
retry: {{attempts: 1, backoff: 1ms, backoff_max: 2ms}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
caching: {{exact: {{enabled: false}}}}
store: {{url: none}}
"""


@pytest.fixture(scope="module")
def a_running():
    with FaultServer("a") as server:
        yield server


@pytest.fixture(scope="module")
def b_running():
    with FaultServer("b") as server:
        yield server


@pytest.fixture
def a(a_running, weir):
    a_running.forget()
    return a_running


@pytest.fixture
def b(b_running, weir):
    b_running.forget()
    return b_running


@pytest.fixture(scope="module")
def weir(a_running, b_running, tmp_path_factory):
    with refusing_url() as nobody:
        config = CONFIG.format(a=a_running.base_url, b=b_running.base_url, nobody=nobody)
        with Weir(tmp_path_factory.mktemp("weir"), config) as server:
            yield server

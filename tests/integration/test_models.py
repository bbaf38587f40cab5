"""GET /v1/models: the configured names and what the providers list, without waiting for a provider that hangs."""

import openai
import pytest

from fault_server import Behaviour, FaultServer
from weir_server import Weir

CONFIG = """
listen: 127.0.0.1:0
providers:
  up: {{dialect: openai, base_url: "{up}", keys: [sk-list-secret], unknown_models: forward}}
  quiet: {{dialect: openai, base_url: "{quiet}", keys: none, unknown_models: forward}}
  closed: {{dialect: openai, base_url: "{up}", keys: none}}
  mock: {{dialect: mock}}
models:
  smart: {{steps: [up/x, quiet/y]}}
  up/known: closed/z
  "local/*": "closed/*"
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
store: {{url: none}}
"""

LISTED = [
    {"id": "one", "object": "model", "created": 1700000000, "owned_by": "them", "context_length": 8192},
    {"id": "org/two:free", "object": "model", "created": 1700000001, "owned_by": "them"},
    {"id": "known", "object": "model", "created": 1700000002, "owned_by": "them"},
]


@pytest.fixture
def up():
    with FaultServer("up") as server:
        server.models = LISTED
        yield server


@pytest.fixture
def quiet():
    with FaultServer("quiet") as server:
        yield server


@pytest.fixture
def both(up, quiet, tmp_path):
    with Weir(tmp_path, CONFIG.format(up=up.base_url, quiet=quiet.base_url)) as weir:
        yield weir


def ids(reply):
    assert reply.status == 200 and reply.json["object"] == "list", reply
    return [model["id"] for model in reply.json["data"]]


CONFIGURED = ["smart", "up/known", "local/*"]
OF_UP = ["up/one", "up/org/two:free"]
OF_MOCK = ["mock/hello", "mock/echo"]


def test_the_list_is_merged(both, up, quiet):
    reply = both.request("GET", "/v1/models")
    assert ids(reply) == [*CONFIGURED, *OF_UP, "quiet/quiet-model", *OF_MOCK], "a configured name stands once"
    assert next(model for model in reply.json["data"] if model["id"] == "up/one") == {**LISTED[0], "id": "up/one"}
    asked = up.model_requests[0]
    assert asked.target == "/v1/models" and asked.header("authorization") == "Bearer sk-list-secret"
    assert asked.header("content-length") is None and asked.body == b""
    for _ in range(3):
        assert ids(both.request("GET", "/v1/models")) == ids(reply)
    assert len(up.model_requests) == len(quiet.model_requests) == 1, "remembered"
    assert up.requests == [], "no call was made"


def test_filters(both):
    assert ids(both.request("GET", "/v1/models?provider=up")) == ["smart", *OF_UP]
    assert ids(both.request("GET", "/v1/models?provider=closed")) == ["up/known", "local/*"]
    assert ids(both.request("GET", "/v1/models?search=TWO%3A")) == ["up/org/two:free"]
    assert ids(both.request("GET", "/v1/models?provider=nobody")) == []
    assert both.request("GET", "/v1/models?search=%zz").status == 400


def test_a_provider_that_hangs_keeps_nobody_waiting(both, up, quiet):
    quiet.models_behaviour = Behaviour("silence")
    reply = both.request("GET", "/v1/models")  # the very first ask waits, and not for ever
    assert ids(reply) == [*CONFIGURED, *OF_UP, "quiet/*", *OF_MOCK], "what is not known is a pattern"
    for _ in range(5):
        assert ids(both.request("GET", "/v1/models")) == ids(reply)
    assert len(quiet.model_requests) == 1 and quiet.model_requests[0].state == "answering", "it hangs still"


@pytest.mark.parametrize("kind", ["status", "malformed", "html", "cut_rst", "close_before_head", "garbage"])
def test_a_provider_without_a_list_is_a_pattern(both, up, quiet, kind):
    quiet.models_behaviour = Behaviour(kind)
    assert ids(both.request("GET", "/v1/models?provider=quiet")) == ["smart", "quiet/*"]
    assert both.request("GET", "/v1/models/quiet/anything").json["id"] == "quiet/anything"
    for line in both.request("GET", "/metrics/prometheus").body.decode().splitlines():
        if line.startswith('weir_model_list_fetches_total{provider="quiet"'):
            assert 'outcome="failed"' in line


@pytest.mark.parametrize("path", ["up/org/two:free", "up%2Forg%2Ftwo%3Afree", "up/org%2ftwo:free"])
def test_an_id_with_slashes(both, path):
    reply = both.request("GET", f"/v1/models/{path}")
    assert reply.json == {**LISTED[1], "id": "up/org/two:free"}


def test_one_model(both):
    assert both.request("GET", "/v1/models/smart").json == {"id": "smart", "object": "model", "created": 0, "owned_by": "weir"}
    assert both.request("GET", "/v1/models/local/anything").json["id"] == "local/anything"
    assert both.request("GET", "/v1/models/mock/fault=cut").status == 200
    for name in ("nobody", "up/three", "closed/x", "up/"):
        reply = both.request("GET", f"/v1/models/{name}")
        assert reply.status == 404, name
        assert reply.json["error"]["code"] == "model_not_found" and reply.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/up/one", "/v1/models/none"])
def test_head_is_get_without_the_body(both, path):
    get, head = both.request("GET", path), both.request("HEAD", path)
    assert head.status == get.status and head.body == b"" and head.header("content-length") == str(len(get.body))


def test_the_sdk(both):
    client = both.client()
    assert [model.id for model in client.models.list()][-2:] == OF_MOCK
    model = client.models.retrieve("up/org/two:free")
    assert model.id == "up/org/two:free" and model.owned_by == "them" and model.created == 1700000001
    with pytest.raises(openai.NotFoundError) as refusal:
        client.models.retrieve("up/three")
    assert refusal.value.code == "model_not_found"


def test_without_a_configuration_bare_names_are_those_of_the_first_provider(up, tmp_path):
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0", OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=up.base_url) as weir:
        assert {"one", "org/two:free", "mock/hello"} <= set(ids(weir.request("GET", "/v1/models")))
        assert weir.client().models.retrieve("org/two:free").owned_by == "them"
        assert weir.request("GET", "/v1/models/three").status == 404

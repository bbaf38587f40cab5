"""/openapi.json says all that there is, nothing else, and what it says is so."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

from weir_server import Weir, run_weir

CONFIG = """
listen: 127.0.0.1:0
data_dir: ./data
store: {url: "sqlite:weir.db"}
providers:
  m: {dialect: mock, mock: {first_token: 0ms, tokens_per_second: 0}}
models: {quick: m/x}
auth: {mode: none}  # the keys that are made here close nothing
"""


@pytest.fixture(scope="module")
def weir(tmp_path_factory):
    with Weir(tmp_path_factory.mktemp("weir"), CONFIG) as server:
        yield server


@pytest.fixture(scope="module")
def document(weir):
    reply = weir.request("GET", "/openapi.json")
    assert reply.status == 200 and reply.header("content-type") == "application/json"
    return reply.json


def operations(document) -> dict[tuple[str, str], dict]:
    return {(method.upper(), path): operation for path, methods in document["paths"].items() for method, operation in methods.items()}


def test_it_names_every_endpoint_and_no_other(document, tmp_path):
    registered = {tuple(line.split()[:2]) for line in run_weir("help", "endpoints", directory=tmp_path).stdout.splitlines() if line.strip()}
    assert len(registered) > 30
    assert set(operations(document)) == registered


def test_every_operation_says_enough(document):
    assert document["openapi"].startswith("3.1")
    seen = set()
    for (method, path), operation in operations(document).items():
        assert operation["summary"] and operation["tags"], (method, path)
        assert operation["operationId"] not in seen, operation["operationId"]
        seen.add(operation["operationId"])
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), f"{method} {path}: a good answer is missing in openapi.json"
        assert "default" in operation["responses"]
        in_path = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), (method, path)
        guarded = path.startswith(("/admin", "/v1"))
        assert bool(operation["security"]) == guarded, (method, path)


def test_every_schema_is_one_and_every_reference_leads_somewhere(document):
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(document)):
        at = document
        for part in reference.split("/"):
            at = at[part]


def test_what_administers_takes_the_parameters_that_it_names_and_no_other(weir, document):
    for (method, path), operation in operations(document).items():
        if path.startswith("/admin"):
            names = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
            refused = weir.request(method, re.sub(r"{\w+}", "none", path) + "?nonsense=1")
            assert refused.status == 400, (method, path, refused)
            error = refused.json["error"]
            assert error["param"] == "nonsense"
            assert error["message"] == f"There is no parameter `nonsense` here; there are {', '.join(names) or 'none'}", (method, path)


def check(document, method: str, path: str, reply) -> None:
    operation = operations(document)[(method, path)]
    answer = operation["responses"].get(str(reply.status), operation["responses"]["default"])
    if "$ref" in answer:
        assert reply.status >= 400, (method, path, reply)
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    media = reply.header("content-type").split(";")[0]
    schema = answer["content"][media]["schema"]
    if media == "application/json":
        errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator({**schema, "components": document["components"]}).iter_errors(reply.json)]
        assert not errors, (method, path, errors, reply.json)


def test_real_replies_are_as_it_says(weir, document):
    def ask(method: str, path: str, at: str | None = None, body=None):
        reply = weir.request(method, at or path, None if body is None else json.dumps(body).encode())
        check(document, method, path, reply)
        return reply

    chat = {"model": "quick", "messages": [{"role": "user", "content": "hi"}]}
    call = ask("POST", "/v1/chat/completions", body=chat)
    ask("POST", "/v1/chat/completions", body={**chat, "stream": True})
    ask("POST", "/v1/chat/completions", body={**chat, "model": "nobody"})
    ask("POST", "/v1/completions", body={"model": "quick", "prompt": "hi"})
    ask("POST", "/v1/embeddings", body={"model": "quick", "input": "hi"})
    ask("POST", "/v1/generate", body={"model": "quick", "prompt": "hi"})
    ask("GET", "/v1/models/{id}", "/v1/models/quick")

    tenant = {"id": "acme", "name": "Acme", "limits": {"requests": ["5/1s", "9/1m"]}}
    assert ask("POST", "/admin/v1/tenants", body=tenant).status == 201
    ask("PATCH", "/admin/v1/tenants/{id}", "/admin/v1/tenants/acme", {"budgets": [{"usd": 1}]})
    ask("GET", "/admin/v1/tenants/{id}", "/admin/v1/tenants/acme")
    made = ask("POST", "/admin/v1/keys", body={"label": "x", "tenant": "other", "limits": {"tokens": "5/1s"}, "quotas": [{"tokens": 5}], "expires_at": "2099-01-01"})
    assert made.status == 201
    key = f"/admin/v1/keys/{made.json['id']}"
    ask("PATCH", "/admin/v1/keys/{id}", key, {"user": "ada", "metadata": {"a": 1}})
    nothing = {"requests": None, "tokens": None, "in_flight": None}
    assert ask("PATCH", "/admin/v1/keys/{id}", key, {"limits": nothing}).json["limits"] == nothing
    ask("GET", "/admin/v1/keys", "/admin/v1/keys?tenant=other")
    ask("GET", "/admin/v1/keys/{id}", key)
    assert ask("POST", "/admin/v1/keys/{id}/rotate", f"{key}/rotate").status == 200
    ask("GET", "/admin/v1/keys", "/admin/v1/keys?limit=1")
    ask("DELETE", "/admin/v1/keys/{id}", key)
    ask("DELETE", "/admin/v1/tenants/{id}", "/admin/v1/tenants/acme")
    ask("POST", "/admin/v1/keys", body={"lable": 1})
    weir.record(call.request_id)
    ask("GET", "/admin/v1/requests/{id}", f"/admin/v1/requests/{call.request_id}?story=true")
    ask("GET", "/admin/v1/usage", "/admin/v1/usage?group_by=day,tenant,key,model")
    ask("GET", "/admin/v1/usage", "/admin/v1/usage?format=csv")
    ask("POST", "/admin/v1/breakers/{target}", "/admin/v1/breakers/m/x", {"state": "closed"})
    ask("POST", "/admin/v1/reload")
    assert ask("GET", "/ui").status == 308
    streams = {"/admin/v1/live", "/ui", "/ui/"}
    for method, path in operations(document):
        if method == "GET" and "{" not in path and path not in streams:
            assert ask(method, path).status == 200, path


def test_an_unhealthy_weir_answers_as_it_says(weir, document):
    def set_breakers(state: str) -> None:
        for target in ("m/x", "m/*"):
            assert weir.request("POST", f"/admin/v1/breakers/{target}", json.dumps({"state": state}).encode()).status == 200

    weir.record(weir.chat("quick").request_id)
    set_breakers("open")
    for path in ("/health", "/health/detailed", "/health/providers"):
        reply = weir.request("GET", path)
        assert reply.status == 503, (path, reply)
        check(document, "GET", path, reply)
    set_breakers("closed")
    assert "503" in operations(document)[("GET", "/readyz")]["responses"]

"""Caller keys on the real binary: who is let in, what clients see who are not, and that no key shows anywhere."""

import json
import re

import openai
import pytest

from fault_server import FaultServer
from weir_server import Weir, run_weir, text_of

GOOD, OFF, OTHER, CHIEF, ADMIN = "the-good-key-0001", "the-off-key-0002", "the-other-key-0003", "the-chief-key-0004", "the-admin-key-0005"
CONFIG = """
listen: {listen}
providers:
  a: {{dialect: openai, base_url: "{url}", keys: [sk-of-the-provider]}}
  m: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0}}}}
models: {{smart: a/x, quick: m/x}}
retry: {{attempts: 1}}
auth:
  keys:
    - {{name: good, value: {good}, tenant: team, user: ada}}
    - {{name: idle, value: the-off-key-0002, active: false}}
    - {{name: other, value: the-other-key-0003, models: ["quick*"]}}
    - {{name: chief, value: the-chief-key-0004, role: admin}}
"""


@pytest.fixture(scope="module")
def a():
    with FaultServer("a") as server:
        yield server


def config(a, listen: str = "127.0.0.1:0", good: str = GOOD) -> str:
    return CONFIG.format(listen=listen, url=a.base_url, good=good)


@pytest.fixture(scope="module")
def weir(a, tmp_path_factory):
    """It listens beyond loopback: there is a key."""
    with Weir(tmp_path_factory.mktemp("weir"), config(a, "0.0.0.0:0"), WEIR_ADMIN_KEY=ADMIN) as server:
        yield server


def ask(client: openai.OpenAI, model: str = "smart"):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])


def test_the_official_client_is_let_in_with_its_key_which_goes_no_further(weir, a):
    a.forget()
    assert ask(weir.client(api_key=GOOD)).choices[0].message.content == a.text
    weir.chat("smart", {"X-API-Key": GOOD})
    weir.chat("smart", {"api-key": GOOD, "Authorization": f"Bearer {GOOD}"})
    assert len(a.requests) == 3
    for request in a.requests:
        assert request.header("authorization") == "Bearer sk-of-the-provider"
        assert not any(GOOD in value for _, value in request.headers), request.headers


@pytest.mark.parametrize(
    ("key", "model", "error", "code"),
    [
        ("nobody's", "smart", openai.AuthenticationError, "invalid_api_key"),
        ("wr-" + "x" * 49, "smart", openai.AuthenticationError, "invalid_api_key"),
        (OFF, "smart", openai.AuthenticationError, "inactive_api_key"),
        (OTHER, "smart", openai.PermissionDeniedError, "model_not_allowed"),
        (ADMIN, "smart", openai.PermissionDeniedError, "insufficient_permissions"),
    ],
)
def test_the_official_client_raises_its_own_exceptions(weir, a, key, model, error, code):
    a.forget()
    for attempt in (ask, lambda client, name: client.chat.completions.create(model=name, messages=[], stream=True)):
        with pytest.raises(error) as caught:
            attempt(weir.client(api_key=key), model)
        assert caught.value.code == code and caught.value.request_id
        assert key not in str(caught.value)
    assert a.requests == []
    assert ask(weir.client(api_key=OTHER), "quick").choices[0].message.content


def test_without_a_key_nothing_but_health_and_metrics_answers(weir):
    reply = weir.chat("smart")
    assert reply.status == 401 and reply.json["error"]["code"] == "missing_api_key"
    assert reply.header("www-authenticate") == "Bearer"
    assert weir.request("GET", "/v1/models").status == 401
    assert weir.request("GET", "/admin/v1/requests").status == 401
    assert weir.request("GET", "/admin/v1/live").status == 401
    assert weir.request("GET", "/healthz").status == 200
    assert weir.request("GET", "/ui/").status == 200, "the page holds nothing; what it asks for wants the key"
    metrics = weir.request("GET", "/metrics/prometheus").body.decode()
    assert re.search(r'^weir_callers_refused_total\{code="missing_api_key"\} [1-9]', metrics, re.MULTILINE), metrics


def test_models_are_those_that_the_key_may_use(weir):
    names = lambda key: {model.id for model in weir.client(api_key=key).models.list()}
    assert names(GOOD) >= {"smart", "quick"}
    assert names(OTHER) == {"quick"}
    with pytest.raises(openai.PermissionDeniedError):
        weir.client(api_key=OTHER).models.retrieve("smart")


def test_admin_is_opened_by_the_admin_key_and_tells_who_called(weir):
    called = weir.chat("smart", {"X-API-Key": GOOD})
    for key, status in ((GOOD, 403), ("nobody's", 401), (ADMIN, 200), (CHIEF, 200)):
        # Under any name: a browser that was tricked into asking has no key to send.
        reply = weir.request("GET", "/admin/v1/requests", headers={"Authorization": f"Bearer {key}", "Host": "weir.example"})
        assert reply.status == status, reply
    told = weir.command("explain", called.request_id, WEIR_ADMIN_KEY=ADMIN)
    assert "with the key good of the tenant team for the user ada" in told.stdout, told
    refused = weir.command("explain", called.request_id)
    assert refused.returncode == 1 and "WEIR_ADMIN_KEY" in refused.stderr, refused


def test_no_key_shows_in_log_metrics_or_records(a, tmp_path):
    keys = (GOOD, OFF, OTHER, CHIEF, ADMIN, "sk-of-the-provider", "nobody's-key-0006")
    with Weir(tmp_path, config(a), WEIR_ADMIN_KEY=ADMIN) as weir:
        for key in keys:
            weir.chat("smart", {"Authorization": f"Bearer {key}"})
            weir.chat("smart", {"X-API-Key": key, "Authorization": "Bearer x"})
        admin = {"X-API-Key": ADMIN}
        shown = [weir.request("GET", path, headers=admin).body.decode() for path in ("/admin/v1/requests", "/metrics", "/metrics/prometheus")]
        weir.command("reload", WEIR_ADMIN_KEY=ADMIN)
    shown.append("\n".join(weir.output))
    assert '"key":"good"' in shown[0] and '"key":"good"' in shown[-1]
    for text in shown:
        assert not [key for key in keys if key in text]


def test_a_removed_key_is_dead_with_the_reload_and_its_running_call_goes_on(a, tmp_path):
    a.forget()
    with Weir(tmp_path, config(a), WEIR_ADMIN_KEY=ADMIN) as weir:
        a.always("stall", after=2)  # until it is let go
        stream = weir.client(api_key=GOOD).chat.completions.create(model="smart", messages=[], stream=True)
        next(iter(stream))
        (tmp_path / "weir.yaml").write_text(config(a, good="the-new-key-0007"))
        reloaded = weir.command("reload", WEIR_ADMIN_KEY=ADMIN)
        assert reloaded.returncode == 0 and "keys added or changed: good" in reloaded.stdout, reloaded
        assert weir.chat("quick", {"X-API-Key": GOOD}).json["error"]["code"] == "invalid_api_key"
        assert weir.chat("quick", {"X-API-Key": "the-new-key-0007"}).status == 200
        assert a.requests[0].state != "cancelled", "the call that ran goes on"
        stream.close()
        a.forget()


def test_demo_keys_work_where_they_were_asked_for(tmp_path):
    with Weir(tmp_path, None, ("--demo",), WEIR_LISTEN="127.0.0.1:0") as weir:
        for key in ("sk-test-key-123", "sk-dev-key-456", "mock-api-key-123"):
            assert text_of(weir.chat("mock/hello", {"X-API-Key": key})) == "Hello from Weir."
        assert weir.chat("mock/hello").status == 401
        weir.wait_for_output("OPENAI_API_KEY=sk-test-key-123")


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        ((), "listen: 0.0.0.0:0\n", "weir keys generate"),
        ((), "listen: 0.0.0.0:0\nstore: {url: none}\n", "weir keys generate"),
        (("--demo",), "listen: 0.0.0.0:0\nauth: {keys: [{name: a, value: some-other-key-0001}]}\n", "known to everybody"),
        ((), "listen: 0.0.0.0:0\nauth: {keys: [{name: demo, value: sk-test-key-123}]}\n", "which everybody knows"),
        ((), "listen: 0.0.0.0:0\nauth: {mode: none, keys: [{name: a, value: some-other-key-0001}]}\n", "auth.mode is none"),
    ],
)  # fmt: skip
def test_the_start_stops_where_everybody_could_call(tmp_path, arguments, text, words):
    (tmp_path / "weir.yaml").write_text(text + "providers: {m: {dialect: mock}}\n")
    ended = run_weir("serve", *arguments, directory=tmp_path)
    assert ended.returncode == 2 and words in ended.stderr, ended
    checked = run_weir("check", directory=tmp_path)
    assert arguments or (checked.returncode == 2 and words in checked.stderr), checked
    assert not (tmp_path / "weir-data").exists()


def test_a_key_in_the_store_lets_it_listen_beyond_loopback(tmp_path):
    text = "listen: 127.0.0.1:0\nproviders: {m: {dialect: mock}}\nmodels: {x: m/x}\n"
    with Weir(tmp_path, text) as weir:
        key = weir.command("keys", "create", "--label", "first", "--json")
        assert key.returncode == 0, key
        key = json.loads(key.stdout)["key"]
    (tmp_path / "weir.yaml").write_text(text.replace("127.0.0.1", "0.0.0.0"))
    assert run_weir("check", directory=tmp_path).returncode == 0
    with Weir(tmp_path, text.replace("127.0.0.1", "0.0.0.0")) as weir:
        assert weir.chat("x", {"X-API-Key": key}).status == 200
        assert weir.chat("x").json["error"]["code"] == "missing_api_key"


def test_a_store_without_keys_lets_nobody_in(tmp_path):
    text = "listen: 127.0.0.1:0\nproviders: {m: {dialect: mock}}\nmodels: {x: m/x}\n"
    with Weir(tmp_path, text, WEIR_ADMIN_KEY="an-admin-key-0123456789"):  # makes no key of its own
        pass
    (tmp_path / "weir.yaml").write_text(text.replace("127.0.0.1", "0.0.0.0") + "model: {}\n")
    for command in ("check", "serve"):
        ended = run_weir(command, directory=tmp_path)
        first, second = ended.stderr.splitlines()[:2]
        assert ended.returncode == 2 and first.startswith("error: weir.yaml:1: listen: 0.0.0.0:0 can be reached"), ended
        assert "model" in second


def test_keys_generate_makes_a_key_that_weir_takes(tmp_path):
    keys = [run_weir("keys", "generate", directory=tmp_path).stdout.strip() for _ in range(2)]
    assert keys[0] != keys[1] and all(re.fullmatch(r"wr-[0-9A-Za-z]{49}", key) for key in keys), keys
    text = "listen: 127.0.0.1:0\nproviders: {m: {dialect: mock}}\nmodels: {x: m/x}\nauth: {keys: [{name: a, value: $KEY}]}\n"
    with Weir(tmp_path / "a", text, KEY=keys[0]) as weir:
        assert weir.chat("x", {"X-API-Key": keys[0]}).status == 200
        assert weir.chat("x", {"X-API-Key": keys[1]}).json["error"]["code"] == "invalid_api_key"
        slip = weir.chat("x", {"X-API-Key": keys[0][:-1] + ("a" if keys[0][-1] != "a" else "b")})
        assert slip.status == 401 and "mistyped" in slip.json["error"]["message"]

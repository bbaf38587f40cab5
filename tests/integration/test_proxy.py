"""Providers behind an HTTP proxy: tunnels for https, forwarded requests for http, credentials, exceptions, failures."""

import contextlib
import ssl

import pytest
import trustme

from connect_proxy import ConnectProxy
from fault_server import FaultServer
from weir_server import Weir, run_weir, text_of

CONFIG = """
listen: 127.0.0.1:0
providers:
  far: {{dialect: openai, base_url: "{url}", keys: [sk-far]{tls}}}
  near: {{dialect: openai, base_url: "{near}", keys: none}}
models:
  alone: far/x
  direct: near/x
  smart: {{steps: [far/x, near/x]}}
retry: {{attempts: 1}}
timeouts: {{connect: 5s}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
{more}
"""


@pytest.fixture(scope="module")
def near():
    with FaultServer("near") as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = trustme.CA()
    authority.file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(authority.file)
    return authority


@pytest.fixture
def secure_far(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("models.internal").configure_cert(context)
    with FaultServer("far", tls=context) as server:
        server.url = f"https://models.internal:{server.port}/v1"
        server.settings = f', tls: {{ca_file: "{authority.file}"}}'
        yield server


@contextlib.contextmanager
def gateway(tmp_path, near, url, tls="", more="", **environment):
    with Weir(tmp_path, CONFIG.format(url=url, tls=tls, near=near.base_url, more=more), **environment) as weir:
        yield weir


@pytest.mark.parametrize("how", ["HTTPS_PROXY", "https_proxy", "option"])
def test_https_goes_through_a_tunnel_and_the_key_stays_inside(how, tmp_path, near, secure_far):
    with ConnectProxy(credentials="us er:p@ss:w/rd") as proxy:
        address = f"http://us%20er:p%40ss:w%2Frd@127.0.0.1:{proxy.port}"
        environment = {} if how == "option" else {how: address}
        more = f'http_client: {{proxy: "{address}"}}' if how == "option" else ""
        with gateway(tmp_path, near, secure_far.url, secure_far.settings, more, **environment) as weir:
            for stream in (True, False, True):
                assert text_of(weir.chat("alone", stream=stream)) == secure_far.text
            assert proxy.targets == [f"CONNECT models.internal:{secure_far.port}"], "one tunnel, kept alive"
            assert "sk-far" not in proxy.heads[0]
            assert f"Host: models.internal:{secure_far.port}" in proxy.heads[0]
            assert secure_far.requests[0].header("authorization") == "Bearer sk-far"
            assert secure_far.requests[0].header("proxy-authorization") is None
            assert text_of(weir.chat("direct")) == near.text
            assert len(proxy.heads) == 1, "loopback is reached directly, whatever the proxy is"


def test_plain_http_is_forwarded_with_the_whole_address(tmp_path, near):
    with FaultServer("far") as far, ConnectProxy(credentials="a:b") as proxy:
        url = f"http://models.internal:{far.port}/v1"
        with gateway(tmp_path, near, url, HTTP_PROXY=f"http://a:b@127.0.0.1:{proxy.port}") as weir:
            assert text_of(weir.chat("alone")) == far.text
        assert proxy.targets == [f"POST http://models.internal:{far.port}/v1/chat/completions"]
        assert far.requests[0].target == "/v1/chat/completions"
        assert far.requests[0].header("host") == f"models.internal:{far.port}"


@pytest.mark.parametrize("exception", ["*", "internal", ".internal", "models.internal", "other.test, *.INTERNAL"])
def test_exceptions_are_reached_directly(exception, tmp_path, near, secure_far):
    with ConnectProxy() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        with gateway(tmp_path, near, secure_far.url, secure_far.settings, HTTPS_PROXY=address, NO_PROXY=exception) as weir:
            assert text_of(weir.chat("smart")) == near.text, "the name exists for the proxy only"
            assert proxy.heads == []


def test_names_that_only_end_alike_are_no_exceptions(tmp_path, near, secure_far):
    with ConnectProxy() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        exceptions = "dels.internal,internal:1,models.internal.test,"
        with gateway(tmp_path, near, secure_far.url, secure_far.settings, HTTPS_PROXY=address, NO_PROXY=exceptions) as weir:
            assert text_of(weir.chat("alone")) == secure_far.text


@pytest.mark.parametrize("exception", ["10.9.0.0/16", "10.9.8.7", "fd00::/8, 10.0.0.0/8"])
def test_networks_are_exceptions_too(exception, tmp_path, near):
    """The address leads nowhere: whether the proxy was asked for it is the question."""
    url = "http://10.9.8.7:9/v1"
    with ConnectProxy() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        with gateway(tmp_path, near, url, HTTP_PROXY=address, NO_PROXY=exception, WEIR_TIMEOUTS__CONNECT="50ms") as weir:
            assert text_of(weir.chat("smart")) == near.text
            assert proxy.targets == []
        with gateway(tmp_path, near, url, HTTP_PROXY=address, NO_PROXY="10.10.0.0/16,10.9.8.70,8.7") as weir:
            weir.chat("smart")
            assert proxy.targets == ["POST http://10.9.8.7:9/v1/chat/completions"]


def test_none_ignores_the_environment(tmp_path, near, secure_far):
    with ConnectProxy() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        more = "http_client: {proxy: none}"
        with gateway(tmp_path, near, secure_far.url, secure_far.settings, more, HTTPS_PROXY=address) as weir:
            assert text_of(weir.chat("smart")) == near.text
            assert proxy.heads == []


FAILURES = {
    "wrong credentials": (lambda: ConnectProxy(credentials="someone:else"), "wants other credentials (407)"),
    "refused": (
        lambda: ConnectProxy(misbehave=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
        "refused the tunnel: 403 Forbidden",
    ),
    "no HTTP": (lambda: ConnectProxy(misbehave=b"SSH-2.0-OpenSSH_9.2\r\n"), "does not answer in HTTP"),
    "closed": (lambda: ConnectProxy(misbehave=b""), "closed the connection"),
    "cut head": (lambda: ConnectProxy(misbehave=b"HTTP/1.1 200 Connec"), "closed the connection"),
    "too early": (lambda: ConnectProxy(misbehave=b"HTTP/1.1 200 OK\r\n\r\nhello"), "sent bytes before"),
    "endless head": (lambda: ConnectProxy(misbehave=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000), "does not answer in HTTP"),
    "plain behind": (
        lambda: ConnectProxy(misbehave=b"HTTP/1.1 200 OK\r\n\r\n"),
        "the connection during the TLS handshake",  # closed or reset, as the system has it
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_proxy_that_fails_is_named_and_left_for_the_next(kind, tmp_path, near, secure_far):
    make, words = FAILURES[kind]
    with make() as proxy:
        address = f"http://us:secret-word@127.0.0.1:{proxy.port}"
        with gateway(tmp_path, near, secure_far.url, secure_far.settings, HTTPS_PROXY=address) as weir:
            reply = weir.chat("smart")
            assert text_of(reply) == near.text
            first, _ = weir.record(reply.request_id)["attempts"]
            assert words in first["reason"], first
            assert "TLS" in words or f"the proxy 127.0.0.1:{proxy.port}" in first["reason"]
            assert "secret-word" not in "\n".join(weir.output)


def test_a_proxy_that_cannot_be_used_stops_the_start(tmp_path):
    config = 'providers: {a: {dialect: openai, base_url: "https://a.test/v1", keys: none}}\n'
    (tmp_path / "weir.yaml").write_text(config)
    for text, words in (("socks5://u:hidden@h:1", "names a proxy of the kind socks5://"), ("http://u:hidden@", "holds no address")):
        ended = run_weir("check", "--config", "weir.yaml", directory=tmp_path, HTTPS_PROXY=text)
        assert ended.returncode == 2
        assert f"HTTPS_PROXY: {words}" in ended.stdout + ended.stderr
        assert "hidden" not in ended.stdout + ended.stderr
    ended = run_weir("check", "--config", "weir.yaml", directory=tmp_path, HTTPS_PROXY="socks5://h:1", NO_PROXY="a.test")
    assert ended.returncode == 0

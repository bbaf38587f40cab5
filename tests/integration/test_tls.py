"""TLS on both sides, with Python's OpenSSL as the other party, on loopback.

Towards providers: who is believed, and what is told when somebody is not. Towards clients: versions, ALPN, resumption,
plain HTTP on the wrong port, and certificates that cannot be used.
"""

import contextlib
import datetime
import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time

import openai
import pytest
import trustme

from fault_server import Behaviour, FaultServer
from test_handover import Successors
from weir_server import PATIENCE, Weir, run_weir, text_of

CALLER = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("localhost", "other.test"):
        certificate = authority.issue_cert(name, *(["127.0.0.1", "::1"] if name == "localhost" else []))
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        with open(folder / f"{name}.pem", "wb") as out:
            for pem in certificate.cert_chain_pems:
                out.write(pem.bytes())
    return folder


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextlib.contextmanager
def tcp_server(serve, host="127.0.0.1"):
    """Calls serve(socket) for each connection; gives the port."""
    listener = socket.create_server((host, 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    def guarded(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(PATIENCE)
            serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- towards providers ----------------------------------------------------------------------------------------------------

UPSTREAM = """
listen: 127.0.0.1:0
providers:
  far:
    dialect: openai
    base_url: "{url}"
    keys: [sk-far]
    tls: {tls}
  near: {{dialect: openai, base_url: "{near}", keys: none}}
models:
  alone: far/x
  smart: {{steps: [far/x, near/x]}}
retry: {{attempts: 1}}
timeouts: {{connect: {connect}}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


@pytest.fixture(scope="module")
def near():
    with FaultServer("near") as server:
        yield server


@contextlib.contextmanager
def gateway(tmp_path, near, url, tls="{}", connect="10s", **environment):
    config = UPSTREAM.format(url=url, tls=tls, near=near.base_url, connect=connect)
    with Weir(tmp_path, config, **environment) as weir:
        yield weir


def metric(weir, name: str, **labels: str) -> float:
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    total = 0.0
    for line in weir.request("GET", "/metrics/prometheus").body.decode().splitlines():
        series, _, value = line.rpartition(" ")
        bare, _, rest = series.partition("{")
        if bare == name and wanted <= set(rest.rstrip("}").split(",")):
            total += float(value)
    return total


def test_a_provider_over_https_streams_and_answers_whole(tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("127.0.0.1"))) as far:
        with gateway(tmp_path, near, far.base_url, f'{{ca_file: "{files}/ca.pem"}}', WEIR_SERVER__WORKERS="1") as weir:
            for stream in (True, False):
                reply = weir.chat("alone", stream=stream)
                assert reply.status == 200, reply.body
                assert text_of(reply) == far.text
                weir.wait_for_idle_connection("far")
            assert far.connections == 1, "the connection is kept alive"
            assert far.requests[0].header("authorization") == "Bearer sk-far"
            assert far.requests[0].header("host") == f"127.0.0.1:{far.port}"


def test_many_large_bodies_pass_through_tls_unchanged(tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("127.0.0.1"))) as far:
        with gateway(tmp_path, near, far.base_url, f'{{ca_file: "{files}/ca.pem"}}') as weir:
            for size in (1, 4_000, 16_384, 100_000, 3_000_000):
                body = json.dumps({**CALLER, "model": "alone", "user": "u" * size}).encode()
                far.plan(Behaviour("ok", text="t" * size, events=1 + size // 50_000))
                reply = weir.request("POST", "/v1/chat/completions", body)
                assert text_of(reply) == "t" * size
                assert far.requests[-1].body == body.replace(b'"alone"', b'"x"')


def test_a_name_is_sent_and_checked_and_sessions_are_resumed(tmp_path, authority, files, near):
    names = []
    context = server_context(authority.issue_cert("localhost"))
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with FaultServer("far", tls=context) as far:
        far.always("ok", close=True)
        url = f"https://localhost:{far.port}/v1"
        with gateway(tmp_path, near, url, f'{{ca_file: "{files}/ca.pem"}}', WEIR_SERVER__WORKERS="1") as weir:
            for _ in range(3):
                assert weir.chat("alone").status == 200
                weir_idle = lambda: metric(weir, "weir_upstream_connections_idle", provider="far")
                while weir_idle():
                    pass
            assert names == ["localhost"] * far.connections
            assert far.connections == 3
            name = "weir_upstream_tls_handshakes_total"
            assert metric(weir, name, provider="far", outcome="full") == 1
            assert metric(weir, name, provider="far", outcome="resumed") == 2
            assert metric(weir, name, provider="far", outcome="failed") == 0


def test_the_machines_authorities_are_those_of_ssl_cert_file(tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("127.0.0.1"))) as far:
        with gateway(tmp_path, near, far.base_url, SSL_CERT_FILE=str(files / "ca.pem")) as weir:
            assert text_of(weir.chat("alone")) == far.text


def test_ipv6_on_both_sides(tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("::1")), host="::1") as far:
        config = UPSTREAM.format(url=far.base_url, tls=f'{{ca_file: "{files}/ca.pem"}}', near=near.base_url, connect="10s")
        with Weir(tmp_path, config.replace("listen: 127.0.0.1:0", 'listen: [127.0.0.1:0, "[::1]:0"]')) as weir:
            assert far.base_url.startswith("https://[::1]:")
            match = weir.wait_for_output(r"listening on http://\[::1\]:(\d+)")
            with openai.OpenAI(base_url=f"http://[::1]:{match[1]}/v1", api_key="any", max_retries=0) as client:
                assert client.chat.completions.create(model="alone", **CALLER).choices[0].message.content == far.text
            assert far.requests[0].header("host") == f"[::1]:{far.port}"


def test_a_name_that_does_not_resolve_is_told_and_left_for_the_next(tmp_path, near):
    with gateway(tmp_path, near, "https://no-such-host.invalid/v1", connect="5s") as weir:
        reply = weir.chat("smart")
        assert text_of(reply) == near.text
        first, _ = weir.record(reply.request_id)["attempts"]
        assert first["failure"] in ("unreachable", "timeout")
        assert "no-such-host.invalid" in first["reason"]
        assert weir.chat("alone").json["error"]["code"] in ("upstream_unreachable", "upstream_timeout")


def test_without_verification_anybody_is_believed(tmp_path, near):
    with FaultServer("far", tls=server_context(trustme.CA().issue_cert("whoever.test"))) as far:
        with gateway(tmp_path, near, far.base_url, "{verify: false}") as weir:
            assert text_of(weir.chat("alone")) == far.text
            assert any("its certificate is not checked" in line for line in weir.output)


def test_another_name_may_be_expected(tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("inner.test"))) as far:
        tls = f'{{ca_file: "{files}/ca.pem", server_name: inner.test}}'
        with gateway(tmp_path, near, far.base_url, tls) as weir:
            assert text_of(weir.chat("alone")) == far.text


@contextlib.contextmanager
def with_certificate(certificate):
    with FaultServer("far", tls=server_context(certificate)) as server:
        yield server.base_url


@contextlib.contextmanager
def scripted(serve):
    with tcp_server(serve) as port:
        yield f"https://127.0.0.1:{port}/v1"


def banner(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.recv(4096)


def http_at_once(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def only_tls_1_2(authority: trustme.CA, connection: socket.socket) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.wrap_socket(connection, server_side=True).recv(1)


def silence(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def long_ago(authority):
    return authority.issue_cert("127.0.0.1", not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))


# name: (how it goes wrong, what the record says, the code)
UNTRUSTED = {
    "unknown authority": (
        lambda _: with_certificate(trustme.CA().issue_cert("127.0.0.1")),
        "not signed by an authority that is known here",
        "upstream_certificate",
    ),
    "wrong name": (
        lambda authority: with_certificate(authority.issue_cert("other.test", "10.9.8.7")),
        "its certificate is not for 127.0.0.1 but for other.test, 10.9.8.7",
        "upstream_certificate",
    ),
    "expired": (
        lambda authority: with_certificate(long_ago(authority)),
        r"has expired: it was valid until 2020-01-01 00:00:00 UTC",
        "upstream_certificate",
    ),
    "too old a version": (
        lambda authority: scripted(lambda connection: only_tls_1_2(authority, connection)),
        "both sides have no version of TLS in common",
        "upstream_unreachable",
    ),
    "plain HTTP answer": (
        lambda _: scripted(http_at_once),
        "it answers in plain HTTP where TLS was expected",
        "upstream_unreachable",
    ),
    "another protocol": (lambda _: scripted(banner), "it does not speak TLS on this port", "upstream_unreachable"),
    "reset in the handshake": (
        lambda _: scripted(reset),
        "it reset the connection during the TLS handshake",
        "upstream_broken",
    ),
    "closed in the handshake": (
        lambda _: scripted(lambda connection: connection.recv(4096)),
        "it closed the connection during the TLS handshake",
        "upstream_broken",
    ),
    "silence in the handshake": (lambda _: scripted(silence), "the TLS handshake took too long", "upstream_timeout"),
}


@pytest.mark.parametrize("kind", UNTRUSTED)
def test_a_provider_that_is_not_believed_is_told_and_left_for_the_next(kind, tmp_path, authority, files, near):
    make, words, code = UNTRUSTED[kind]
    version = ", min_version: 1.3" if kind == "too old a version" else ""
    with make(authority) as url:
        tls = f'{{ca_file: "{files}/ca.pem"{version}}}'
        with gateway(tmp_path, near, url, tls, connect="300ms" if "silence" in kind else "10s") as weir:
            for stream in (True, False):
                reply = weir.chat("smart", stream=stream)
                assert text_of(reply) == near.text
                first, second = weir.record(reply.request_id)["attempts"]
                assert (first["target"], second["target"]) == ("far/x", "near/x")
                assert words in json.dumps(first), first
            told = weir.command("explain", reply.request_id).stdout
            assert "far" in told and words in told, told

            with pytest.raises(openai.APIStatusError) as failed:
                weir.client().chat.completions.create(model="alone", **CALLER)
            assert failed.value.status_code == (504 if code == "upstream_timeout" else 502)
            assert failed.value.code == code
            assert "far" in failed.value.message
            assert "sk-far" not in failed.value.message


def test_a_refused_certificate_is_not_asked_for_again(tmp_path, authority, files, near):
    """The next try would meet the same one; a handshake that merely breaks is tried again."""
    handshakes = []

    def wrong_name(connection: socket.socket) -> None:
        handshakes.append(1)
        with contextlib.suppress(OSError):
            server_context(authority.issue_cert("other.test")).wrap_socket(connection, server_side=True).recv(1)

    def breaks(connection: socket.socket) -> None:
        handshakes.append(1)
        connection.recv(4096)

    for serve, tries, code in ((wrong_name, 1, "upstream_certificate"), (breaks, 3, "upstream_broken")):
        handshakes.clear()
        with scripted(serve) as url:
            with gateway(tmp_path, near, url, f'{{ca_file: "{files}/ca.pem"}}', WEIR_RETRY__ATTEMPTS="3", WEIR_RETRY__BACKOFF="1ms") as weir:
                reply = weir.chat("alone")
                assert (reply.status, reply.json["error"]["code"]) == (502, code)
                assert len(handshakes) == tries
                assert len(weir.record(reply.request_id)["attempts"]) == tries


def test_an_answer_cut_off_without_close_notify_is_no_whole_answer(tmp_path, authority, files, near):
    """Framed by its end, so that only TLS can tell a cut from the end."""

    def serve(connection: socket.socket) -> None:
        with server_context(authority.issue_cert("127.0.0.1")).wrap_socket(connection, server_side=True) as secured:
            while b"\r\n\r\n" not in secured.recv(65536):
                pass
            answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "whole?"}}]}
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(answer).encode())
            if orderly:
                with contextlib.suppress(OSError):
                    secured.unwrap()
            else:
                with socket.socket(fileno=os.dup(secured.fileno())) as below:
                    below.shutdown(socket.SHUT_WR)
                secured.recv(1)

    with scripted(serve) as url, gateway(tmp_path, near, url, f'{{ca_file: "{files}/ca.pem"}}') as weir:
        orderly = True
        assert weir.chat("alone").status == 200
        orderly = False
        cut = weir.chat("alone")
        assert (cut.status, cut.json["error"]["code"]) == (502, "upstream_broken")


@pytest.mark.parametrize("kind", ["cut_rst", "cut_fin", "stall"])
def test_a_stream_that_breaks_under_tls_never_ends_as_a_success(kind, tmp_path, authority, files, near):
    with FaultServer("far", tls=server_context(authority.issue_cert("127.0.0.1"))) as far:
        with gateway(tmp_path, near, far.base_url, f'{{ca_file: "{files}/ca.pem"}}', WEIR_TIMEOUTS__BETWEEN_EVENTS="300ms", WEIR_TIMEOUTS__FIRST_TOKEN="300ms") as weir:
            far.plan(Behaviour(kind, after=2))
            reply = weir.chat("alone", stream=True)
            assert "[DONE]" not in reply.events
            assert "error" in json.loads(reply.events[-1])
            far.plan(Behaviour(kind))
            assert text_of(weir.chat("smart", stream=True)) == near.text


# --- towards clients ------------------------------------------------------------------------------------------------------

LISTENING = """
listen: 127.0.0.1:0
tls: {{cert_file: "{folder}/{name}.pem", key_file: "{folder}/{name}.key"{more}}}
providers:
  mock: {{dialect: mock, mock: {{first_token: 0ms, tokens_per_second: 0, text: "Hello over TLS."}}}}
auth: {{mode: none}}
circuit_breaker: {{failure_threshold: 1000000}}
"""


def client_context(files, **options) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files / "ca.pem")
    for name, value in options.items():
        setattr(context, name, value)
    return context


def connect(weir, files, session=None, **options) -> ssl.SSLSocket:
    context = options.pop("context", None) or client_context(files, **options)
    return context.wrap_socket(weir.connect(), server_hostname="localhost", session=session)


def ask(connection: ssl.SSLSocket, close: bool = True) -> bytes:
    last = b"Connection: close\r\n" if close else b""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + last + b"\r\n")
    answer = b""
    while part := connection.recv(65536):
        answer += part
    return answer


@pytest.fixture(scope="module")
def secure(files, tmp_path_factory):
    config = LISTENING.format(folder=files, name="localhost", more="")
    with Weir(tmp_path_factory.mktemp("secure"), config) as weir:
        yield weir


def test_an_sdk_speaks_to_weir_over_tls(secure, files):
    import httpx2 as httpx

    assert any(f"listening on https://127.0.0.1:{secure.port}" in line for line in secure.output)
    with httpx.Client(verify=client_context(files)) as http:
        client = openai.OpenAI(base_url=f"https://localhost:{secure.port}/v1", api_key="any", max_retries=0, http_client=http)
        whole = client.chat.completions.create(model="mock/x", **CALLER)
        assert whole.choices[0].message.content == "Hello over TLS."
        stream = client.chat.completions.create(model="mock/x", stream=True, **CALLER)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "Hello over TLS."


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_end_with_close_notify(secure, files, version):
    with connect(secure, files, minimum_version=version, maximum_version=version) as connection:
        # suppress_ragged_eofs would hide a missing close_notify: recv() then raises.
        connection.suppress_ragged_eofs = False
        assert ask(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_older_versions_are_refused(secure, files, tmp_path):
    with pytest.raises((ssl.SSLError, ConnectionError)), pytest.warns(DeprecationWarning):
        connect(secure, files, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    config = LISTENING.format(folder=files, name="localhost", more=", min_version: 1.3")
    with Weir(tmp_path, config) as strict:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(strict, files, maximum_version=ssl.TLSVersion.TLSv1_2)
        connect(strict, files).close()


def test_alpn_agrees_on_http_1_1_and_refuses_what_weir_does_not_speak(secure, files):
    context = client_context(files)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(secure, files, context=context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(secure, files, context=context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_come_back_with_their_session_on_any_core(secure, files, version):
    context = client_context(files, minimum_version=version, maximum_version=version)
    with connect(secure, files, context=context) as first:
        ask(first)
        session = first.session
        assert not first.session_reused
    for _ in range(4):  # more than there are cores
        with connect(secure, files, context=context, session=session) as again:
            assert ask(again).startswith(b"HTTP/1.1 200")
            assert again.session_reused
            session = again.session if version == ssl.TLSVersion.TLSv1_3 else session


def test_plain_http_on_the_tls_port_is_told_so_as_json(secure):
    with secure.connect() as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert json.loads(body)["error"]["code"] == "tls_required"


def test_noise_and_leaving_in_the_handshake_hurt_nobody(secure, files):
    hello = bytes.fromhex("1603010200010001fc0303")
    for noise in (b"", b"\x00" * 64, hello, hello + b"\xff" * 600, b"\x16\x03\x01\x00\x00"):
        with secure.connect() as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while connection.recv(4096):
                    pass
    with connect(secure, files) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200")


def serial_of(connection: ssl.SSLSocket) -> str:
    return connection.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_served_without_losing_a_connection(files, authority, tmp_path):
    for name in ("localhost.pem", "localhost.key"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    config = LISTENING.format(folder=tmp_path, name="localhost", more="")
    with Weir(tmp_path, config) as weir:
        with connect(weir, files) as before:
            old = serial_of(before)
            renewed = authority.issue_cert("localhost")
            # A key without its certificate, as between the two writes of a renewal: refused, the old pair stays.
            renewed.private_key_pem.write_to_path(tmp_path / "localhost.key")
            weir.process.send_signal(signal.SIGHUP)
            weir.wait_for_output("key_file holds the key of another certificate")
            with connect(weir, files) as between:
                assert serial_of(between) == old
            renewed.cert_chain_pems[0].write_to_path(tmp_path / "localhost.pem")
            weir.process.send_signal(signal.SIGHUP)
            weir.wait_for_output("new connections get the certificate that is in its file now")
            with connect(weir, files) as after:
                assert serial_of(after) != old
                assert ask(after).startswith(b"HTTP/1.1 200")
            assert ask(before).startswith(b"HTTP/1.1 200"), "the connection of before goes on"


def kept_ask(connection: ssl.SSLSocket) -> bytes:
    """The whole answer, over a connection that stays open."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += connection.recv(65536)
    length = int(re.search(rb"(?i)content-length: (\d+)", answer)[1])
    while len(answer) < end + 4 + length:
        answer += connection.recv(65536)
    return answer


def test_a_handover_loses_no_connection_over_tls(files, tmp_path):
    """Kept connections, handshakes under way and new ones, while one process takes over from another three times."""
    config = LISTENING.format(folder=files, name="localhost", more="") + "server: {drain_idle_timeout: 10s}\n"
    with Weir(tmp_path, config) as weir, Successors(weir) as successors:
        stop, problems, answers = threading.Event(), [], []

        def call_with_new_connections() -> None:
            try:
                while not stop.is_set():
                    with connect(weir, files) as connection:
                        assert ask(connection).startswith(b"HTTP/1.1 200")
                        answers.append(1)
            except (OSError, AssertionError) as problem:
                problems.append(problem)

        callers = [threading.Thread(target=call_with_new_connections) for _ in range(2)]
        for caller in callers:
            caller.start()
        for _ in range(3):
            kept = connect(weir, files)
            assert kept_ask(kept).startswith(b"HTTP/1.1 200")
            under_way = weir.connect()
            before = len(answers)
            successors.next()
            # The log says so a moment before every core knows.
            deadline = time.monotonic() + PATIENCE
            while b"onnection: close" not in (answer := kept_ask(kept)):
                assert answer.startswith(b"HTTP/1.1 200") and time.monotonic() < deadline
            assert answer.startswith(b"HTTP/1.1 200")
            kept.close()
            with client_context(files).wrap_socket(under_way, server_hostname="localhost") as connection:
                assert ask(connection).startswith(b"HTTP/1.1 200")
            while len(answers) < before + 2 and not problems:
                pass
        stop.set()
        for caller in callers:
            caller.join()
        assert problems == []
        assert weir.process.wait(PATIENCE) == 0


CANNOT_START = {
    "no key": ('cert_file: "{folder}/localhost.pem"', "tls: has no key_file; a certificate and its key are needed both"),
    "no such file": (
        'cert_file: "{folder}/absent.pem", key_file: "{folder}/localhost.key"',
        "tls.cert_file: {folder}/absent.pem cannot be read: No such file or directory",
    ),
    "the key of another": (
        'cert_file: "{folder}/localhost.pem", key_file: "{folder}/other.test.key"',
        "tls.key_file: {folder}/other.test.key: key_file holds the key of another certificate",
    ),
    "swapped": (
        'cert_file: "{folder}/localhost.key", key_file: "{folder}/localhost.pem"',
        "tls.cert_file: {folder}/localhost.key: cert_file holds no certificate in PEM form",
    ),
    "an empty file": (
        'cert_file: "{folder}/empty.pem", key_file: "{folder}/localhost.key"',
        "tls.cert_file: {folder}/empty.pem: cert_file holds no certificate in PEM form",
    ),
}


@pytest.mark.parametrize("kind", CANNOT_START)
def test_files_that_cannot_be_used_stop_the_start(kind, files, tmp_path):
    (files / "empty.pem").write_text("")
    section, words = (text.replace("{folder}", str(files)) for text in CANNOT_START[kind])
    (tmp_path / "weir.yaml").write_text(f"listen: 127.0.0.1:0\ntls: {{{section}}}\nproviders: {{mock: {{dialect: mock}}}}\n")
    for command in ("check", "serve"):
        ended = run_weir(command, "--config", "weir.yaml", directory=tmp_path)
        assert ended.returncode == 2, ended
        assert words in ended.stdout + ended.stderr


def test_a_custom_authority_that_cannot_be_used_stops_the_start(files, tmp_path):
    for file, words in (("absent.pem", "cannot be read"), ("localhost.key", "holds no certificate")):
        config = f'providers: {{a: {{dialect: openai, base_url: "https://a.test/v1", keys: none, tls: {{ca_file: "{files}/{file}"}}}}}}\n'
        (tmp_path / "weir.yaml").write_text(config)
        ended = run_weir("check", "--config", "weir.yaml", directory=tmp_path)
        assert ended.returncode == 2
        assert f"weir.yaml:1: providers.a.tls.ca_file: {files}/{file} {words}" in ended.stdout + ended.stderr

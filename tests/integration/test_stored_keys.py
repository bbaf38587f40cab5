"""Keys that are made while weir runs: where they are kept, when they open and when not, and what a store that is away does."""

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from weir_server import BINARY, PATIENCE, Weir, until

ADMIN = "the-admin-key-0001"
CONFIG = """
listen: LISTEN
data_dir: ./data
store: {url: "STORE"}
log: {requests: false}
providers:
  m: {dialect: mock, mock: {first_token: 0ms, tokens_per_second: 0}}
models: {quick: m/x, other: m/y}
"""
FIXED = "auth: {keys: [{name: fixed, value: the-fixed-key-0002}]}\n"
KEY_LINE = r"export WEIR_ADMIN_KEY=(wr-\w{49})$"


def config(store: str = "sqlite:weir.db", listen: str = "127.0.0.1:0", more: str = "") -> str:
    return CONFIG.replace("STORE", store).replace("LISTEN", listen) + more


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(weir: Weir, method: str, path: str, document: str | None = None, key: str = ADMIN):
    return weir.request(method, f"/admin/v1{path}", document.encode() if document is not None else None, bearer(key))


def make(weir: Weir, document: str = '{"label": "laptop"}', key: str = ADMIN) -> tuple[str, str]:
    """The id and the text of a new key."""
    reply = ask(weir, "POST", "/keys", document, key)
    assert reply.status == 201, reply
    return reply.json["id"], reply.json["key"]


def outcome(weir: Weir, key: str | None, model: str = "quick") -> str:
    """How a call with that key ends: "200", or the code of its refusal."""
    reply = weir.chat(model, bearer(key) if key else {})
    return str(reply.status) if reply.status == 200 else reply.json["error"]["code"]


def settles_to(weir: Weir, key: str, expected: str) -> None:
    """Weir looks at its store about once a second: asked until it has noticed."""
    until(lambda: outcome(weir, key) == expected, f"the key's calls end with {expected}")


def test_a_key_opens_from_the_moment_it_is_made_until_the_moment_it_is_revoked(tmp_path):
    for store in ("sqlite:weir.db", "none"):
        with Weir(tmp_path / store.split(":")[0], config(store), WEIR_ADMIN_KEY=ADMIN) as weir:
            assert outcome(weir, None) == "200", "no caller key was ever made"
            identity, key = make(weir)
            assert outcome(weir, key) == "200"
            assert outcome(weir, None) == "missing_api_key", "now there is one"
            assert ask(weir, "PATCH", f"/keys/{identity}", '{"active": false}').status == 200
            assert outcome(weir, key) == "inactive_api_key"
            assert ask(weir, "PATCH", f"/keys/{identity}", '{"active": true, "models": ["oth*"]}').status == 200
            assert outcome(weir, key) == "model_not_allowed"
            assert outcome(weir, key, "other") == "200"
            assert ask(weir, "PATCH", f"/keys/{identity}", '{"models": ["*"], "ip_allow": ["192.0.2.0/24"]}').status == 200
            assert outcome(weir, key) == "ip_not_allowed"
            assert ask(weir, "PATCH", f"/keys/{identity}", '{"ip_allow": [], "expires_at": "2001-01-01T00:00:00Z"}').status == 200
            assert outcome(weir, key) == "expired_api_key"
            assert ask(weir, "PATCH", f"/keys/{identity}", '{"expires_at": null}').status == 200
            assert outcome(weir, key) == "200"
            assert ask(weir, "DELETE", f"/keys/{identity}").status == 200
            assert outcome(weir, key) == "invalid_api_key"
            assert outcome(weir, None) == "missing_api_key", "the last key is gone, and weir stays shut"
            assert not any(key in line for line in weir.output)


def test_a_rotated_key_opens_with_both_texts_until_the_overlap_is_over(tmp_path):
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        identity, old = make(weir)
        reply = ask(weir, "POST", f"/keys/{identity}/rotate", "{}")
        assert reply.status == 200, reply
        new = reply.json["key"]
        assert (outcome(weir, old), outcome(weir, new)) == ("200", "200")
        with closing(sqlite3.connect(tmp_path / "data/weir.db")) as books:
            books.execute("UPDATE api_keys SET previous_expires_at = '2001-01-01T00:00:00.000Z' WHERE id = ?", (identity,))
            books.commit()
        make(weir)  # a change: the rows are read again
        assert (outcome(weir, old), outcome(weir, new)) == ("expired_api_key", "200")


def test_keys_outlive_the_process_and_the_first_start_prints_the_one_that_opens_admin(tmp_path):
    everywhere = config(listen="0.0.0.0:0")
    with Weir(tmp_path, everywhere) as weir:
        bootstrap = weir.wait_for_output(KEY_LINE)[1]
        assert ask(weir, "GET", "/keys", key="the-wrong-key").status == 401
        identity, key = make(weir, key=bootstrap)
        assert outcome(weir, bootstrap) == "insufficient_permissions", "it opens /admin alone"
        assert outcome(weir, key) == "200"
        assert ask(weir, "GET", "/keys", key=key).json["error"]["code"] == "insufficient_permissions"
    files = {path.name: path for path in (tmp_path / "data").iterdir()}
    assert stat.S_IMODE(files["master.key"].stat().st_mode) == 0o600
    for path in files.values():
        if path.is_file():
            assert key.encode() not in path.read_bytes(), f"the key itself is in {path.name}"
    with Weir(tmp_path, everywhere) as weir:
        assert outcome(weir, key) == "200"
        assert outcome(weir, None) == "missing_api_key"
        assert ask(weir, "GET", f"/keys/{identity}", key=bootstrap).status == 200
        assert not any("wr-" in line for line in weir.output), "shown once"
    with Weir(tmp_path, everywhere, WEIR_ADMIN_KEY=ADMIN) as weir:
        assert ask(weir, "GET", "/keys").status == 200
        assert ask(weir, "GET", "/keys", key=bootstrap).status == 401, "the one of the environment stands in its place"


def test_a_lost_master_key_is_no_reason_to_say_no(tmp_path):
    with Weir(tmp_path, config(more=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
        _, key = make(weir)
    kept = (tmp_path / "data/master.key").read_bytes()
    (tmp_path / "data/master.key").unlink()
    for _ in range(2):
        with Weir(tmp_path, config(more=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
            weir.wait_for_output("master.key was not there")
            assert outcome(weir, key) == "store_unavailable"
            assert outcome(weir, "the-fixed-key-0002") == "200"
    (tmp_path / "data/master.key").write_bytes(kept)
    with Weir(tmp_path, config(more=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert outcome(weir, key) == "200"
    (tmp_path / "data/master.key").write_text("torn")
    failed = subprocess.run([BINARY, "serve", "--config", "weir.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert failed.returncode == 1
    assert "Put it back from a backup" in failed.stderr


def last_used(weir: Weir, identity: str) -> str | None:
    reply = ask(weir, "GET", f"/keys/{identity}")
    assert reply.status == 200, reply
    return reply.json["last_used_at"]


def test_a_key_tells_when_it_was_last_used_also_after_a_restart(tmp_path):
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        unused, _ = make(weir, '{"label": "unused"}')
        identity, key = make(weir)
        assert last_used(weir, identity) is None
        assert outcome(weir, key) == "200"
        used = until(lambda: last_used(weir, identity), "the call's record comes to the store, and its time with it")
        assert used >= ask(weir, "GET", f"/keys/{identity}").json["created_at"]
        assert used in weir.command("keys", "list", "--label", "laptop", WEIR_ADMIN_KEY=ADMIN).stdout
        assert ask(weir, "PATCH", f"/keys/{identity}", '{"label": "desk"}').json["last_used_at"] == used
        other, text = make(weir)
        assert outcome(weir, text) == "200", "and weir ends before it has written that"
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert last_used(weir, identity) == used
        assert last_used(weir, other) >= used
        assert last_used(weir, unused) is None


HOLDER = """
import sqlite3, sys
books = sqlite3.connect(sys.argv[1], isolation_level=None)
books.execute("PRAGMA busy_timeout = 60000")
books.execute("BEGIN EXCLUSIVE")
books.execute("CREATE TABLE IF NOT EXISTS held (x)")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def frozen(database):
    """The store, with its lock in the hands of a process that does not move."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        yield
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(PATIENCE)


def test_a_frozen_store_stops_no_key_that_is_known(tmp_path):
    with Weir(tmp_path, config(more=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
        _, key = make(weir)
        assert outcome(weir, "the-unknown-key") == "invalid_api_key"
        with frozen(tmp_path / "data/weir.db"):
            settles_to(weir, "the-unknown-key", "store_unavailable")
            refused = weir.chat("quick", bearer("the-unknown-key"))
            assert refused.status == 503
            assert int(refused.header("retry-after")) >= 1
            for _ in range(50):
                assert outcome(weir, key) == "200"
                assert outcome(weir, "the-fixed-key-0002") == "200"
                assert outcome(weir, "the-unknown-key") == "store_unavailable"
            assert outcome(weir, "wr-mistyped") == "invalid_api_key", "that cannot be a key, whoever is asked"
            made = ask(weir, "POST", "/keys", '{"label": "x"}')
            assert (made.status, made.json["error"]["code"]) == (503, "store_unavailable")
        settles_to(weir, "the-unknown-key", "invalid_api_key")
        assert outcome(weir, make(weir)[1]) == "200"


def test_a_store_that_is_frozen_at_the_start_is_read_once_it_is_back(tmp_path):
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        _, key = make(weir)
    with frozen(tmp_path / "data/weir.db"):
        with Weir(tmp_path, config(more=FIXED), WEIR_ADMIN_KEY=ADMIN) as weir:
            assert outcome(weir, key) == "store_unavailable"
            assert outcome(weir, "the-fixed-key-0002") == "200"
        with Weir(tmp_path, config()) as weir:
            assert outcome(weir, None) == "store_unavailable", "whether there are keys is not known"
            assert weir.request("GET", "/admin/v1/keys").status == 503
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        assert outcome(weir, key) == "200"


def test_a_full_disk_stops_no_key_that_is_known(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(data)], capture_output=True, text=True, check=False)
    if mount.returncode != 0:
        pytest.skip("a small file system of its own cannot be mounted here")
    try:
        with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
            _, key = make(weir)
            fill(data / "ballast")
            give_up = time.monotonic() + PATIENCE
            while outcome(weir, "the-unknown-key") != "store_unavailable":
                assert outcome(weir, key) == "200"
                assert time.monotonic() < give_up
            assert outcome(weir, key) == "200"
            (data / "ballast").unlink()
            settles_to(weir, "the-unknown-key", "invalid_api_key")
            assert outcome(weir, make(weir)[1]) == "200"
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


def fill(ballast) -> None:
    """Until nothing more fits."""
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def resident_mib(pid: int) -> float:
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def test_ten_thousand_keys_and_five_hundred_targets_fit_into_64_mib(tmp_path):
    targets = "".join(f"  model-{i}: {{steps: [p{i % 50}/m-{i}]}}\n" for i in range(500))
    providers = "".join(f"  p{i}: {{dialect: openai, base_url: 'http://127.0.0.1:{9000 + i}', keys: [k{i}]}}\n" for i in range(50))
    text = config().replace("providers:\n", "providers:\n" + providers).replace("models: {quick: m/x, other: m/y}\n", "models:\n  quick: m/x\n  other: m/y\n" + targets)
    with Weir(tmp_path, config(), WEIR_ADMIN_KEY=ADMIN) as weir:
        _, key = make(weir, '{"label": "of a person", "tenant": "team", "user": "somebody", "limits": {"requests": "100/60s", "in_flight": 8}}')
    with closing(sqlite3.connect(tmp_path / "data/weir.db")) as books:
        columns = [row[1] for row in books.execute("PRAGMA table_info(api_keys)")]
        others = ", ".join(name for name in columns if name not in ("id", "key_hash"))
        books.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
            f"INSERT INTO api_keys (id, key_hash, {others}) SELECT id || printf('%05d', i), randomblob(32), {others} FROM api_keys, n"
        )
        books.commit()
        assert books.execute("SELECT count(*) FROM api_keys").fetchone()[0] == 10_000
    with Weir(tmp_path, text, WEIR_ADMIN_KEY=ADMIN) as weir:
        assert outcome(weir, key) == "200"
        at_start = resident_mib(weir.process.pid)
        for _ in range(3):  # each change reads the table anew
            assert outcome(weir, make(weir)[1]) == "200"
        after_changes = resident_mib(weir.process.pid)
        print(f"10,000 keys and 500 targets: {at_start:.1f} MiB resident at the start, {after_changes:.1f} MiB after changes")
        assert at_start <= 64
        assert after_changes <= 64

"""The commands as a person meets them: help, check, a start without any config, demo, explain, the end on SIGTERM."""

import re
import signal
import subprocess

import pytest

from fault_server import FaultServer
from weir_server import BINARY, PATIENCE, Weir, clean_environment, run_weir, text_of


def test_version_and_help(tmp_path):
    version = run_weir("version", directory=tmp_path)
    assert version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout)
    for arguments in (("help",), ("--help",)):
        help_text = run_weir(*arguments, directory=tmp_path)
        assert help_text.returncode == 0
        for command in ("serve", "check", "explain", "demo", "version"):
            assert command in help_text.stdout


def test_a_wrong_command_line_ends_with_2_and_names_the_word(tmp_path):
    for arguments, words in (
        ((), "which command?"),
        (("sevre",), 'weir has no command "sevre"; did you mean "serve"?'),
        (("keyz", "list"), 'weir has no command "keyz"; did you mean "keys"?'),
        (("keys",), "weir keys: which command?"),
        (("keys", "frob"), 'weir keys has no command "frob"'),
        (("serve", "--frob"), 'weir serve has no option "--frob"'),
        (("keys", "list", "--tennant", "a"), 'weir keys list has no option "--tennant"; did you mean "--tenant"?'),
        (("keys", "create", "--in-flight", "x"), "--in-flight = x"),
        (("usage", "--json", "--csv"), "--json excludes --csv"),
        (("breakers", "break"), "break not in {open,close}"),
        (("backup",), "file is required"),
        (("requests", "--url", "nowhere"), "`nowhere` is not a web address"),
        (("help", "keyz"), 'weir help has no topic "keyz"; did you mean "keys"?'),
    ):
        wrong = run_weir(*arguments, directory=tmp_path)
        assert wrong.returncode == 2 and words in wrong.stderr and wrong.stdout == "", wrong
    with Weir(tmp_path, "listen: 127.0.0.1:0\nproviders: {m: {dialect: mock}}\nmodels: {x: m/any}\n") as weir:
        for arguments, status, words in (
            (("keys", "create", "--label", "x", "--requests", "5"), 2, "limits.requests"),
            (("usage", "--group-by", "moon"), 2, "group_by"),
            (("keys", "list", "--limit", "0"), 2, "limit"),
            (("keys", "show", "key_none"), 1, "There is no key"),
        ):
            failed = weir.command(*arguments)
            assert failed.returncode == status and words in failed.stderr and failed.stdout == "", failed


def test_check_names_every_error_at_once_with_its_place_and_cure(tmp_path):
    (tmp_path / "weir.yaml").write_text(
        "listn: 127.0.0.1:0\n"
        "providers:\n"
        "  openai: {base_url: http://127.0.0.1:1/v1, keys: none}\n"
        "models:\n"
        "  smart: {steps: [opnai/x]}\n"
        "retry: {attempts: many}\n"
        "timeouts: {first_tokn: 5s}\n"
    )
    checked = run_weir("check", "--config", "weir.yaml", directory=tmp_path)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 2, said
    assert re.search(r'weir\.yaml:1: .*listn.*did you mean "listen"', said)
    assert re.search(r'weir\.yaml:5: models\.smart\.steps\[0\]: .*"opnai".*did you mean "openai"', said)
    assert re.search(r"weir\.yaml:6: retry\.attempts: .*many", said)
    assert re.search(r'weir\.yaml:7: .*first_tokn.*did you mean "first_token"', said)
    served = run_weir("serve", "--config", "weir.yaml", directory=tmp_path)
    assert served.returncode == 2 and "listn" in served.stderr, "a bad config starts nothing"


def test_check_reasons_and_explains(tmp_path):
    (tmp_path / "weir.yaml").write_text(
        "providers:\n  a: {dialect: mock}\n  b: {dialect: openai, base_url: http://127.0.0.1:1/v1, keys: none}\n"
        "models:\n  smart: {steps: [a/x], retry: {attempts: 2}}\n"
    )
    checked = run_weir("check", directory=tmp_path)
    assert checked.returncode == 0, checked
    assert re.search(r"smart: 1 target, at most 2 attempts; the answer or an error within", checked.stdout), checked.stdout
    assert re.search(r"without effect: providers\.b: never asked", checked.stdout), checked.stdout
    explained = run_weir("check", "--explain", "smart", directory=tmp_path)
    assert explained.returncode == 0 and re.search(r"retry\.attempts +2 +weir\.yaml:5", explained.stdout), explained
    misspelt = run_weir("check", "--explain", "smrt", directory=tmp_path)
    assert misspelt.returncode == 1 and 'did you mean "smart"' in misspelt.stderr, misspelt


def test_help_options_is_text_and_on_request_the_page(tmp_path):
    text = run_weir("help", "options", directory=tmp_path)
    assert text.returncode == 0 and "retry.attempts: " in text.stdout and "|" not in text.stdout
    page = run_weir("help", "options", "--markdown", directory=tmp_path)
    assert page.returncode == 0 and page.stdout.startswith("# Configuration") and "| `retry.attempts` |" in page.stdout


def test_check_is_content_with_a_good_config(tmp_path):
    (tmp_path / "weir.yaml").write_text("providers: {m: {dialect: mock}}\nmodels: {x: m/any}\n")
    checked = run_weir("check", directory=tmp_path)
    assert checked.returncode == 0, checked


def test_a_config_that_is_not_there(tmp_path):
    missing = run_weir("serve", "--config", "nowhere.yaml", directory=tmp_path)
    assert missing.returncode == 2 and "nowhere.yaml" in missing.stderr


def test_no_config_at_all_starts_with_the_mock_and_says_how_to_call_it(tmp_path):
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0") as weir:
        weir.wait_for_output(rf"export OPENAI_BASE_URL=http://127\.0\.0\.1:{weir.port}/v1")
        command = weir.wait_for_output(r"^\s*(curl .*)$")[1]
        answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert "Hello" in answer.stdout or "content" in answer.stdout, answer
        assert text_of(weir.chat("mock/any"))
        assert weir.request("GET", "/v1/models").json["data"]


def test_keys_in_the_environment_become_providers(tmp_path):
    with Weir(tmp_path, None, WEIR_LISTEN="127.0.0.1:0", OPENAI_API_KEY="sk-from-the-environment", MISTRAL_API_KEY="") as weir:
        said = "\n".join(weir.output)
        assert "OPENAI_API_KEY" in said and "sk-from-the-environment" not in said


def test_the_environment_wins_over_the_file(tmp_path):
    with FaultServer("a") as a:
        config = f"listen: 127.0.0.1:1\nproviders: {{a: {{dialect: openai, base_url: '{a.base_url}', keys: none}}}}\nmodels: {{m: a/x}}\n"
        with Weir(tmp_path, config, WEIR_LISTEN="127.0.0.1:0", WEIR_RETRY__ATTEMPTS="2", WEIR_RETRY__BACKOFF="1ms") as weir:
            a.always("reset_before_head")
            assert weir.chat("m").status == 502 and len(a.requests) == 2


def test_sigterm_lets_a_running_stream_finish(tmp_path):
    with FaultServer("a") as a:
        config = f"listen: 127.0.0.1:0\nproviders: {{a: {{dialect: openai, base_url: '{a.base_url}', keys: none}}}}\nmodels: {{m: a/x}}\n"
        with Weir(tmp_path, config) as weir:
            a.always("slow_first_token", seconds=1.0, after=2)
            stream = weir.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
            text = next(stream).choices[0].delta.content or ""  # it runs
            weir.process.send_signal(signal.SIGTERM)
            text += "".join(event.choices[0].delta.content or "" for event in stream)
            assert text == a.text
            assert weir.process.wait(PATIENCE) == 0


def test_a_stream_that_outlives_the_drain_ends_with_an_error_event(tmp_path):
    with FaultServer("a") as a:
        config = (
            f"listen: 127.0.0.1:0\nproviders: {{a: {{dialect: openai, base_url: '{a.base_url}', keys: none}}}}\nmodels: {{m: a/x}}\n"
            "server: {drain_timeout: 200ms}\n"
        )
        with Weir(tmp_path, config) as weir:
            a.always("stall", after=2)
            stream = weir.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
            next(stream)
            weir.process.send_signal(signal.SIGTERM)
            with pytest.raises(Exception) as end:
                list(stream)
            assert getattr(end.value, "code", None) == "shutting_down", end.value
            a.wait_for(lambda: a.requests[0].state == "cancelled", "the upstream's cancellation")
            assert weir.process.wait(PATIENCE) == 0


def test_demo_shows_how_calls_survive_their_providers(tmp_path):
    shown = subprocess.run(
        [BINARY, "demo"], cwd=tmp_path, env=clean_environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown
    for chapter in ("All is well", "A dead provider", "A slow provider", "A cut stream", "A rate-limited key"):
        assert chapter in shown.stdout, shown.stdout
    told = "I am a model. My words arrive one after the other, whatever happens to those who send them."
    assert shown.stdout.count(told) == 6 and shown.stdout.count("weir explain last") == 4, shown.stdout
    for word in ("Connection refused", "cause: transport", "cause: slow", "and went on", "cause: rate"):
        assert word in shown.stdout, shown.stdout


def test_explain_of_what_is_not_there(tmp_path):
    with Weir(tmp_path, "listen: 127.0.0.1:0\nproviders: {m: {dialect: mock}}\nmodels: {x: m/any}\n") as weir:
        none = weir.command("explain", "last")
        assert none.returncode != 0 and none.stderr
        unknown = weir.command("explain", "no-such-id")
        assert unknown.returncode != 0 and "no-such-id" in unknown.stderr
    gone = run_weir("explain", "last", directory=tmp_path, WEIR_URL=weir.url)
    assert gone.returncode != 0 and weir.url in gone.stderr, "says which server did not answer"

"""The runner counts what happened and calls a bad run bad: a crash, a skip nobody allowed, nothing at all."""

import json
import subprocess
import sys

import run_suites


def gtest_report(*tests):
    return json.dumps({"testsuites": [{"name": "Suite", "testsuite": list(tests)}]})


def test_gtest_results_are_counted_by_name(tmp_path):
    report = tmp_path / "report.json"
    report.write_text(
        gtest_report(
            {"name": "good", "status": "RUN", "result": "COMPLETED"},
            {"name": "bad", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "x"}]},
            {"name": "left_out", "status": "RUN", "result": "SKIPPED"},
            {"name": "DISABLED_off", "status": "NOTRUN", "result": "SUPPRESSED"},
            {"name": "filtered", "status": "NOTRUN", "result": "SUPPRESSED"},
        )
    )
    counts = run_suites.read_gtest_report(report)
    assert counts.passed == ["Suite.good"]
    assert counts.failed == ["Suite.bad"]
    assert counts.skipped == ["Suite.left_out", "Suite.DISABLED_off"]
    assert counts.line() == "1 passed, 1 failed, 2 skipped"


def test_pytest_results_are_counted_once_per_test(tmp_path):
    suite = tmp_path / "test_planted.py"
    suite.write_text(
        "import pytest\n"
        "@pytest.fixture\ndef falls_later():\n    yield\n    raise RuntimeError\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "def test_falls_in_cleanup(falls_later): pass\n"
        "@pytest.mark.skip\ndef test_skipped(): pass\n"
        "@pytest.mark.xfail\ndef test_expected_to_fail(): assert False\n"
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), f"--junitxml={report}", str(suite)]
    finished = subprocess.run(command, capture_output=True, check=False)
    assert finished.returncode == 1
    counts = run_suites.read_junit_report(report)
    assert [name.rsplit(".")[-1] for name in counts.passed] == ["test_good"]
    assert [name.rsplit(".")[-1] for name in counts.failed] == ["test_bad", "test_falls_in_cleanup"]
    assert [name.rsplit(".")[-1] for name in counts.skipped] == ["test_skipped", "test_expected_to_fail"]


def test_a_program_that_dies_without_a_report_is_a_failure(tmp_path):
    program = tmp_path / "unit_tests"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    counts = run_suites.run_gtest(program, [], tmp_path)
    assert counts.failed == ["unit_tests (exit code -11)"]


def test_a_program_that_reports_success_and_then_fails_is_a_failure(tmp_path):
    program = tmp_path / "unit_tests"  # such as a leak found at exit
    report = gtest_report({"name": "good", "status": "RUN", "result": "COMPLETED"})
    program.write_text(f"#!/bin/sh\necho '{report}' > \"${{1#--gtest_output=json:}}\"\nexit 23\n")
    program.chmod(0o755)
    counts = run_suites.run_gtest(program, [], tmp_path)
    assert counts.passed == ["Suite.good"] and counts.failed == ["unit_tests (exit code 23)"]


def test_a_program_that_was_not_built_is_a_failure(tmp_path):
    assert run_suites.run_gtest(tmp_path / "unit_tests", [], tmp_path).failed == ["unit_tests (not built)"]


def test_a_planted_bug_that_nobody_found_is_a_failure(tmp_path):
    report = tmp_path / "planted.json"
    report.write_text(json.dumps({"01_x": {"found": True}, "02_y": {"found": False}, "unpatched": {"found": True}}))
    counts = run_suites.read_planted_report(report)
    assert counts.passed == ["planted.01_x", "planted.unpatched"] and counts.failed == ["planted.02_y"]


def test_the_verdict_names_each_reason():
    good, skipped = run_suites.Counts(passed=["a"]), run_suites.Counts(passed=["a"], skipped=["b"])
    assert run_suites.verdict(good, {}) == []
    assert run_suites.verdict(skipped, {"b": "needs a GPU"}) == []
    assert run_suites.verdict(skipped, {}) == ["skipped without standing in tests/skips.txt: b"]
    assert run_suites.verdict(run_suites.Counts(failed=["c"]), {}) == ["failed: c"]
    assert run_suites.verdict(run_suites.Counts(), {}) == ["nothing ran"]


def test_an_allowed_skip_needs_a_reason(tmp_path):
    path = tmp_path / "skips.txt"
    path.write_text("# words\n\nSuite.a needs a GPU\n")
    assert run_suites.read_allowed_skips(path) == {"Suite.a": "needs a GPU"}
    path.write_text("Suite.a\n")
    try:
        run_suites.read_allowed_skips(path)
    except SystemExit as refusal:
        assert str(refusal).endswith("skips.txt:1: Suite.a has no reason")
    else:
        raise AssertionError("a skip without a reason was accepted")

"""Runs test suites one after the other, sums what they report, and prints `N passed, N failed, N skipped` as the last line.

A suite is a GoogleTest program, a folder of pytest files or the bugs planted for the simulation; each writes a report that is
read here, so that the sum does not depend on what it prints. A program that dies, or reports nothing, is a failed test of that name. A skipped test
fails the run unless tests/skips.txt names it with a reason. Standard library only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Counts:
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    @property
    def total(self) -> int:
        return len(self.passed) + len(self.failed) + len(self.skipped)

    def line(self) -> str:
        return f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def read_gtest_report(report: Path) -> Counts:
    counts = Counts()
    for suite in json.loads(report.read_text()).get("testsuites", []):
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            if test.get("failures"):
                counts.failed.append(name)
            elif test["result"] == "COMPLETED":
                counts.passed.append(name)
            elif test["status"] == "NOTRUN" and not test["name"].startswith("DISABLED_"):
                pass  # filtered away on the command line
            else:
                counts.skipped.append(name)
    return counts


def read_junit_report(report: Path) -> Counts:
    """One entry per test: a test that passes and whose clean-up then fails is written twice, and has failed."""
    worst: dict[str, str] = {}
    severity = ["passed", "skipped", "failed"]
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}".removeprefix("tests.")
        result = "passed"
        if case.find("skipped") is not None:
            result = "skipped"
        if case.find("failure") is not None or case.find("error") is not None:
            result = "failed"
        worst[name] = max(worst.get(name, "passed"), result, key=severity.index)
    counts = Counts()
    for name, result in worst.items():
        getattr(counts, result).append(name)
    return counts


def run_reporting(name: str, command: list[str], report: Path, read, environment: dict[str, str] | None = None) -> Counts:
    """Runs `command`, which writes `report`; what it prints goes through."""
    finished = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False)
    try:
        counts = read(report)
    except (OSError, ValueError, ElementTree.ParseError):
        counts = Counts()
        print(f"{name}: ended with code {finished.returncode} and left no report", file=sys.stderr)
    if finished.returncode != 0 and not counts.failed:
        counts.failed.append(f"{name} (exit code {finished.returncode})")
    return counts


def run_gtest(program: Path, arguments: list[str], scratch: Path) -> Counts:
    report = scratch / f"{program.name}.json"
    command = [str(program), f"--gtest_output=json:{report}", "--gtest_brief=1", *arguments]
    if not program.exists():
        print(f"{program} was not built", file=sys.stderr)
        return Counts(failed=[f"{program.name} (not built)"])
    return run_reporting(program.name, command, report, read_gtest_report)


def run_pytest(python: Path, name: str, paths: list[str], arguments: list[str], environment: dict[str, str], scratch: Path) -> Counts:
    report = scratch / f"{name}.xml"
    command = [str(python), "-m", "pytest", f"--junitxml={report}", "-c", "tests/pytest.ini", "--rootdir", ".", *paths, *arguments]
    return run_reporting(name, command, report, read_junit_report, {**environment, "PYTHONDONTWRITEBYTECODE": "1"})


def read_planted_report(report: Path) -> Counts:
    """Each planted bug is a test that passes when the simulation finds it; so is the tree without one, when it holds."""
    counts = Counts()
    for name, result in json.loads(report.read_text()).items():
        (counts.passed if result["found"] else counts.failed).append(f"planted.{name}")
    return counts


def run_planted(build: Path, arguments: list[str], scratch: Path) -> Counts:
    report = scratch / "planted.json"
    command = [sys.executable, "tests/sim/planted.py", "--build", str(build), "--report", str(report), *arguments]
    return run_reporting("planted", command, report, read_planted_report)


def run_suite(name: str, build: Path, python: Path, arguments: list[str], scratch: Path) -> Counts:
    binary = {"WEIR_BINARY": str(build / "weir")}
    if name == "unit":
        return run_gtest(build / "tests/unit_tests", arguments, scratch)
    if name == "sim":
        return run_gtest(build / "tests/sim_tests", arguments, scratch)
    if name == "planted":
        return run_planted(build, arguments, scratch)
    paths = {
        "structure": ["tests/structure", "tests/support"],
        "integration": ["tests/integration", "tests/faults"],
        "two_core": ["tests/integration/test_two_cores.py"],
    }[name]
    return run_pytest(python, name, paths, arguments, binary, scratch)


def read_allowed_skips(path: Path) -> dict[str, str]:
    allowed = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.strip().partition(" ")
        if not reason.strip():
            raise SystemExit(f"{path}:{number}: {name} has no reason")
        allowed[name] = reason.strip()
    return allowed


def verdict(counts: Counts, allowed: dict[str, str]) -> list[str]:
    """Why this run is not good; empty when it is."""
    reasons = [f"failed: {name}" for name in counts.failed]
    reasons += [f"skipped without standing in tests/skips.txt: {name}" for name in counts.skipped if name not in allowed]
    if not counts.passed and not counts.failed:
        reasons.append("nothing ran")
    return reasons


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", type=Path, required=True, help="the build directory of the preset under test")
    options.add_argument("--python", type=Path, default=Path(sys.executable), help="an interpreter that has pytest")
    options.add_argument("suites", nargs="+", choices=["structure", "unit", "sim", "planted", "integration", "two_core"])
    own, _, passed_on = split_at_dashes(sys.argv[1:])
    arguments = options.parse_args(own)

    total, rows = Counts(), []
    with tempfile.TemporaryDirectory() as scratch:
        for suite in arguments.suites:
            print(f"== {suite}", flush=True)
            started = time.monotonic()
            counts = run_suite(suite, arguments.build, arguments.python, passed_on, Path(scratch))
            if counts.total == 0:
                counts.failed.append(f"{suite} (nothing ran)")
            rows.append((suite, counts, time.monotonic() - started))
            total.add(counts)

    print()
    for suite, counts, seconds in rows:
        print(f"{suite:12} {counts.line()}  ({seconds:.1f} s)")
    reasons = verdict(total, read_allowed_skips(ROOT / "tests/skips.txt"))
    for reason in reasons:
        print(reason)
    print(total.line(), flush=True)
    return 1 if reasons else 0


def split_at_dashes(words: list[str]) -> tuple[list[str], str, list[str]]:
    if "--" not in words:
        return words, "", []
    place = words.index("--")
    return words[:place], "--", words[place + 1 :]


if __name__ == "__main__":
    sys.exit(main())

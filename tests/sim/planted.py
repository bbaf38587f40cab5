#!/usr/bin/env python3
"""Plants each bug of tests/sim/planted in a copy of the sources and demands that the simulation finds it.

The copy and its build live under BUILD/planted and are kept, so that a later run compiles only what changed. Each patch is applied
alone, built, run with the same seeds as the others, and taken back. It must fail on one of them; the unpatched copy must pass all
the seeds that any patch needed. A patch that no longer applies fails too: refresh it.

  tests/sim/planted.py --build build/release [--first-seed N] [--seeds-max N] [--jobs N] [name]...
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).resolve().parent / "planted"
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "src", "tests/CMakeLists.txt", "tests/sim", "bench", "examples", "web"]
# Quick to compile, and quick enough to run.
CONFIGURE = ["-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DWEIR_TESTS=ON"]


class Failed(Exception):
    pass


def copy_file(source: Path, target: Path) -> None:
    """Only if it differs, so that what did not change is not compiled again."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def refresh(tree: Path) -> None:
    """Makes the copy equal to the sources."""
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else []
        for path in files:
            relative = path.relative_to(ROOT)
            wanted.add(relative)
            copy_file(path, tree / relative)
    for path in [path for path in tree.rglob("*") if path.is_file()]:
        if path.relative_to(tree) not in wanted:
            path.unlink()


def run(command: list, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


def build(out: Path, jobs: int) -> Path:
    finished = run(["cmake", "--build", out, "--parallel", jobs, "--target", "sim_tests"])
    if finished.returncode != 0:
        raise Failed("does not compile:\n" + "\n".join(finished.stdout.splitlines()[-30:]))
    return out / "tests/sim_tests"


def configure(tree: Path, out: Path) -> None:
    options = list(CONFIGURE)
    if shutil.which("ccache"):
        options.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    finished = run(["cmake", "-S", tree, "-B", out, *options])
    if finished.returncode != 0:
        raise Failed("the copy cannot be configured:\n" + finished.stdout + finished.stderr)


class Outcome:
    """What the seeds said: how many were run, and what the first failing one found."""

    def __init__(self, finished: subprocess.CompletedProcess, seeds_max: int):
        text = finished.stdout
        self.failed = finished.returncode != 0
        counted = re.search(r"^(\d+) seeds from \d+,", text, re.MULTILINE)
        self.seeds = int(counted.group(1)) if counted else None
        self.text = text + finished.stderr
        violation = re.search(r"^seed \d+:\n  (.*)$", text, re.MULTILINE)
        if violation:
            self.found = violation.group(1)
        elif not self.failed:
            self.found = ""
        elif finished.returncode < 0 or counted is None:
            self.found = "the program died: " + (finished.stderr.strip().splitlines() or ["without words"])[-1]
        else:
            self.found = "the same seed gave two different runs" if "the runs part here" in text else "see the output"
        if self.failed and self.seeds is None:
            self.seeds = seeds_max


def simulate(program: Path, first_seed: int, seeds: int, until_failure: bool) -> Outcome:
    # Without the states that all seeds together must reach: this asks for bugs only.
    command = [program, f"--first-seed={first_seed}", f"--seeds={seeds}", "--bugs-only", "--gtest_brief=1"]
    command += ["--until-failure"] if until_failure else []
    return Outcome(run(command), seeds)


def plant(patch: Path, tree: Path, out: Path, arguments: argparse.Namespace) -> Outcome:
    # --fuzz=0: a patch that only nearly applies may plant something else than it says.
    dry = run(["patch", "-p1", "--fuzz=0", "--batch", "--dry-run", "-i", patch], cwd=tree)
    if dry.returncode != 0:
        raise Failed("the patch no longer applies; refresh it:\n" + dry.stdout)
    names = re.findall(r"^\+\+\+ b/(.*)$", patch.read_text(), re.MULTILINE)
    if any(not name.startswith("src/") for name in names) or not names:
        raise Failed("a planted bug stands in src/")
    originals = {name: (tree / name).read_bytes() for name in names}
    run(["patch", "-p1", "--fuzz=0", "--batch", "--no-backup-if-mismatch", "-i", patch], cwd=tree)
    try:
        program = build(out, arguments.jobs)
        return simulate(program, arguments.first_seed, arguments.seeds_max, until_failure=True)
    finally:
        for name, content in originals.items():
            (tree / name).write_bytes(content)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", type=Path, required=True, help="a build directory; the work is done in its sub-directory `planted`")
    options.add_argument("--first-seed", type=int, default=int.from_bytes(os.urandom(4)))
    options.add_argument("--seeds-max", type=int, default=3000, help="a bug must be found within so many seeds")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--report", type=Path, help="where to write the result as JSON")
    options.add_argument("names", nargs="*", help="only the patches whose file names contain one of these")
    arguments = options.parse_args()

    tree, out = arguments.build.resolve() / "planted/tree", arguments.build.resolve() / "planted/out"
    tree.mkdir(parents=True, exist_ok=True)
    patches = [patch for patch in sorted(PATCHES.glob("*.patch")) if not arguments.names or any(name in patch.name for name in arguments.names)]
    if not patches:
        print("no patch of that name")
        return 1

    results = {}
    print(f"planted bugs, seeds from {arguments.first_seed}, at most {arguments.seeds_max} for each", flush=True)
    started = time.monotonic()
    refresh(tree)
    try:
        configure(tree, out)
        build(out, arguments.jobs)
    except Failed as failure:
        print(f"the unpatched copy: {failure}")
        return 1
    print(f"{'planted bug':<44} {'seeds needed':>12}  found by", flush=True)
    needed = 300
    for patch in patches:
        try:
            outcome = plant(patch, tree, out, arguments)
            found, seeds, words = outcome.failed, outcome.seeds, outcome.found if outcome.failed else "NOT FOUND"
        except Failed as failure:
            found, seeds, words = False, None, f"FAILED: {failure}"
        results[patch.stem] = {"found": found, "seeds": seeds, "by": words}
        needed = max(needed, seeds or 0) if found else needed
        print(f"{patch.stem:<44} {seeds if found else '-':>12}  {words}", flush=True)

    try:
        unpatched = simulate(build(out, arguments.jobs), arguments.first_seed, needed, until_failure=False)
    except Failed as failure:
        print(f"the unpatched copy: {failure}")
        return 1
    results["unpatched"] = {"found": not unpatched.failed, "seeds": needed, "by": unpatched.found}
    print(f"{'(nothing planted)':<44} {needed:>12}  {'FAILS: ' + unpatched.found if unpatched.failed else 'all pass'}")
    if unpatched.failed:
        print(unpatched.text)
    missed = [name for name, result in results.items() if not result["found"]]
    print(f"{len(patches) - len([name for name in missed if name != 'unpatched'])} of {len(patches)} planted bugs found"
          f" in {time.monotonic() - started:.0f} s; replay: --first-seed={arguments.first_seed}", flush=True)
    if arguments.report:
        arguments.report.write_text(json.dumps(results, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

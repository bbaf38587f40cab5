#!/usr/bin/env python3
"""Puts the bench's loads on a binary that counts what runs, and merges the counts into a profile for the optimiser.

Needs a build with WEIR_PROFILE=generate and WEIR_BENCH (./dev profile makes one).
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from runner import processes, rows, servers  # noqa: E402
from runner.load import Load  # noqa: E402

STREAM_MODEL = "bench-200x1ms"


def train(server, build, directory, counts):
    directory.mkdir()
    cores = processes.Cores()
    load = Load(build / "weir-load", cores.load)
    upstream = servers.Upstream(directory / "upstream", cores.upstream, build / "weir-mock-upstream")
    weir = server(directory / "weir", cores.proxy, f"{build / 'weir'} serve --config FILE", upstream, ["bench", STREAM_MODEL])
    faults = 0
    try:
        upstream.start()
        os.environ["LLVM_PROFILE_FILE"] = str(counts)
        weir.start()
        os.environ["LLVM_PROFILE_FILE"] = os.devnull  # the load generator was built alike, and is not what is optimised
        for url, options in (
            (weir.chat_url(), ("--connections", 16, "--requests", 20_000)),
            (weir.chat_url(), ("--connections", 16, "--requests", 1_000, "--body-bytes", 100_000)),
            (weir.stream_url(), ("--connections", 50, "--requests", 100, "--stream", "--model", STREAM_MODEL)),
        ):
            faults += load.run(url, *options, *rows.WITH_KEY)["errors"]
    finally:
        load.stop()
        weir.stop()  # in order: it writes its counts when it ends
        upstream.stop()
    if faults:
        sys.exit(f"{faults} replies were wrong: no profile is taken from such a run")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="where the counting binary is")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the profile to write")
    chosen = parser.parse_args()
    servers.allow_many_descriptors()
    with tempfile.TemporaryDirectory() as directory:
        counts = []
        for server in (servers.Weir, servers.FullWeir):  # without and with keys, limits and the ledger
            os.environ["LLVM_PROFILE_FILE"] = os.devnull
            counts.append(pathlib.Path(directory) / f"{server.__name__}.profraw")
            train(server, chosen.build, pathlib.Path(directory) / server.__name__, counts[-1])
        subprocess.run(["llvm-profdata-19", "merge", "-sparse", "-o", str(chosen.out), *map(str, counts)], check=True)
    print(f"{chosen.out}: {chosen.out.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()

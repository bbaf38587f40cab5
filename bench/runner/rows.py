"""What is measured, one function per row. A row is run for each server in turn, in each round.

Each returns a flat dictionary of numbers; `faults` counts replies that were wrong, `steps` those near 40 ms out of `stepped`.
"""
import statistics
import time

from runner import servers

STREAMS = 50
INTERVAL_MS = 20
HELD = 2000
HELD_MANY = 5000


class Sizes:
    """How much each row does: enough for a steady number, or just enough to see that all works."""

    def __init__(self, quick):
        # A row is cut into slices that take turns among the servers: what disturbs the machine for a second or two then meets
        # all of them, and the median over the slices forgets it.
        self.slices = {"a": 3, "b": 3, "c": 2, "sse": 1, "single": 3, "single_large": 2, "fixed": 2, "tls": 3,
                       "full": 3, "full_fixed": 2, "models": 2, "refusal": 2} if quick else \
            {"a": 10, "b": 6, "c": 4, "sse": 4, "single": 8, "single_large": 4, "fixed": 6, "tls": 6,
             "full": 10, "full_fixed": 6, "models": 4, "refusal": 4}
        self.small = 5_000 if quick else 10_000
        self.large = 800 if quick else 2_000
        self.huge = 80 if quick else 200
        self.events = 75
        self.single = 500 if quick else 1_000
        self.fixed_seconds = 0.7 if quick else 1.0
        self.rest_seconds = 2 if quick else 10
        self.starts = 3 if quick else 10

    def stream_model(self):
        return f"bench-{self.events}x{INTERVAL_MS}ms"

    def models(self):
        """Every model name that a row uses, for the gateways, which must know them."""
        return ["bench", self.stream_model(), HELD_MODEL]


# What a server does for calls after it has answered them is a part of their cost: weir carries records to its store four times a
# second. Both servers wait as long; waiting costs nothing.
SETTLE_SECONDS = 0.4

WITH_KEY = ("--header", f"Authorization: Bearer {servers.KEY}")  # to all servers alike: the same bytes
WITH_UNKNOWN_KEY = ("--header", f"Authorization: Bearer {servers.UNKNOWN_KEY}")

HELD_MODEL = "bench-1000000x1000ms"  # one event per second and stream: alive, but not busy


class Bench:
    def __init__(self, load, upstream, sizes):
        self.load = load
        self.upstream = upstream
        self.sizes = sizes

    def measured(self, server, url, *options):
        """A run of the load generator, with the CPU time of the server's and the upstream's process trees."""
        before = server.cpu_ns(), self.upstream.cpu_ns()
        report = self.load.run(url, *options)
        time.sleep(SETTLE_SECONDS)
        after = server.cpu_ns(), self.upstream.cpu_ns()
        report["cpu_ns"] = after[0] - before[0]
        report["upstream_cpu_ns"] = after[1] - before[1]
        return report

    def warm(self, server, *key):
        self.load.run(server.chat_url(), "--connections", 16, "--requests", 2000, *key)
        self.load.run(server.stream_url(), "--connections", 8, "--requests", 8, "--stream", "--model", "bench", *key)

    def small(self, server, *key):
        """1 KB in, 0.7 KB out, 16 callers one request after the other."""
        report = self.measured(server, server.chat_url(), "--connections", 16, "--requests", self.sizes.small, *key)
        return per_request(report)

    def models(self, server):
        """The list of models, which the server answers by itself."""
        report = self.measured(server, server.models_url(), "--connections", 16, "--requests", self.sizes.small,
                               "--method", "GET", *WITH_KEY)
        return per_request(report)

    def refusal(self, server):
        """As (a), with a key that nobody knows."""
        report = self.measured(server, server.refused_url(), "--connections", 16, "--requests", self.sizes.small,
                               "--expect-status", 401, *WITH_UNKNOWN_KEY)
        return per_request(report)

    def large(self, server):
        """The same with 100 KB in."""
        report = self.measured(server, server.chat_url(), "--connections", 16, "--requests", self.sizes.large,
                               "--body-bytes", 100_000)
        return per_request(report)

    def huge(self, server):
        """The same with 1 MB in, 4 callers."""
        report = self.measured(server, server.chat_url(), "--connections", 4, "--requests", self.sizes.huge,
                               "--body-bytes", 1_000_000)
        return per_request(report)

    def stream(self, server):
        """50 streams, each with an event every 20 ms, their phases spread evenly."""
        report = self.measured(server, server.stream_url(), "--stream", "--connections", STREAMS, "--requests", STREAMS,
                               "--model", self.sizes.stream_model(), "--expect-events", self.sizes.events,
                               "--spread-ms", INTERVAL_MS)
        transit = report["event_transit_us"]
        events = max(report["events"], 1)
        return {
            "cpu_us_per_event": report["cpu_ns"] / 1000 / events,
            "floor_us_per_event": (report["load_cpu_ns"] + report["upstream_cpu_ns"]) / 1000 / events,
            "transit_p50_us": transit["p50"],
            "transit_p99_us": transit["p99"],
            "first_event_p50_us": report["first_event_us"]["p50"],
            "shared_reads_per_stream": report["shared_reads"] / STREAMS,
            "steps": transit["steps_40ms"],
            "stepped": transit["count"],
            "faults": report["errors"],
        }

    def single(self, server):
        """One connection, one request after the other."""
        return latency(self.measured(server, server.chat_url(), "--connections", 1, "--requests", self.sizes.single))

    def single_large(self, server):
        """The same with 1 MB in."""
        return latency(self.measured(server, server.chat_url(), "--connections", 1, "--requests", self.sizes.huge,
                                     "--body-bytes", 1_000_000))

    def fixed(self, server, rate, *key):
        """An open loop at a fixed rate; latency counts from when each request was due."""
        report = self.measured(server, server.chat_url(), "--connections", 64, "--rate", f"{rate:.0f}",
                               "--seconds", self.sizes.fixed_seconds, *key)
        return latency(report) | {"rate": rate, "late_p99_us": report["late_us"]["p99"]}

    def held(self, server, streams):
        """So many open streams on a server that has just been started."""
        self.load.run(server.stream_url(), "--connections", 4, "--requests", 20, "--stream", "--model", "bench")
        before = server.rss_kib()
        holding = self.load.hold(server.stream_url(), streams, HELD_MODEL)
        time.sleep(1.2)  # each stream's next event passes
        during = server.rss_kib()
        report = self.load.release(holding)
        return {"kib_per_stream": (during - before) / streams, "rss_mib": during / 1024, "faults": report["errors"]}

    def work(self, server):
        """Some of everything, for the memory row."""
        faults = 0
        for options in (
            ("--connections", 64, "--requests", 4 * self.sizes.small),
            ("--connections", 64, "--requests", 4 * self.sizes.large, "--body-bytes", 100_000),
        ):
            faults += self.load.run(server.chat_url(), *options)["errors"]
        faults += self.load.run(server.stream_url(), "--connections", 200, "--requests", 200, "--stream", "--model",
                                self.sizes.stream_model())["errors"]
        return faults


def per_request(report):
    requests = max(report["complete"], 1)
    return {
        "cpu_us": report["cpu_ns"] / 1000 / requests,
        "floor_us": (report["load_cpu_ns"] + report["upstream_cpu_ns"]) / 1000 / requests,
        "requests_per_s": report["requests_per_s"],
        "load_core_busy": (report["load_cpu_ns"] + report["upstream_cpu_ns"]) / 1e9 / max(report["duration_s"], 1e-9),
        "p50_us": report["latency_us"]["p50"],
        "p99_us": report["latency_us"]["p99"],
        "faults": report["errors"],
    }


def latency(report):
    seen = report["latency_us"]
    return {
        "cpu_us": report["cpu_ns"] / 1000 / max(report["complete"], 1),
        "p50_us": seen["p50"],
        "p99_us": seen["p99"],
        "p999_us": seen["p999"],
        "requests_per_s": report["requests_per_s"],
        "steps": seen["steps_40ms"],
        "stepped": seen["count"],
        "faults": report["errors"],
    }


SUMMED = {"faults", "steps", "stepped"}


def combined(slices):
    """One row from its slices: medians, and sums of what is counted."""
    return {key: sum(one[key] for one in slices) if key in SUMMED else statistics.median(one[key] for one in slices)
            for key in slices[0]}

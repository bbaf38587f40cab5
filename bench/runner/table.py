"""From the numbers of all rounds to a table, the gates and the page in docs/."""
import statistics

BEGIN = "<!-- bench:begin (written by bench/run.py --write-docs) -->"
END = "<!-- bench:end -->"


class Line:
    """One line of the table: a number per server and round, and weir's ratio to nginx where that means something."""

    def __init__(self, key, title, row, field, unit, digits=1, gate=None, gate_on="ratio", added=False):
        self.key, self.title, self.row, self.field, self.unit, self.digits = key, title, row, field, unit, digits
        self.gate, self.gate_on = gate, gate_on  # an upper limit for the median ratio, or for weir's own median
        self.added = added  # what the server adds to the same request without a proxy

    def values(self, rounds, server):
        found = []
        for one in rounds:
            value = one.get(self.row, {}).get(server, {}).get(self.field)
            direct = one.get(self.row, {}).get("direct", {}).get(self.field)
            if value is not None and (not self.added or direct is not None):
                found.append(value - direct if self.added else value)
        return found

    def ratios(self, rounds):
        pairs = zip(self.values(rounds, "weir"), self.values(rounds, "nginx"))
        return [weir / nginx for weir, nginx in pairs if nginx > 0] if self.unit != "ms" else []


LINES = [
    Line("a", "(a) 1 KB chat, CPU per request", "a", "cpu_us", "µs", gate=1.0),
    Line("b", "(b) 100 KB chat, CPU per request", "b", "cpu_us", "µs", gate=1.3),
    Line("c", "(c) 1 MB chat, CPU per request", "c", "cpu_us", "µs", 0),
    Line("sse", "SSE, CPU per event, 50 streams", "sse", "cpu_us_per_event", "µs", gate=1.1),
    Line("sse_p50", "SSE, added transit per event, p50", "sse", "transit_p50_us", "µs", 0, added=True),
    Line("sse_p99", "SSE, added transit per event, p99", "sse", "transit_p99_us", "µs", 0, added=True),
    Line("single_p50", "added latency, one connection, p50", "single", "p50_us", "µs", 0, gate=1.1, added=True),
    Line("single_p99", "added latency, one connection, p99", "single", "p99_us", "µs", 0, gate=1.5, added=True),
    Line("single_large", "added latency, one connection, 1 MB, p50", "single_large", "p50_us", "µs", 0, gate=3000, gate_on="value",
         added=True),
    Line("fixed_p50", "added latency, half load, p50", "fixed", "p50_us", "µs", 0, gate=1.1, added=True),
    Line("fixed_p99", "added latency, half load, p99", "fixed", "p99_us", "µs", 0, gate=1.5, added=True),
    Line("fixed_p999", "added latency, half load, p99.9", "fixed", "p999_us", "µs", 0, added=True),
    Line("fixed_cpu", "(a) at half load, CPU per request", "fixed", "cpu_us", "µs"),
    Line("tls", "(a) over TLS towards the client, CPU per request", "tls", "cpu_us", "µs"),
    Line("full", "(a) with keys, limits, ledger, CPU per request", "full", "cpu_us", "µs", gate=1.0),
    Line("full_p999", "added latency p99.9 with the journal's sync thread, half load", "full_fixed", "p999_us", "µs", 0, added=True),
    Line("full_models", "/v1/models with a key, CPU per request", "models", "cpu_us", "µs"),
    Line("full_refusal", "a refusal (401), CPU per request", "refusal", "cpu_us", "µs"),
    Line("held", "memory per open stream, 2,000 streams", "held", "kib_per_stream", "KiB", gate=20, gate_on="value"),
    Line("held_many", "memory per open stream, 5,000 streams", "held_many", "kib_per_stream", "KiB", gate=20, gate_on="value"),
    Line("held_tls", "memory per open TLS stream, 2,000 streams", "held_tls", "kib_per_stream", "KiB", gate=60, gate_on="value"),
    Line("rss_idle", "RSS idle", "memory", "idle_mib", "MiB", gate=16, gate_on="value"),
    Line("full_rss_idle", "RSS idle, with keys, limits, ledger", "full_memory", "idle_mib", "MiB", gate=16, gate_on="value"),
    Line("rss_loaded", "RSS after load", "memory", "loaded_mib", "MiB"),
    Line("rss_rested", "RSS 10 s later", "memory", "rested_mib", "MiB"),
    Line("ready", "exec to ready", "ready", "ready_ms", "ms", gate=100, gate_on="value"),
    Line("full_ready", "exec to ready, with keys, limits, ledger", "full_ready", "ready_ms", "ms", gate=100, gate_on="value"),
    Line("a_rate", "(a) requests per second (more is better)", "a", "requests_per_s", "", 0),
]
STEP_SHARE_MAX = 0.001  # of all replies and events; a delayed acknowledgement would hit far more


def spread(values, digits):
    if not values:
        return "–"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def verdict(line, rounds):
    """('pass' | 'miss' | '', the limit in words)"""
    if line.gate is None:
        return "", ""
    values = line.ratios(rounds) if line.gate_on == "ratio" else line.values(rounds, "weir")
    limit = f"≤ {line.gate:g}" + (" × nginx" if line.gate_on == "ratio" else f" {line.unit}")
    if not values:
        return "", limit
    return ("pass" if statistics.median(values) <= line.gate else "miss"), limit


def share_of_steps(rounds, server):
    """(replies and events near 40 ms, all of them)"""
    steps = total = 0
    for one in rounds:
        for row in one.values():
            steps += row.get(server, {}).get("steps", 0)
            total += row.get(server, {}).get("stepped", 0)
    return steps, total


def faults_of(rounds, server):
    return sum(row.get(server, {}).get("faults", 0) for one in rounds for row in one.values())


def summary(rounds, servers):
    """What the JSON file holds beside the rounds themselves."""
    lines = {}
    for line in LINES:
        entry = {"title": line.title, "unit": line.unit, "servers": {}}
        for server in servers:
            values = line.values(rounds, server)
            if values:
                entry["servers"][server] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
        ratios = line.ratios(rounds)
        if ratios:
            entry["ratio_to_nginx"] = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios),
                                       "rounds": ratios}
        result, limit = verdict(line, rounds)
        if limit:
            entry["gate"] = {"limit": limit, "result": result or "not measured"}
        if entry["servers"]:
            lines[line.key] = entry
    steps = {}
    for server in servers:
        near, total = share_of_steps(rounds, server)
        if total:
            steps[server] = {"near_40ms": near, "of": total, "share": near / total}
    if "weir" in steps:
        steps["gate"] = {"limit": f"≤ {STEP_SHARE_MAX:.1%} of replies and events",
                         "result": "pass" if steps["weir"]["share"] <= STEP_SHARE_MAX else "miss"}
    return {"lines": lines, "steps_40ms": steps, "faults": {server: faults_of(rounds, server) for server in servers}}


def markdown(rounds, servers, machine):
    shown = [server for server in servers if server != "direct"]
    head = ["", *shown] + (["weir ÷ nginx", "gate", ""] if "weir" in shown else [])
    table = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for line in LINES:
        cells = {server: line.values(rounds, server) for server in shown}
        if not any(cells.values()):
            continue
        title = f"{line.title}, {line.unit}" if line.unit else line.title
        row = [title] + [spread(cells[server], line.digits) for server in shown]
        if "weir" in shown:
            result, limit = verdict(line, rounds)
            row += [spread(line.ratios(rounds), 2), limit, f"**{result}**" if result == "miss" else result]
        table.append("| " + " | ".join(row) + " |")
    steps = []
    for server in shown:
        near, total = share_of_steps(rounds, server)
        steps.append(f"{near} of {total:,}" if total else "–")
    if "weir" in shown:
        near, total = share_of_steps(rounds, "weir")
        result = "" if not total else "pass" if near <= total * STEP_SHARE_MAX else "**miss**"
        steps += ["", f"≤ {STEP_SHARE_MAX:.1%}", result]
    table.append("| " + " | ".join(["replies and events near a 40 ms step", *steps]) + " |")
    faults = [f"{faults_of(rounds, server):,}" for server in shown]
    if "weir" in shown:
        faults += ["", "0", "pass" if faults_of(rounds, "weir") == 0 else "**miss**"]
    table.append("| " + " | ".join(["wrong replies", *faults]) + " |")

    about = (f"{machine['rounds']} rounds, {machine['cores']} × {machine['cpu']}, Linux {machine['kernel']}, nginx "
             f"{machine['nginx']}, {machine['date']}. Median of the rounds (smallest–largest); ratios are taken within each round.")
    notes = [about]
    if machine["warnings"]:
        notes += [""] + [f"- {warning}" for warning in machine["warnings"]]
    floor = floor_lines(rounds)
    return "\n".join(notes + ["", *table] + floor) + "\n"


def floor_lines(rounds):
    """What the load generator and the upstream cost without any proxy: how far the bench itself can see."""
    found = []
    for row, field, title in (("a", "floor_us", "1 KB chat"), ("b", "floor_us", "100 KB chat"),
                              ("sse", "floor_us_per_event", "SSE event")):
        values = [one[row]["direct"][field] for one in rounds if "direct" in one.get(row, {})]
        if values:
            found.append(f"{title} {spread(values, 1)} µs")
    values = [one["single"]["direct"]["p50_us"] for one in rounds if "direct" in one.get("single", {})]
    if values:
        found.append(f"p50 at one connection {spread(values, 0)} µs")
    return ["", "Without a proxy, load generator and upstream together: " + "; ".join(found) + "."] if found else []


def written_into(page, text):
    """`page` with the part between the marks replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return before + begin + "\n" + text + end + after

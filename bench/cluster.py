"""Stopwatches for diag-aggregatord, over a fleet of made-up nodes: called by bench/run.

DIAG_BENCH_NODES="100 1000 10000" says how large the fleets are (the last one counts where there is one),
DIAG_BENCH_MINUTES how long the soak takes (2), DIAG_BENCH_SECONDS how long idle is watched (60),
DIAG_BENCH_TLS="no yes" whether plainly, over TLS, or both.
"""
import concurrent.futures
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cluster_bed import (MASTERS, PROGRAMS, PUBLIC, V1, V2, Aggregator, Bed, Cpu, Fleet, cpu_seconds, forget_peak,
                         mebibytes, memory, set_up_network, until, wakeups)

SIZES = [int(n) for n in os.environ.get("DIAG_BENCH_NODES", "100 1000 10000").split()]
LARGEST = SIZES[-1]
MINUTES = float(os.environ.get("DIAG_BENCH_MINUTES", "2"))
SECONDS = int(os.environ.get("DIAG_BENCH_SECONDS", "60"))
WAYS = [word == "yes" for word in os.environ.get("DIAG_BENCH_TLS", "no yes").split()]
CHANGES, CHURN, SERVED, READ_SECONDS = 200, 50, 1000, 5
AGENTD_GONE, MACHINE_GONE, FROZEN_MASTER, FROZEN_AGENT = 15, 15, 8, 33      # seconds: the goals
# Those that misbehave while others are measured; and what else takes them off the network.
WAYS_TO_LIE = ("flood", "redirect", "garbage", "empty", "stale", "hot", "half", "impostor")
random.seed(4)


def title(text, tls=None):
    load = Path("/proc/loadavg").read_text().split()[0]
    way = "" if tls is None else ", TLS" if tls else ", plain"
    print(f"\n== {text}{way}   (load {load})", flush=True)


def spread(title_of_row, seconds, goal=None):
    ordered = sorted(seconds)
    if not ordered:
        print(f"{title_of_row:<44} none")
        return
    at = [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0, 0.5, 0.9, 0.99, 1)]
    p = [f"{s * 1e3:.0f} ms" if s < 10 else f"{s:.1f} s" for s in at]
    print(f"{title_of_row:<44} n {len(ordered):<4} min {p[0]}  p50 {p[1]}  p90 {p[2]}  p99 {p[3]}  max {p[4]}"
          + (f"   (goal: {goal})" if goal else ""), flush=True)


# --- rounds ------------------------------------------------------------------------------------------

def cold_round(fleet, aggregator, wanted):
    """Until so many nodes are known: wall and CPU time since the start, and when the last one had answered."""
    until(lambda: fleet.stats()["served"] >= wanted, 120)    # the aggregator is not asked meanwhile: that would count
    known = until(lambda: aggregator.known() >= wanted, 60, 0.02)
    took, cpu = time.monotonic() - aggregator.started, cpu_seconds(aggregator.pid)
    answered = fleet.stats()["served_nsec"] / 1e9 - aggregator.started
    if not known:
        print(f"only {aggregator.known()} of {wanted} known")
    return took, cpu, answered


def warm_round(fleet, aggregator):
    """One that is asked for. The requests of it are counted, to see that there was one."""
    before = fleet.stats()["requests"]
    with Cpu(aggregator.pid) as cpu:
        code, _, body = aggregator.api.get(f"{V1}/nodes?cache=0")
    if code != 200:
        print(f"?cache: {code} {body[:100]!r}")
    return cpu, fleet.stats()["requests"] - before


def one_size(count, tls):
    with tempfile.TemporaryDirectory(prefix="diag-cluster-") as name, Fleet(Path(name), count, tls) as fleet:
        print(f"{count} nodes:", flush=True)
        fleet.floor()
        fleet.say("mark")
        with Aggregator(fleet) as aggregator:
            took, cpu, answered = cold_round(fleet, aggregator, count)
            print(f"  aggregator, cold: {took:6.2f} s until all are known (the last body was sent after {answered:.2f} s),"
                  f" {cpu:6.2f} s CPU: {cpu / count * 1e6:.0f} µs a node; {memory(aggregator.pid)}")
            aggregator.warm_up()
            for _ in range(3):
                time.sleep(2)
                warm, requests = warm_round(fleet, aggregator)
                print(f"  aggregator, warm: {warm.took:6.2f} s, {warm.seconds:6.2f} s CPU: "
                      f"{warm.seconds / count * 1e6:.0f} µs a node ({requests} requests); {memory(aggregator.pid)}",
                      flush=True)


def with_black_holes(count, tls):
    """Every tenth node, but no master, swallows all that is sent to it."""
    with tempfile.TemporaryDirectory(prefix="diag-cluster-") as name, Fleet(Path(name), count, tls) as fleet:
        holes = range(MASTERS, count, 10)
        fleet.vanish(*holes)
        fleet.say("mark")
        with Aggregator(fleet) as aggregator:
            took, cpu, answered = cold_round(fleet, aggregator, count - len(holes))
            print(f"{count} nodes, {len(holes)} of them black holes: {took:.2f} s until all others are known "
                  f"(the last body was sent after {answered:.2f} s), {cpu:.2f} s CPU")
            time.sleep(20)
            warm, requests = warm_round(fleet, aggregator)
            print(f"  warm, asked for: {warm.took:.2f} s, {warm.seconds:.2f} s CPU ({requests} requests)")
            with Cpu(aggregator.pid) as cpu:
                time.sleep(min(SECONDS, 30))
            print(f"  then, with nothing to do: {cpu.percent:.2f} % of a core; {memory(aggregator.pid)}", flush=True)


def cluster_round():
    for tls in WAYS:
        title("a round over the fleet, beside the least that it can cost", tls)
        for count in SIZES:
            one_size(count, tls)
        title("the same with every tenth node a black hole", tls)
        with_black_holes(LARGEST, tls)


# --- idle --------------------------------------------------------------------------------------------

def cluster_idle():
    for tls in WAYS:
        title(f"{SECONDS} s with nothing to do", tls)
        for count in SIZES:
            with Bed(count, tls) as (fleet, aggregator):
                time.sleep(10)
                before = fleet.stats()
                slept = wakeups(aggregator.pid)
                with Cpu(aggregator.pid) as cpu, Cpu(fleet.pid) as of_fleet:
                    time.sleep(SECONDS)
                after = fleet.stats()
                woken = wakeups(aggregator.pid) - slept
                print(f"{count:6} nodes: {cpu.percent:.2f} % of a core, {woken / SECONDS:.0f} wake-ups/s; "
                      f"{(after['requests'] - before['requests']) / SECONDS:.0f} requests/s, "
                      f"{after['accepted'] - before['accepted']} new connections, {after['parked']} parked; "
                      f"{memory(aggregator.pid)}; the fleet {of_fleet.percent:.2f} %", flush=True)


# --- change to view ----------------------------------------------------------------------------------

def row(fleet, i):
    return f"{V2}/nodes/{fleet.address(i)}"


def is_health(word):
    return lambda view: view["health"] == word


def time_change(watcher, target, change, word, patience=10):
    """From the change in the fleet to the answer that shows it, which is being waited for already."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        seen = pool.submit(watcher.watch, target, is_health(word), time.monotonic() + patience)
        time.sleep(0.02 + random.random() * 0.08)      # it waits by now, and at no special moment of anybody's clock
        happened = change()
        came = seen.result()
    return came - happened if came else None


def time_changes(fleet, aggregator, nodes, target_of, words):
    """Each of these nodes fails, and is well again."""
    watcher, took, missed = aggregator.connect(), [], 0
    for i in nodes:
        unit = random.randrange(30)
        for change, word in zip((("fail", i, unit), ("heal", i)), words):
            seconds = time_change(watcher, target_of(i), lambda c=change: fleet.say(*c), word)
            if seconds is None:
                missed += 1
            else:
                took.append(seconds)
    if missed:
        print(f"NOT seen within 10 s: {missed}")
    return took


def latency(fleet, aggregator):
    agents = random.sample(range(MASTERS, fleet.count // 2), min(CHANGES // 2, fleet.count // 2 - MASTERS))
    words = "unhealthy", "healthy"
    spread("unit of an agent → /v2/nodes/ADDRESS",
           time_changes(fleet, aggregator, agents, lambda i: row(fleet, i), words), "p99 < 1 s")
    masters = [i % MASTERS for i in range(CHANGES // 10)]
    spread("unit of a master → /v2/cluster",
           time_changes(fleet, aggregator, masters, lambda i: V2 + "/cluster", words), "p99 < 1 s")
    fleet.say("churn", CHURN, f"{fleet.count // 2}-{fleet.count - 1}")
    with Cpu(aggregator.pid) as cpu:
        spread(f"agent → /v2/nodes/…, {CHURN} other changes/s",
               time_changes(fleet, aggregator, agents, lambda i: row(fleet, i), words), "p99 < 1 s")
    fleet.say("churn", 0, "all")
    print(f"  in this time: {cpu.percent:.1f} % of a core; {memory(aggregator.pid)}", flush=True)


def time_losses(fleet, aggregator, lose, nodes, patience):
    """Until a row says that nothing is known of the node any more: all of these at once, each by itself."""
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        deadline = time.monotonic() + patience
        seen = [pool.submit(aggregator.connect().watch, row(fleet, i), is_health("unknown"), deadline) for i in nodes]
        time.sleep(0.3)
        happened = lose(*nodes)
        came = [s.result() for s in seen]
    fleet.revive(*nodes)
    if None in came:
        print(f"NOT marked within {patience} s: {came.count(None)}")
    return [c - h for c, h in zip(came, happened) if c]


def back_again(fleet, aggregator, nodes):
    began = time.monotonic()
    watcher = aggregator.connect()
    came = [watcher.watch(row(fleet, i), is_health("healthy"), began + 60) for i in nodes]
    spread("  … back → healthy", [c - began for c in came if c])


def losses(fleet, aggregator):
    agents = list(range(MASTERS, MASTERS + 8))
    cases = (
        ("agentd of an agent gone", fleet.kill, agents, AGENTD_GONE),
        ("agentd of a master gone", fleet.kill, [1], AGENTD_GONE),
        ("machine of an agent gone", fleet.vanish, agents, MACHINE_GONE),
        ("machine of a master gone", fleet.vanish, [1], MACHINE_GONE),
        ("agent frozen", fleet.freeze, agents, FROZEN_AGENT),
        ("master frozen", fleet.freeze, [1], FROZEN_MASTER),
    )
    for what, lose, nodes, goal in cases:
        spread(f"{what} → unknown", time_losses(fleet, aggregator, lose, nodes, goal + 30), f"{goal} s")
        back_again(fleet, aggregator, nodes)


def cluster_latency():
    for tls in WAYS:
        with Bed(LARGEST, tls) as (fleet, aggregator):
            title(f"{CHANGES} changes of {LARGEST} nodes, as seen by a request that waits", tls)
            latency(fleet, aggregator)
            title(f"nodes of {LARGEST} that are lost, as seen by a request that waits", tls)
            losses(fleet, aggregator)


# --- serving -----------------------------------------------------------------------------------------

def peak_while(pid, run):
    forget_peak(pid)
    before = mebibytes(pid)
    run()
    print(f"  memory: RssAnon {before:.1f} MiB before, {mebibytes(pid):.1f} after; VmRSS at most {mebibytes(pid, 'VmHWM'):.1f}",
          flush=True)


def read_much(fleet, aggregator, target, readers, *options):
    more = ["--tls", fleet.directory] if fleet.tls else []
    sys.stdout.flush()
    words = (aggregator.listens, 1050, target, readers, READ_SECONDS, aggregator.pid, *options, *more)
    result = subprocess.run([PROGRAMS / "cluster_load", *map(str, words)], timeout=READ_SECONDS + 60, check=False)
    if result.returncode:
        print(f"{target}: cluster_load failed")


def by_wrk(aggregator, target):
    """A second opinion, from a client that is not ours."""
    url = f"http://{aggregator.listens}:1050{target}"
    text = subprocess.run(["wrk", "-t1", "-c32", f"-d{READ_SECONDS}", "--latency", url],
                          capture_output=True, text=True, check=True).stdout
    print(f"  wrk: {target}: " + "; ".join(re.sub(r"\s+", " ", line).strip() for line in text.splitlines()
                                          if re.search(r"50%|99%|Requests/sec|Socket errors|Non-2xx", line)), flush=True)


def serve(fleet, aggregator):
    for target in f"{V1}/nodes", f"{V1}/units", f"{V1}/report", f"{V2}/cluster", f"{V2}/nodes":
        for readers in 1, 32:
            for options in [], ["--gzip"]:
                peak_while(aggregator.pid, lambda r=readers, o=options: read_much(fleet, aggregator, target, r, *o))
    if not fleet.tls:
        for target in f"{V1}/nodes", f"{V1}/units":
            by_wrk(aggregator, target)
    print(f"after 10 s of quiet: {time.sleep(10) or memory(aggregator.pid)}")


def serve_while_it_changes(fleet, aggregator):
    """What is made once for each snapshot is made often now."""
    fleet.say("churn", CHURN, f"{MASTERS}-{fleet.count - 1}")
    for target in f"{V1}/nodes", f"{V1}/units", f"{V1}/report":
        peak_while(aggregator.pid, lambda t=target: read_much(fleet, aggregator, t, 32))
    fleet.say("churn", 0, "all")


def cluster_serve():
    count = min(SERVED, LARGEST)
    for tls in WAYS:
        with Bed(count, tls) as (fleet, aggregator):
            title(f"reading from an aggregator of {count} nodes", tls)
            serve(fleet, aggregator)
            title(f"the same with {CHURN} changes a second", tls)
            serve_while_it_changes(fleet, aggregator)


# --- soak --------------------------------------------------------------------------------------------

class Reader(threading.Thread):
    """Somebody who reads everything, again and again."""

    def __init__(self, aggregator):
        super().__init__()
        self._api, self._end, self.n, self.failed = aggregator.connect(), threading.Event(), 0, None

    def run(self):
        try:
            while not self._end.wait(0.5):
                for target in f"{V1}/nodes", f"{V1}/units", f"{V2}/cluster", f"{V2}/nodes?limit=500", f"{V2}/units":
                    self._api.json(target)
                    self.n += 1
        except Exception as e:      # said at the end
            self.failed = e

    def stop(self):
        self._end.set()
        self.join()
        print(f"a reader had {self.n} answers" + (f", and then {self.failed!r}" if self.failed else ""))


def storm(fleet, turn):
    """Some die, vanish, freeze, restart, and come back; other ones each time."""
    first = MASTERS + 200 + turn * 40 % max(40, fleet.count // 2 - 300)
    dead, gone, frozen, again = (range(first + k, first + k + 10) for k in (0, 10, 20, 30))
    fleet.kill(*dead)
    fleet.vanish(*gone)
    fleet.freeze(*frozen)
    for i in again:
        fleet.say("restart", i)
    time.sleep(10)
    fleet.revive(*dead, *gone, *frozen)


def misbehave(fleet):
    """Ten nodes for each way to lie, for as long as the soak lasts."""
    for k, way in enumerate(WAYS_TO_LIE):
        for i in range(MASTERS + k * 10, MASTERS + k * 10 + 10):
            fleet.say("mode", i, way)


def health_of_all(aggregator):
    found, after = {}, ""
    while after is not None:
        page = aggregator.api.json(f"{V2}/nodes?limit=10000" + (f"&after={after}" if after else ""))
        found.update({item["address"]: item["health"] for item in page["items"]})
        after = page.get("next")
    return found


def soak(fleet, aggregator):
    agents = f"{fleet.count // 2}-{fleet.count - PUBLIC - 1}"
    print(f"before: {memory(aggregator.pid)}")
    misbehave(fleet)
    fleet.say("churn", 2 * CHURN, agents)
    reader = Reader(aggregator)
    reader.start()
    end, turn = time.monotonic() + 60 * MINUTES, 0
    while time.monotonic() < end:
        with Cpu(aggregator.pid) as cpu:
            minute = min(end, time.monotonic() + 60)
            while time.monotonic() < minute:
                storm(fleet, turn)
                turn += 1
        print(f"after {turn} storms: {cpu.percent:.1f} % of a core, {memory(aggregator.pid)}", flush=True)
    reader.stop()
    fleet.say("churn", 0, "all")
    time.sleep(35)
    liars = {fleet.address(i) for i in range(MASTERS, MASTERS + 10 * len(WAYS_TO_LIE))}
    wrong = [f"{a} {h}" for a, h in health_of_all(aggregator).items() if a not in liars and h != "healthy"]
    print(f"after 35 s of quiet, beside {len(liars)} liars: {memory(aggregator.pid)}; wrongly not healthy: "
          f"{len(wrong)} {' '.join(wrong[:5])}")
    shown = [h for a, h in health_of_all(aggregator).items() if a in liars]
    print("what the liars are shown as: " + ", ".join(f"{h} {shown.count(h)}" for h in sorted(set(shown))))
    fleet.revive(*range(MASTERS, MASTERS + 10 * len(WAYS_TO_LIE)))
    time.sleep(40)
    health = list(health_of_all(aggregator).values())
    print(f"40 s after they are honest again: {memory(aggregator.pid)}; healthy {health.count('healthy')} of {fleet.count}")


def cluster_soak():
    for tls in WAYS:
        with Bed(LARGEST, tls) as (fleet, aggregator):
            title(f"{MINUTES:g} minutes of {LARGEST} nodes: {2 * CHURN} changes/s, storms, liars, a reader", tls)
            soak(fleet, aggregator)


BENCHES = {
    "cluster-round": cluster_round,
    "cluster-latency": cluster_latency,
    "cluster-idle": cluster_idle,
    "cluster-serve": cluster_serve,
    "cluster-soak": cluster_soak,
}


def main(wanted):
    set_up_network()
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
    print(f"{os.cpu_count()} cores, {model[1] if model else 'unknown model'}, Linux {os.uname().release}")
    for name in wanted:
        BENCHES[name]()


main(sys.argv[1:])

"""Bundles on real systemd nodes: called by bench/run.

    bundle_node.py bundle-journal|bundle-answers...

DIAG_BENCH_ENTRIES says how many entries the journal gets (300000), DIAG_BENCH_SECONDS how long is asked (20), and
DIAG_BENCH_ROUNDS how often all is done in turn (3): others who use the machine only make a round slower.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

from gather import log
from meters import PROGRAMS, TESTNODE, Node, eventually, title

# Not that of bench/: meters has put tests/e2e in front.
from cluster import AGENTD_SOCKET, AGGREGATORD_SOCKET, Cluster

ENTRIES = int(os.environ.get("DIAG_BENCH_ENTRIES", "300000"))
SECONDS = int(os.environ.get("DIAG_BENCH_SECONDS", "20"))
ROUNDS = int(os.environ.get("DIAG_BENCH_ROUNDS", "3"))
GAP_MSEC, PATIENCE = 5, 600
COLLECT = "/usr/libexec/diag/diag-collect"
V1, V2 = "/system/health/v1", "/system/health/v2"
UNIT = "bench-journal.service"
CONF = "[Collect]\nAllowUnredacted=yes\nMaxBytes=2G\nSourceMaxBytes=1G\n"


def timed(node, *words):
    """Wall and CPU seconds of a program and all whom it waited for, as bash has them."""
    done = node.exec("bash", "-c", 'TIMEFORMAT="%R %U %S"; time "$@"', "-", *words, timeout=PATIENCE, check=False)
    wall, user, system = map(float, done.stderr.strip().splitlines()[-1].split())
    assert done.returncode in (0, 4), done      # of the whole node, something is always missing
    return wall, user + system


def journal():
    plan = json.dumps({"Journals": [{"Unit": UNIT, "MaxBytes": "1G", "Timeout": "10m"}]})
    files = {"diag/collect.conf": CONF, "diag/bundle.d/bench.json": plan,
             "systemd/journald.conf.d/bench.conf": "[Journal]\nRateLimitIntervalSec=0\nSystemMaxUse=4G\nRuntimeMaxUse=4G\n"}
    units = {UNIT: f"[Service]\nType=oneshot\nExecStart={PROGRAMS}journal fill {ENTRIES}\n"}
    with Node("bench", units=units, files=files) as node:
        node.systemctl("start", UNIT, timeout=PATIENCE)
        node.exec("journalctl", "--sync")
        n = int(node.exec("bash", "-c", f"journalctl -u {UNIT} -o cat | wc -l", timeout=PATIENCE).stdout)
        title(f"{n} entries of a journal; the least of {ROUNDS} rounds that take turns")
        local = [COLLECT, "--local", "--only", "journal", "--role", "agent", "--address", "10.0.0.1", "--quiet",
                 "--output", "/run/bench.tar.zst"]
        ways = {
            "diag-collect --local, redaction off": [*local, "--no-redact"],
            "diag-collect --local, redaction on": local,
            "journalctl -o cat": ["bash", "-c", 'journalctl -o cat -u "$1" >/dev/null', "-", UNIT],
            "journalctl -o short": ["bash", "-c", 'journalctl -u "$1" >/dev/null', "-", UNIT],
        }
        runs = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, words in ways.items():
                runs[name].append(timed(node, *words))
        found = node.exec("bash", "-c", f"zstd -dcq /run/bench.tar.zst | tar -xO 10.0.0.1_agent/{UNIT} | wc -l").stdout
        assert int(found) == n, (found, n)
        for name, times in runs.items():
            wall, cpu = map(min, zip(*times))
            print(f"{name:<38} {wall:6.2f} s {n / wall:8.0f}/s   CPU of all its processes {cpu:6.2f} s {n / cpu:8.0f}/s",
                  flush=True)
        title("the same, without a collector around it")
        sys.stdout.flush()
        subprocess.run([TESTNODE, "exec", node.name, PROGRAMS + "journal", "read", UNIT], env=node.bed.env, check=True,
                       timeout=PATIENCE)


# --- answers meanwhile -------------------------------------------------------------------------------

class Bundles(threading.Thread):
    """One after the other, for as long as somebody asks."""

    def __init__(self, master):
        super().__init__()
        self.master, self.over, self.took, self.failed = master, threading.Event(), [], None

    def make(self):
        began = time.monotonic()
        answer = self.master.request("POST", V2 + "/bundles", {"Content-Type": "application/json"},
                                     json.dumps({"nodes": ["all"], "kinds": ["file"]}).encode(), timeout=30)
        assert answer.status == 201, answer
        name = answer.json()["id"]
        said = eventually(lambda: (b := self.master.get(f"{V2}/bundles/{name}", timeout=30).json())["finished"] and b,
                          PATIENCE, every=0.2)
        self.took.append((time.monotonic() - began, said["size_bytes"], said["state"], said["partial"]))
        self.master.request("DELETE", f"{V2}/bundles/{name}", timeout=30)

    def run(self):
        try:
            while not self.over.is_set():
                self.make()
        except Exception as e:      # said at the end
            self.failed = e

    def __enter__(self):
        self.start()
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        sizes = ", ".join(f"{t:.1f} s for {n / 2**20:.0f} MiB ({state}{', partial' if part else ''})"
                          for t, n, state, part in self.took)
        print(f"  bundles meanwhile: {sizes}" + (f"; then {self.failed!r}" if self.failed else ""), flush=True)


def visit(node, socket, target):
    """p50 and p99 in milliseconds; the line itself is printed."""
    done = subprocess.run([TESTNODE, "exec", node.name, PROGRAMS + "visit", f"unix:{socket}", target, str(SECONDS),
                           str(GAP_MSEC), "kept"], env=node.bed.env, check=True, timeout=SECONDS + 60,
                          capture_output=True, text=True).stdout
    print("  " + done.splitlines()[0], flush=True)
    return float(re.search(r"p50\s+([\d.]+)", done)[1]), float(re.search(r"p99\s+([\d.]+)", done)[1])


def answers():
    files = {"diag/collect.conf": CONF,
             "diag/bundle.d/bench.json": json.dumps({"LocalFiles": [{"Location": "/var/log/bench/*", "MaxBytes": "1G"}]}),
             "diag/aggregatord.conf.d/bench.conf": "[Bundles]\nBundleMaxBytes=4G\nNodeMaxBytes=2G\n"}
    with Cluster(masters=1, agents=0, public=0, zookeeper=False, tls=True, files=lambda member: files) as c:
        master = c.masters[0]
        logs = master.root / "var/log/bench"
        logs.mkdir()
        for i in range(5):
            (logs / f"app-{i}.log").write_bytes(log(100 << 20, i))
        ways = (("diag-agentd, " + V1, AGENTD_SOCKET, V1), ("diag-aggregatord, " + V2 + "/cluster", AGGREGATORD_SOCKET,
                                                             V2 + "/cluster"))
        seen = {name: ([], []) for name, _, _ in ways}
        for i in range(ROUNDS):
            for name, socket, target in ways:
                title(f"{name}, a GET each {GAP_MSEC} ms for {SECONDS} s; round {i + 1} of {ROUNDS}: idle, then with bundles")
                seen[name][0].append(visit(master, socket, target))
                with Bundles(master):
                    seen[name][1].append(visit(master, socket, target))
        title(f"least p99 of {ROUNDS} rounds")
        for name, (idle, with_bundles) in seen.items():
            p = [min(x[1] for x in each) for each in (idle, with_bundles)]
            print(f"{name}: idle {p[0]:.2f} ms, while bundles are made {p[1]:.2f} ms: {p[1] / p[0]:.1f} times   (goal: 2)")


BENCHES = {"bundle-journal": journal, "bundle-answers": answers}


def main():
    for word in sys.argv[1:]:
        BENCHES[word]()


main()

#!/usr/bin/env python3
"""A daemon whose memory runs out, at every place where it may: it tells the truth, or knows nothing, or ends with a word."""
import concurrent.futures
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

TARGET = "oom.target"
PROGRAM = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests")) / "agentd_fail_alloc"
LANES = 24          # daemons at a time: most of them wait for the tick that heals them
BUDGET = float(os.environ.get("DIAG_OOM_SECONDS", 12))     # of one sweep; whatever is left out is left out evenly
HANGS = 5           # seconds: nobody waits longer for an answer, nor for an end
HEALS = 15          # seconds from one failure to the truth: a few ticks of 5 s
V1 = "/system/health/v1"
RUNNING = "[Service]\nExecStart=/bin/sleep infinity\n"
UNITS = {
    TARGET: "[Unit]\nDescription=What is watched\n",
    "good.service": "[Unit]\nDescription=Title: and text\n" + RUNNING,
    "failed.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "stopped.service": RUNNING,
    "needs.service": "[Unit]\nRequires=failed.service\nAfter=failed.service\n" + RUNNING,
    "skipped.service": "[Unit]\nConditionPathExists=/nowhere\n" + RUNNING,
    "job.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "job.timer": "[Timer]\nOnUnitActiveSec=1d\nOnBootSec=1d\n",
    "flip@.service": RUNNING,
    "seen@.service": RUNNING,
}
LINKED = {"good.service": 0, "failed.service": 1, "stopped.service": 1, "needs.service": 1, "skipped.service": 0,
          "job.service": 0, "job.timer": 0}
CONFIGURATION = "[Agent]\nUnit=seen@*.service\nHostname=oom\n[Unit stopped.service]\nExpect=running\n"


@contextlib.contextmanager
def node():
    if not PROGRAM.exists():
        raise Skip(f"{PROGRAM} is not built")
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in LINKED}
    with Node("oom", units=UNITS, links=links) as n:
        shutil.copy(PROGRAM, n.root / "agentd_fail_alloc")
        (n.root / "etc/diag").mkdir(exist_ok=True)
        (n.root / "etc/diag/oom.conf").write_text(CONFIGURATION)
        n.systemctl("start", TARGET, "seen@1.service", check=False)     # some of these fail
        n.systemctl("stop", "stopped.service")
        yield n


class Lane:
    """A daemon, one after the other, with a unit of its own to stop and start."""

    def __init__(self, node, number):
        self.node, self.unit, self.socket = node, f"flip@{number}.service", f"/run/oom-{number}.sock"
        self.runtime = f"/run/oom-{number}"
        (node.root / self.runtime[1:]).mkdir(exist_ok=True)
        node.systemctl("start", self.unit)

    def run(self, first, count, changes, live=None):
        """One life; returns how many allocations there were, and how many of them failed."""
        with contextlib.suppress(FileNotFoundError):
            (self.node.root / self.runtime[1:] / "last-runs").unlink()
        daemon = self.node.start("env", f"DIAG_FAIL_ALLOC={first},{count}", f"RUNTIME_DIRECTORY={self.runtime}",
                                 "/agentd_fail_alloc", "--config", "/etc/diag/oom.conf", "--target", TARGET,
                                 "--listen", f"unix:{self.socket}", "--unit", "seen@*.service", "--unit", self.unit)
        try:
            (live or self.live)(daemon, count == 1, changes)
            status = self.end(daemon)
        except AssertionError as e:
            raise AssertionError(f"DIAG_FAIL_ALLOC={first},{count}: {e}\n{daemon.output()}") from e
        finally:
            daemon.kill()
            self.node.daemons.remove(daemon)
        said = daemon.output()
        assert status in (0, 1), f"DIAG_FAIL_ALLOC={first},{count}: ended with {status}: {said}"
        assert status == 0 or "error: " in said, f"DIAG_FAIL_ALLOC={first},{count}: ended without a word: {said}"
        n_calls, n_failed = re.search(r"fail_alloc: (\d+) calls, (\d+) failed", said).groups()
        daemon.log.unlink()
        return int(n_calls), int(n_failed)

    def end(self, daemon):
        begun = time.monotonic()
        with contextlib.suppress(AssertionError, ProcessLookupError):   # it has just ended by itself
            daemon.signal(signal.SIGTERM)
        status = daemon.wait(HANGS + 10)
        assert time.monotonic() - begun < HANGS, "it does not end"
        return status

    def live(self, daemon, heals, changes):
        # Before that it may be killed by what only ends it later.
        eventually(lambda: not daemon.running or "listening on" in daemon.output(), HEALS)
        up = self.follow(daemon, [0], HEALS if heals else 0.3)
        for n in range(changes if up else 0):
            self.node.systemctl("stop" if n % 2 == 0 else "start", self.unit)
            up = up and self.follow(daemon, [n % 2, 1 - n % 2], HEALS if heals else 0.3)
        if heals and changes % 2:
            self.node.systemctl("start", self.unit)
        assert not heals or up or not daemon.running, "it does not find its way back to the truth"

    def follow(self, daemon, flips, patience):
        """Ask until the unit is what it is, the last of flips; nothing else is ever said than these and "unknown"."""
        deadline = time.monotonic() + patience
        while daemon.running and time.monotonic() < deadline:
            if self.ask(flips) == flips[-1]:
                return True
            time.sleep(0.01)
        return False

    def ask(self, flips):
        """Health of our unit; None when it is not told, or nothing is. Raises what is a lie."""
        begun = time.monotonic()
        try:
            answer = self.node.get(V1, unix=self.socket, timeout=HANGS)
        except (FileNotFoundError, ConnectionError, http.client.HTTPException):
            return None         # not there yet, or no longer, or no memory for this connection
        except socket.timeout:
            raise AssertionError(f"no answer within {time.monotonic() - begun:.1f} s")
        if answer.status == 500:
            return None
        assert answer.status == 200, answer
        return self.judge({u["id"]: u["health"] for u in answer.json()["units"]}, flips)

    def judge(self, told, flips):
        if set(told.values()) == {3}:
            return None
        truth = {**LINKED, "seen@1.service": 0}
        assert set(told) == {*truth, self.unit}, f"not all units, or others: {told}"
        for name, health in told.items():
            allowed = {3, *flips} if name == self.unit else {3, truth[name]}
            assert health in allowed, f"{name} is {truth.get(name, flips)} and was told as {health}"
        return told[self.unit] if 3 not in told.values() else None


class OutForGood(threading.Thread):
    """Daemons that know something when memory is out. It takes 45 s until that must not be said any more."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.outcome = node, []
        self.start()

    def run(self):
        try:
            lanes = [Lane(self.node, n) for n in range(100, 104)]
            begin = lanes[0].run(0, 1, 0)[0]
            with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
                self.outcome = list(pool.map(lambda lane, n: self.live(lane, begin + n), lanes, (5, 35, 65, 95)))
        except (AssertionError, OSError) as e:
            self.outcome = [str(e)]

    @staticmethod
    def live(lane, first):
        def until_unknown(daemon, *_):
            lane.follow(daemon, [0], 5)
            lane.node.systemctl("stop", lane.unit)
            deadline = time.monotonic() + 50
            while daemon.running and time.monotonic() < deadline and lane.ask([0, 1]) == 0:
                time.sleep(0.1)
            for _ in range(20):
                assert not daemon.running or lane.ask([1]) in (1, None)
                time.sleep(0.05)

        try:
            lane.run(first, 1 << 40, 0, until_unknown)
            return None
        except AssertionError as e:
            return str(e)


def sweep(node, numbers, count, changes):
    """As many of these as there is time for, in strides; each with what went wrong."""
    lanes = [Lane(node, n) for n in range(LANES if count == 1 else 4)]
    numbers, wrong, done = list(numbers), [], []
    stride = max(1, len(numbers) // 40)
    order = [n for offset in range(stride) for n in numbers[offset::stride]]
    lock, deadline = threading.Lock(), time.monotonic() + BUDGET

    def work(lane):
        while time.monotonic() < deadline:
            with lock:
                if not order:
                    return
                number = order.pop(0)
            try:
                done.append(lane.run(number, count, changes))
            except AssertionError as e:
                wrong.append(str(e))

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(work, lanes))
    print(f"# {len(done)} of {len(numbers)}, {sum(1 for _, failed in done if failed)} of them hit", flush=True)
    assert not wrong, f"{len(wrong)} of {len(done) + len(wrong)} went wrong, the first:\n" + "\n".join(wrong[:8])
    assert any(failed for _, failed in done), "nothing was made to fail"


def n_calls_of(node, changes):
    return Lane(node, 0).run(0, 1, changes)[0]


@test
def tells_the_truth(node):
    "tells the truth when nothing fails: what the others are compared with"
    lane = Lane(node, 0)
    assert lane.run(0, 1, 2)[1] == 0
    node.out_for_good = OutForGood(node)    # the last test asks how they fared
    eventually(lambda: node.systemctl("is-active", lane.unit) == "active")


@test
def one_fails_at_start(node):
    "survives any single failure while it starts, or says why it does not"
    sweep(node, range(1, n_calls_of(node, 0) + 1), 1, 0)


@test
def one_fails_later(node):
    "survives any single failure while units change"
    sweep(node, range(n_calls_of(node, 0) * 3 // 4, n_calls_of(node, 2) + 1), 1, 2)


@test
def all_fail_from_the_start(node):
    "knows nothing, or ends, when memory is out from some moment of its start on"
    sweep(node, range(1, n_calls_of(node, 0) + 1), 1 << 40, 0)


@test
def all_fail_later(node):
    "does not go on saying what it knew when memory is out for good"
    node.out_for_good = getattr(node, "out_for_good", None) or OutForGood(node)
    node.out_for_good.join()
    assert node.out_for_good.outcome == [None] * 4, node.out_for_good.outcome


tap.main(node)

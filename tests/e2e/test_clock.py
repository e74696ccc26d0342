#!/usr/bin/env python3
"""Clocks that are set, and nights that are slept through: no health changes by that, and nobody waits longer."""
import contextlib
import os
import shutil
import struct
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

TARGET = "clock.target"
PROGRAM = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests")) / "agentd_fake_clocks"
V1, V2 = "/system/health/v1", "/system/health/v2/node"
HOUR, YEAR = 3600, 365 * 86400
TICKS = 12          # seconds: two ticks, and a little
RUNNING = "[Service]\nExecStart=/bin/sleep infinity\n"
UNITS = {
    TARGET: "[Unit]\nDescription=What is watched\n",
    "good.service": RUNNING,
    "flip.service": RUNNING,
    "failed.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    # systemd has no limit for its start, we have one.
    "starting.service": "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",
    # As often as it may without being called a loop, if the times between are what they were.
    "twice.service": "[Service]\nRestart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c "
                     "'test -e /run/twice2 && exec sleep inf; test -e /run/twice1 && touch /run/twice2; "
                     "touch /run/twice1; exit 1'\n",
}
CODES = {"good.service": "ok", "flip.service": "ok", "failed.service": "exit-code", "starting.service": "starting",
         "twice.service": "ok"}


class Agent:
    """A diag-agentd whose clocks the test can move."""

    def __init__(self, node):
        self.node, self.clocks = node, node.root / "run/clocks"
        self.wall = self.boot = 0
        self.clocks.write_bytes(bytes(16))
        (node.root / "run/clock").mkdir(exist_ok=True)
        self.daemon = node.start("env", "DIAG_CLOCKS=/run/clocks", "RUNTIME_DIRECTORY=/run/clock", "/agentd_fake_clocks",
                                 "--target", TARGET, "--listen", "unix:/run/clock.sock")
        eventually(lambda: self.v2()["phase"] == "running" and self.codes() == CODES)

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        assert failed or self.daemon.running, self.daemon.output()
        assert self.daemon.stop() == 0 or failed
        self.node.daemons.remove(self.daemon)

    def move(self, wall=0, boot=0):
        self.wall += wall
        self.boot += boot
        with open(self.clocks, "r+b", buffering=0) as f:
            f.write(struct.pack("=qq", self.wall * 1000000, self.boot * 1000000))

    def get(self, url, headers=None, **more):
        return self.node.get(url, headers, unix="/run/clock.sock", **more)

    def v2(self):
        return self.get(V2).json()

    def codes(self):
        return {c["name"]: c["code"] for c in self.v2()["components"]}

    def health(self):
        return {u["id"]: u["health"] for u in self.get(V1).json()["units"]}

    def dates(self):
        report = self.v2()
        return {c["name"]: c["since"] for c in report["components"]}, report["since"]


class Poll(threading.Thread):
    def __init__(self, agent, etag, wait):
        super().__init__()
        self._agent, self._headers = agent, {"If-None-Match": etag, "Prefer": f"wait={wait}"}
        self.answer = self.took = None
        self.start()

    def run(self):
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            self.answer = self._agent.get(V2, self._headers, timeout=40)
        self.took = time.monotonic() - begun

    def ends(self, within):
        self.join(within + 2)
        assert self.answer and self.took < within, f"{self.answer} after {self.took} s"
        return self.answer


@contextlib.contextmanager
def node():
    if not PROGRAM.exists():
        raise Skip(f"{PROGRAM} is not built")
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in CODES}
    with Node("clock", units=UNITS, links=links) as n:
        shutil.copy(PROGRAM, n.root / "agentd_fake_clocks")
        n.systemctl("start", "--no-block", TARGET)
        eventually(lambda: (n.root / "run/twice2").exists())
        yield n


def now_of(answer):
    return parsedate_to_datetime(answer.headers["Date"]).timestamp()


@test
def clock_is_moved(node):
    "is in our hands: the wall clock of the whole process jumps, libraries and all"
    with Agent(node) as agent:
        before = now_of(agent.get(V1))
        assert abs(before - time.time()) < 5
        agent.move(wall=YEAR)
        # libmicrohttpd keeps its Date for a second
        eventually(lambda: abs(now_of(agent.get(V1)) - before - YEAR) < 10, 3)
        assert agent.v2()["system"]["time"][:4] == time.strftime("%Y", time.gmtime(before + YEAR))


@test
def wall_clock_is_set(node):
    "changes nothing when the clock is set a year forth and two back: not health, not a date, not the entity tag"
    with Agent(node) as agent:
        etag, dates = agent.get(V2).headers["ETag"], agent.dates()
        for years in (1, -2, 1):
            agent.move(wall=years * YEAR)
            deadline = time.monotonic() + 6     # a tick at least, which looks at everything that is old
            while time.monotonic() < deadline:
                answer = agent.get(V2)
                report = answer.json()
                assert {c["name"]: c["code"] for c in report["components"]} == CODES, report
                assert answer.headers["ETag"] == etag and float(answer.headers["Diag-Confirmed-Age"]) < 20
                assert agent.get(V2, {"If-None-Match": etag}).status == 304
                time.sleep(0.2)
            assert agent.dates() == dates
        assert agent.v2()["system"]["uptime_seconds"] < 365 * 86400


@test
def waits_end_in_time(node):
    "lets nobody wait longer, or less, when the clock is set meanwhile"
    with Agent(node) as agent:
        etag = agent.get(V2).headers["ETag"]
        polls = [Poll(agent, etag, 3), Poll(agent, etag, 30)]
        time.sleep(0.5)
        agent.move(wall=YEAR)
        time.sleep(0.5)
        agent.move(wall=-2 * YEAR)
        assert polls[0].ends(4).status == 304 and polls[0].took > 2.9
        assert polls[1].is_alive()
        node.systemctl("stop", "flip.service")
        try:
            assert polls[1].ends(10).status == 200
        finally:
            node.systemctl("start", "flip.service")


@test
def dates_after(node):
    "dates a change by the clock that there is, and keeps that date"
    with Agent(node) as agent:
        agent.move(wall=YEAR)
        node.systemctl("stop", "flip.service")
        try:
            eventually(lambda: agent.codes()["flip.service"] == "stopped", 3)
            report = agent.v2()
            since = {c["name"]: c["since"] for c in report["components"]}
            assert since["flip.service"] <= report["system"]["time"], report
            year = time.strftime("%Y", time.gmtime(time.time() + YEAR))
            assert since["flip.service"].startswith(year) and not since["good.service"].startswith(year), since
            agent.move(wall=-YEAR)
            assert agent.dates()[0] == since
        finally:
            node.systemctl("start", "flip.service")
        eventually(lambda: agent.codes() == CODES, 3)
        assert all(date <= agent.v2()["system"]["time"] for date in agent.dates()[0].values())


@test
def night(node):
    "wakes from a night's sleep knowing nothing for a moment, and then what it knew; nothing is stuck by that"
    with Agent(node) as agent:
        answer = agent.get(V2)
        etag, dates, poll = answer.headers["ETag"], agent.dates(), Poll(agent, answer.headers["ETag"], 10)
        agent.move(wall=8 * HOUR, boot=8 * HOUR)
        # Eight hours old: nobody may vouch for it, and nobody may be told that nothing has changed.
        answer = agent.get(V1, {"If-None-Match": etag})
        assert answer.status == 200 and "ETag" not in answer.headers, answer
        assert {u["health"] for u in answer.json()["units"]} == {3}, answer
        deadline = time.monotonic() + TICKS
        while agent.v2()["health"] == "unknown" and time.monotonic() < deadline:
            assert set(agent.health().values()) in ({3}, {0, 1})
            time.sleep(0.05)
        assert agent.codes() == CODES, agent.codes()
        assert poll.ends(11).status in (200, 304)
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            assert agent.codes() == CODES, agent.codes()
            time.sleep(0.2)
        assert agent.dates() == dates
        assert agent.get(V2, {"If-None-Match": etag}).status == 304
        node.systemctl("stop", "flip.service")
        eventually(lambda: agent.codes()["flip.service"] == "stopped", 3)
        node.systemctl("start", "flip.service")
        eventually(lambda: agent.codes()["flip.service"] == "ok", 3)


@test
def naps(node):
    "is not confused by many short naps, whatever was under way"
    with Agent(node) as agent:
        for n in range(12):
            agent.move(wall=50, boot=50)
            if n % 3 == 0:
                node.systemctl("restart", "flip.service")
            for health in (agent.health() for _ in range(20)):
                assert set(health.values()) == {3} or (health["good.service"], health["failed.service"]) == (0, 1)
                time.sleep(0.01)
        eventually(lambda: agent.codes() == CODES, TICKS)


tap.main(node)

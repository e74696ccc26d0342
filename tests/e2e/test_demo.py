#!/usr/bin/env python3
"""What ./run --cluster shows: it must come to its end, and leave nothing behind, however it ends."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tap
from cluster import AGGREGATORD, installed
from node import eventually
from tap import Skip, test

DEMO = Path(__file__).with_name("demo_cluster.py")
PLACES = ("/run/netns", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified",
          "/run/systemd/nspawn/propagate")


class Demo:
    """It runs below a directory of its own, so that it can be told from others."""

    def __init__(self, top, *words):
        if not installed(AGGREGATORD):
            raise Skip("DIAG_INSTALL names no installed tree")
        self.top, self.said = Path(top), Path(top, "said")
        with self.said.open("w") as said:
            self.running = subprocess.Popen([sys.executable, DEMO, *words], stdout=said, stderr=subprocess.STDOUT,
                                            env={**os.environ, "TMPDIR": top})

    def _name(self):
        return next((f.read_text().strip() for f in self.top.glob("diag-e2e-*/bed/.name")), None)

    def started(self):
        """What stands in all names that leave the directory."""
        eventually(lambda: self._name() or self.running.poll() is not None, 20)
        if self.running.poll() is not None and "this machine cannot do it" in self.said.read_text():
            raise Skip(self.said.read_text().splitlines()[-1])
        return self._name()

    def traces(self, name):
        left = [p for d in PLACES if Path(d).is_dir() for p in Path(d).iterdir() if p.name.startswith(name)]
        left += self.top.glob("diag-e2e-*")
        for proc in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.top).encode() in (proc / "cmdline").read_bytes():
                    left.append(proc)
        return left

    def has_left_nothing(self, name):
        eventually(lambda: not self.traces(name), 10, what=f"nothing of {name} is there any more")


@test
def shows_what_it_must():
    "shows a cluster that boots, breaks in four ways and heals, and a bundle of it, and leaves nothing behind"
    with tempfile.TemporaryDirectory() as top:
        began, demo = time.monotonic(), Demo(top)
        name = demo.started()
        assert demo.running.wait(300) == 0, demo.said.read_text()
        print(f"# it took {time.monotonic() - began:.0f} s")
        demo.has_left_nothing(name)


@test
def leaves_nothing_behind():
    "leaves nothing behind when it is interrupted, while it boots or later, once or again and again"
    for number, word, times in ((signal.SIGINT, "Each has", 1), (signal.SIGTERM, "boot order", 3),
                                (signal.SIGHUP, "diag cluster", 2)):
        with tempfile.TemporaryDirectory() as top:
            demo = Demo(top)
            name = demo.started()
            eventually(lambda: word in demo.said.read_text() or demo.running.poll() is not None, 60)
            for _ in range(times):
                demo.running.send_signal(number)
            assert demo.running.wait(60) == 128 + number, demo.said.read_text()
            demo.has_left_nothing(name)


tap.main()

#!/usr/bin/env python3
"""What a bundle of the cluster costs its master: diag-gather against made-up nodes on loopback, in this process.

    bench/gather.py PROGRAM [DIRECTORY]

PROGRAM is diag-gather of a release build. DIRECTORY (default: the system's for temporaries) is where bundles are made: a
disk, not memory. Nodes send real fragments, from memory; those that are paced take as long as they are told, as a
collector would: there, the goal is 1.3 times the slowest. Of a hundred, most wait for their turn. Printed: how long it
took beside the slowest node, its CPU time, memory of its own (RssAnon), and disk beside the archive: fragments in flight
have no name, but are counted.
"""
import os
import random
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/e2e"))
import gather_nodes                                     # noqa: E402
from gather_nodes import Node, bundle, fragment         # noqa: E402

CHUNK = 256 * 1024
LINE = "Nov 21 00:04:07 host{:03d} mesos-agent[{:d}]: I1121 00:04:07.{:06d} slave.cpp:{:d}] {}\n"
WORDS = ("Got assigned task", "Launching container", "Received status update", "Sending acknowledgement",
         "Forwarding the update", "Shutting down executor", "Current disk usage")


def log(n_bytes, seed):
    """Lines as a log has them."""
    r, lines, n = random.Random(seed), [], 0
    while n < min(n_bytes, 4 << 20):        # repeated behind that: farther apart than any of the compressors looks
        lines.append(LINE.format(r.randrange(100), r.randrange(1, 99999), r.randrange(10**6), r.randrange(5000),
                                 r.choice(WORDS) + f" {r.getrandbits(64):x}"))
        n += len(lines[-1])
    block = "".join(lines).encode()
    return (block * (n_bytes // len(block) + 1))[:n_bytes]


def title(text):
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"\n== {text}   (load {load})", flush=True)


class Watch(threading.Thread):
    """The largest that it was."""

    def __init__(self, b):
        super().__init__(daemon=True)
        self.b, self.anon, self.disk, self.over = b, 0, 0, threading.Event()

    def flying(self):
        total, base = 0, Path(f"/proc/{self.b.process.pid}/fd")
        for fd in base.iterdir():
            try:
                st = os.stat(fd)
            except OSError:
                continue
            if st.st_nlink == 0 and st.st_blocks:
                total += st.st_blocks * 512
        return total

    def look(self):
        status = Path(f"/proc/{self.b.process.pid}/status").read_text()
        anon = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)
        self.anon = max(self.anon, anon)
        self.disk = max(self.disk, self.flying() + sum(p.stat().st_blocks * 512 for p in self.b.dir.iterdir()))

    def run(self):
        while not self.over.wait(0.02):
            try:
                self.look()
            except (OSError, StopIteration):
                pass


def children_seconds():
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of_children.ru_utime + of_children.ru_stime


def paced(data, seconds, took):
    """Sends @data in so many seconds, and notes how long it really was."""
    def send(node, request):
        began = time.monotonic()
        request.begin_chunks(gather_nodes.TYPES["tar.zst"])
        for at in range(0, len(data), CHUNK):
            request.chunk(data[at:at + CHUNK])
            ahead = began + seconds * at / len(data) - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        request.wfile.write(b"0\r\n\r\n")
        request.wfile.flush()
        took.append(time.monotonic() - began)
    return send


def measure(what, top, nodes, took, decoded):
    with bundle(top, nodes) as b:
        began, cpu = time.monotonic(), children_seconds()
        b.start()
        watch = Watch(b)
        watch.start()
        assert b.wait(600) == 0, b.said
        total, cpu = time.monotonic() - began, children_seconds() - cpu
        watch.over.set()
        watch.join()
        said = b.state()
        assert said["state"] == "done" and not said["partial"], said
        size = said["size_bytes"]
        print(f"{what}: {total:.2f} s, slowest node {max(took):.2f} s: {total / max(took):.2f} times; CPU {cpu:.2f} s, "
              f"{decoded / 1e6 / cpu:.0f} MB/s decoded; archive {size / 2**20:.1f} MiB, disk at most "
              f"{watch.disk / size:.2f} times that; RssAnon at most {watch.anon / 1024:.1f} MiB", flush=True)


def of_nodes(n, n_bytes, seconds, took):
    nodes = []
    for i in range(n):
        node = Node(address=f"10.1.{i // 250}.{i % 250 + 1}")
        parts = {f"log-{k}": log(n_bytes // 10, i % 7 * 10 + k) for k in range(10)}
        node.does = paced(fragment(node.prefix, parts), seconds(i), took)
        nodes.append(node)
    return nodes


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    gather_nodes.program = lambda: Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="diag-bench-", dir=sys.argv[2] if len(sys.argv) > 2 else None) as top:
        for what, n, n_bytes, seconds in (
                ("5 nodes x 100 MiB, as a collector sends them", 5, 100 << 20, lambda i: 2 + i / 2),
                ("5 nodes x 100 MiB, as fast as they can", 5, 100 << 20, lambda i: 0),
                ("100 nodes x 1.5 MiB", 100, 3 << 19, lambda i: 0.2),
                ("100 nodes x 10 MiB", 100, 10 << 20, lambda i: 0.5)):
            took = []
            measure(what, top, of_nodes(n, n_bytes, seconds, took), took, n * n_bytes)


if __name__ == "__main__":
    main()

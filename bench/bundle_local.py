"""What a bundle of one node costs, without a daemon: called by bench/run, as root, in a mount namespace of its own.

    bundle_local.py DIAG-COLLECT

500 MiB of logs in five files go through diag-collect --local, and through zstd, gzip and zip; a command prints 512 MiB of
them. The files are in the page cache, and what is made stays in memory. Others who use the machine are in wall times
more than in CPU times: rounds take turns, DIAG_BENCH_ROUNDS of them (3), and the least of each counts.
"""
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from gather import log, title

ROUNDS = int(os.environ.get("DIAG_BENCH_ROUNDS", "3"))
FILES, FILE_BYTES = 5, 100 << 20
PRINTED = 512 << 20
# Configuration is believed only where nobody but root can have put it: not below /tmp.
TOP = Path("/mnt")
LOGS = TOP / "logs"


class Ran:
    """A program, from its start to its end: CPU time of its main thread and of all that it started, memory of all."""

    def __init__(self, *argv, into="/dev/null"):
        self.anon = self.most = 0
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        with open(into, "wb") as out, subprocess.Popen(argv, stdout=out) as p:
            over = threading.Event()
            watch = threading.Thread(target=self._watch, args=(p.pid, over))
            watch.start()
            os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
            self.wall = time.monotonic() - began
            # Of one that has ended, but has not been waited for, it can still be read.
            self.main = int(Path(f"/proc/{p.pid}/schedstat").read_text().split()[0]) / 1e9
            over.set()
            watch.join()
        assert p.returncode == 0, (argv, p.returncode)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.all = sum(getattr(after, f) - getattr(before, f) for f in ("ru_utime", "ru_stime"))

    def _watch(self, pid, over):
        while not over.wait(0.01):
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                anon = rss_anon(pid)
                each = [anon, *map(rss_anon, children)]
                self.anon = max(self.anon, *each)
                self.most = max(self.most, sum(each) + spooled(pid))
            except OSError:
                pass        # it, or one of them, has just ended


def rss_anon(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")), 0)


def spooled(pid):
    """In files that are memory and have no name."""
    stats = [os.stat(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(st.st_blocks * 512 for st in stats if st.st_nlink == 0)


def show(name, runs, n_bytes, written, memory=True):
    wall, main, both = (min(getattr(r, f) for r in runs) for f in ("wall", "main", "all"))
    print(f"{name:<34} {wall:6.2f} s {n_bytes / wall / 1e6:5.0f} MB/s   CPU {main:5.2f} s {n_bytes / main / 1e6:5.0f} MB/s"
          f", with readers {both:5.2f} s   1/{n_bytes / written:.2f}", end="")
    print(f"   RssAnon {max(r.anon for r in runs) / 2**20:.1f} MiB, all with the spool "
          f"{max(r.most for r in runs) / 2**20:.1f} MiB" if memory else "", flush=True)
    return main


def set_up():
    """The limits are lifted; the command reads what is in the files."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", TOP], check=True)
    LOGS.mkdir()
    for i in range(FILES):
        (LOGS / f"app-{i}.log").write_bytes(log(FILE_BYTES, i))
    (TOP / "collect.conf").write_text("[Collect]\nAllowUnredacted=yes\nMaxBytes=2G\nSourceMaxBytes=1G\n"
                                      f"EndpointConfig={TOP}/plan.json\n")
    say = f"cat {LOGS}/*.log {LOGS}/*.log | head -c {PRINTED}"
    (TOP / "files.json").write_text(json.dumps({"LocalFiles": [{"Location": f"{LOGS}/*.log", "MaxBytes": "1G"}]}))
    (TOP / "command.json").write_text(json.dumps({"LocalCommands": [
        {"Command": ["sh", "-c", say], "FileName": "printed.output", "MaxBytes": "1G", "Timeout": "10m"}]}))


def collect(program, plan, *options, form="tar.zst"):
    (TOP / "plan.json").write_bytes((TOP / f"{plan}.json").read_bytes())
    out = TOP / f"out.{form}"
    ran = Ran(program, "--local", "--config", TOP / "collect.conf", "--role", "agent", "--address", "10.0.0.1",
              "--quiet", "--format", form, "--output", out, *options)
    ran.written = out.stat().st_size
    return ran


def compressed(*argv):
    out = TOP / "out"
    ran = Ran(*argv, into=out)
    ran.written = out.stat().st_size
    out.unlink()
    return ran


def files(program):
    n_bytes, paths = FILES * FILE_BYTES, sorted(LOGS.iterdir())
    title(f"{FILES} files of {FILE_BYTES >> 20} MiB; least of {ROUNDS} rounds that take turns")
    ways = {
        "diag-collect, redaction off": lambda: collect(program, "files", "--only", "file", "--no-redact"),
        "diag-collect, redaction on": lambda: collect(program, "files", "--only", "file"),
        "zstd -1 --single-thread": lambda: compressed("zstd", "-q", "-1", "--single-thread", "-c", *paths),
    }
    runs = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            runs[name].append(way())
    off, on, _ = [show(name, r, n_bytes, r[0].written, name.startswith("diag")) for name, r in runs.items()]
    print(f"  redaction on is {off / on:.2f} times as fast as off, by the collector's CPU time   (goal: 0.7)")
    title("other formats, once each")
    show("diag-collect, tar.gz, off", [r := collect(program, "files", "--only", "file", "--no-redact", form="tar.gz")],
         n_bytes, r.written)
    show("gzip -1", [r := compressed("gzip", "-1", "-c", *paths)], n_bytes, r.written, False)
    show("diag-collect, zip, off", [r := collect(program, "files", "--only", "file", "--no-redact", form="zip")],
         n_bytes, r.written)
    show("zip -1", [r := compressed("zip", "-q", "-1", "-", *paths)], n_bytes, r.written, False)


def command(program):
    title(f"a command that prints {PRINTED >> 20} MiB")
    for name, options in ("redaction off", ["--no-redact"]), ("redaction on", []):
        ran = collect(program, "command", "--only", "command", *options)
        show(f"diag-collect, {name}", [ran], PRINTED, ran.written)


def main():
    set_up()
    files(sys.argv[1])
    command(sys.argv[1])


main()

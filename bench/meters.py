"""A node with services that sleep, diag-agentd in it, and what can be read off /proc."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/e2e"))
from node import TESTNODE, Node, eventually  # noqa: E402

PROGRAMS = "/usr/libexec/diag-bench/"
TCP, UNIX = "127.0.0.1:1050", "unix:/run/diag-bench.sock"
LISTEN = ["--listen", TCP, "--listen", UNIX]
V2 = "/system/health/v2/node"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def units(count):
    """Services that sleep; dcos.target wants all of them, thirty.target the first thirty."""
    files = {f"{t}.target": f"[Unit]\nDescription={t}\n" for t in ("dcos", "thirty")}
    links = {f"multi-user.target.wants/{t}": f"../{t}" for t in files}
    for i, name in enumerate(names(count)):
        files[name] = (f"[Unit]\nDescription=Bench {i}: a service that sleeps\n"
                       "[Service]\nExecStart=/bin/sleep infinity\nRestart=no\n")
        links[f"dcos.target.wants/{name}"] = f"../{name}"
        if i < 30:
            links[f"thirty.target.wants/{name}"] = f"../{name}"
    return {"units": files, "links": links}


def names(count):
    return [f"bench-{i:03}.service" for i in range(count)]


def flapping(interval):
    return ("[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\n"
            f"Restart=always\nRestartSec={interval}\n")


class Bench:
    """A booted node with that many units; benches are methods of those who inherit."""

    def __init__(self, node, count):
        self.node, self.count = node, count

    def run(self, program, *argv, timeout=600):
        """A stopwatch, its output straight to ours."""
        sys.stdout.flush()
        subprocess.run([TESTNODE, "exec", self.node.name, PROGRAMS + program, *map(str, argv)],
                       env=self.node.bed.env, check=True, timeout=timeout)

    def start(self, *argv):
        """diag-agentd, once it tells the truth."""
        agentd = self.node.start("diag-agentd", *LISTEN, *argv)

        def running():
            answer = self.node.get(V2 + "?fields=health", port=1050)
            return answer.status == 200 and answer.json()["phase"] == "running"
        eventually(running)
        return agentd

    def all_up(self):
        """What an earlier bench has left failed or stopped would cost more to watch."""
        self.node.systemctl("start", *names(self.count), timeout=120)

    def pid_of(self, name):
        """As the node numbers it."""
        return int(self.node.exec("pgrep", "-o", "-x", name).stdout)

    def host_pid(self, pid):
        namespace = os.readlink(f"/proc/{self.node.init}/ns/pid")
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                inside = re.search(r"^NSpid:.*\s(\d+)$", status.read_text(), re.M)[1]
                if int(inside) == pid and os.readlink(status.with_name("ns") / "pid") == namespace:
                    return int(status.parent.name)
            except OSError:
                continue
        raise LookupError(pid)

    def watched(self, agentd=None):
        """Whose CPU time counts."""
        pids = {"systemd": self.node.init, "dbus-daemon": self.host_pid(self.pid_of("dbus-daemon"))}
        return {"diag-agentd": agentd.pid, **pids} if agentd else pids


def title(text):
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"\n== {text}   (load {load})", flush=True)


def status_of(directory):
    return dict(line.split(":\t", 1) for line in (directory / "status").read_text().splitlines() if ":\t" in line)


def memory(pid):
    fields = status_of(Path(f"/proc/{pid}"))
    return "memory: " + ", ".join(f"{k} {int(fields[k].split()[0]) / 1024:.2f} MiB" for k in ("RssAnon", "VmRSS"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def wakeups(pid):
    """Each time a thread had slept and was woken: {thread: count}."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = status_of(task)
        counts[f"{fields['Name']}/{task.name}"] = int(fields["voluntary_ctxt_switches"])
    return counts


def cpu_seconds(pid):
    """Exact where the kernel keeps count, else in ticks."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except FileNotFoundError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


class CpuOf:
    """Prints how much CPU time each of these took within the block, in percent of one core."""

    def __init__(self, pids):
        self._pids = pids

    def __enter__(self):
        self._began, self._before = time.monotonic(), {n: cpu_seconds(p) for n, p in self._pids.items()}
        return self

    def __exit__(self, *_):
        took = time.monotonic() - self._began
        used = ((n, cpu_seconds(p) - self._before[n]) for n, p in self._pids.items())
        print(f"CPU of one core, over {took:.0f} s: " + ", ".join(f"{n} {100 * s / took:.1f} %" for n, s in used),
              flush=True)


def measure(pids, seconds):
    """Wake-ups and CPU time in so many seconds of nothing."""
    before = {name: (wakeups(pid), cpu_seconds(pid)) for name, pid in pids.items()}
    time.sleep(seconds)
    for name, pid in pids.items():
        slept, cpu = before[name]
        woken = {thread: n - slept.get(thread, 0) for thread, n in wakeups(pid).items()}
        threads = ", ".join(f"{thread.rpartition('/')[0]} {n}" for thread, n in sorted(woken.items()))
        print(f"{name}: {sum(woken.values())} wake-ups in {seconds} s ({threads}); "
              f"CPU {(cpu_seconds(pid) - cpu) * 1e3:.1f} ms", flush=True)

"""Boots a node with a hundred units and runs stopwatches in it: called by bench/run."""
import json
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
CHANGES = 500
IDLE_SECONDS = 60
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def units():
    """A hundred services that sleep; dcos.target wants all of them, thirty.target the first thirty."""
    files = {f"{t}.target": f"[Unit]\nDescription={t}\n" for t in ("dcos", "thirty")}
    links = {f"multi-user.target.wants/{t}": f"../{t}" for t in files}
    for i in range(100):
        name = f"bench-{i:03}.service"
        files[name] = (f"[Unit]\nDescription=Bench {i}: a service that sleeps\n"
                       "[Service]\nExecStart=/bin/sleep infinity\nRestart=no\n")
        links[f"dcos.target.wants/{name}"] = f"../{name}"
        if i < 30:
            links[f"thirty.target.wants/{name}"] = f"../{name}"
    return {"units": files, "links": links}


class Bench:
    def __init__(self, node):
        self.node = node

    def run(self, program, *argv, timeout=600):
        """A stopwatch, its output straight to ours."""
        sys.stdout.flush()
        subprocess.run([TESTNODE, "exec", self.node.name, PROGRAMS + program, *map(str, argv)],
                       env=self.node.bed.env, check=True, timeout=timeout)

    def start(self, *argv):
        """diag-agentd, once it tells the truth."""
        agentd = self.node.start("diag-agentd", *LISTEN, *argv)

        def running():
            answer = self.node.get("/system/health/v2/node", port=1050)
            return answer.status == 200 and answer.json()["phase"] == "running"
        eventually(running)
        return agentd

    def pid_of(self, name):
        """As the node numbers it."""
        return int(self.node.exec("pgrep", "-o", "-x", name).stdout)

    # The benches

    def start_up(self):
        for count, target in (30, "thirty.target"), (100, "dcos.target"):
            title(f"first truthful answer after a start, {count} units")
            self.run("first_answer", UNIX, count, 20, "diag-agentd", "--listen", UNIX, "--target", target)

    def throughput(self):
        title("GET /system/health/v1 over keep-alive, 30 units")
        agentd = self.start("--target", "thirty.target")
        url = "/system/health/v1"
        for _ in range(2):
            for address in TCP, UNIX:
                self.run("get_load", address, url, 32, 5, self.pid_of("diag-agentd"))
        self.run("get_load", TCP, url, 1, 5, self.pid_of("diag-agentd"))
        title("the same by wrk (TCP, one thread, 32 connections)")
        wrk = self.node.exec("wrk", "-t1", "-c32", "-d5", "--latency", f"http://{TCP}{url}", timeout=60).stdout
        print("\n".join(line for line in wrk.splitlines() if re.search(r"50%|99%|Requests/sec|Socket errors|Non-2xx", line)))
        title("memory after this load")
        print(memory(agentd.pid))
        agentd.stop()
        title("asking systemd on each request, 30 units")
        self.run("per_request_dbus", 30, 300, self.pid_of("dbus-daemon"))

    def all_up(self):
        """What an earlier bench has left failed or stopped would cost more to watch."""
        self.node.systemctl("start", *(f"bench-{i:03}.service" for i in range(100)))

    def idle(self):
        self.all_up()
        dbus = self.pid_of("dbus-daemon")
        watched = {"systemd": self.node.init, "dbus-daemon": self.host_pid(dbus)}
        title(f"{IDLE_SECONDS} s without diag-agentd")
        measure(watched)
        agentd = self.start()
        pid = agentd.pid
        title("diag-agentd with 100 units, a second after its start")
        time.sleep(1)
        print(memory(pid))
        time.sleep(20)
        for _ in range(2):
            title(f"{IDLE_SECONDS} s of diag-agentd with 100 units and nothing to do")
            measure({"diag-agentd": pid, **watched})
        print(memory(pid))
        agentd.stop()

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

    def wire(self):
        title(f"{CHANGES} changes of 100 units, as seen by a parked request")
        self.all_up()
        agentd = self.start()
        time.sleep(5)
        self.run("change_to_wire", TCP, 100, CHANGES, 61.5, timeout=900)
        print(memory(agentd.pid))
        agentd.stop()
        self.storm()

    def storm(self):
        """Each unit changes once, so none is damped; what flaps besides must not hold up their news."""
        flapping = [f"flapping-{i}.service" for i in range(5)]
        for name in flapping:
            self.node.write_unit(name, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\n"
                                       "Restart=always\nRestartSec=100ms\n")
        self.node.systemctl("daemon-reload")
        self.all_up()
        agentd = self.start(*(word for name in flapping for word in ("--unit", name)))
        time.sleep(5)
        self.node.systemctl("start", "--no-block", *flapping)
        title("100 changes of 100 units, while five more fail and restart ten times a second each")
        self.run("change_to_wire", TCP, 100, 100, 30)
        self.node.systemctl("stop", *flapping)
        agentd.stop()


def title(text):
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"\n== {text}   (load {load})", flush=True)


def status_of(directory):
    return dict(line.split(":\t", 1) for line in (directory / "status").read_text().splitlines() if ":\t" in line)


def memory(pid):
    fields = status_of(Path(f"/proc/{pid}"))
    return "memory: " + ", ".join(f"{k} {int(fields[k].split()[0]) / 1024:.2f} MiB" for k in ("RssAnon", "VmRSS"))


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


def measure(pids):
    before = {name: (wakeups(pid), cpu_seconds(pid)) for name, pid in pids.items()}
    time.sleep(IDLE_SECONDS)
    for name, pid in pids.items():
        slept, cpu = before[name]
        woken = {thread: n - slept.get(thread, 0) for thread, n in wakeups(pid).items()}
        threads = ", ".join(f"{thread.rpartition('/')[0]} {n}" for thread, n in sorted(woken.items()))
        print(f"{name}: {sum(woken.values())} wake-ups a minute ({threads}); "
              f"CPU {(cpu_seconds(pid) - cpu) * 1e3:.1f} ms a minute", flush=True)


def main(names):
    with Node("bench", settled=True, **units()) as node:
        model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
        print(f"{os.cpu_count()} cores, {model[1] if model else 'unknown model'}, Linux {os.uname().release}, "
              f"{node.exec('systemctl', '--version').stdout.splitlines()[0]}")
        bench = Bench(node)
        for name in names:
            {"start": bench.start_up, "throughput": bench.throughput, "idle": bench.idle, "wire": bench.wire}[name]()


main(sys.argv[1:])

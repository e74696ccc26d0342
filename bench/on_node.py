"""Boots nodes with many units and runs stopwatches in them: called by bench/run."""
import os
import re
import sys
import time
from pathlib import Path

from company import Company
from meters import TCP, UNIX, Bench, Node, flapping, measure, memory, names, title, units
from scale import Scale

CHANGES = 500
IDLE_SECONDS = 60


class Hundred(Bench):
    """What most nodes are like."""

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

    def idle(self):
        self.all_up()
        title(f"{IDLE_SECONDS} s without diag-agentd")
        measure(self.watched(), IDLE_SECONDS)
        agentd = self.start()
        title("diag-agentd with 100 units, a second after its start")
        time.sleep(1)
        print(memory(agentd.pid))
        time.sleep(20)
        for _ in range(2):
            title(f"{IDLE_SECONDS} s of diag-agentd with 100 units and nothing to do")
            measure(self.watched(agentd), IDLE_SECONDS)
        print(memory(agentd.pid))
        self.node.systemctl("kill", "-s", "KILL", *names(100))
        time.sleep(20)
        for _ in range(2):
            title(f"{IDLE_SECONDS} s of the same with all 100 units failed")
            measure(self.watched(agentd), IDLE_SECONDS)
        print(memory(agentd.pid))
        agentd.stop()
        self.all_up()

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
        flapping_units = [f"flapping-{i}.service" for i in range(5)]
        for name in flapping_units:
            self.node.write_unit(name, flapping("100ms"))
        self.node.systemctl("daemon-reload")
        self.all_up()
        agentd = self.start(*(word for name in flapping_units for word in ("--unit", name)))
        time.sleep(5)
        self.node.systemctl("start", "--no-block", *flapping_units)
        title("100 changes of 100 units, while five more fail and restart ten times a second each")
        self.run("change_to_wire", TCP, 100, 100, 30)
        self.node.systemctl("stop", *flapping_units)
        agentd.stop()


BENCHES = {     # name: (class, units of its node, what to call)
    "start": (Hundred, 100, Hundred.start_up),
    "throughput": (Hundred, 100, Hundred.throughput),
    "idle": (Hundred, 100, Hundred.idle),
    "wire": (Hundred, 100, Hundred.wire),
    "company": (Company, 100, Company.company),
    "probes": (Company, 100, Company.probes),
    "scale": (Scale, 1000, Scale.scale),
    "soak": (Scale, 100, Scale.soak),
}


def main(wanted):
    for count in sorted({BENCHES[name][1] for name in wanted}):
        with Node("bench", settled=True, **units(count)) as node:
            model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
            print(f"{os.cpu_count()} cores, {model[1] if model else 'unknown model'}, Linux {os.uname().release}, "
                  f"{node.exec('systemctl', '--version').stdout.splitlines()[0]}")
            for name in wanted:
                kind, its_count, bench = BENCHES[name]
                if its_count == count:
                    bench(kind(node, count))


main(sys.argv[1:])

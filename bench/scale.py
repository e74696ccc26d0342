"""Ten times as many units as a node has, and long bad days."""
import contextlib
import threading
import time

from meters import TCP, UNIX, Bench, CpuOf, descriptors, flapping, measure, memory, names, title

CHANGES = 1000
CHANGED = 500           # of the units; a short report lists at most 512 that are not healthy
SOAK_MINUTES = 10


@contextlib.contextmanager
def again_and_again(function, every):
    """Called in a thread until the block ends; prints how long that took each time."""
    done, took, failed = threading.Event(), [], []

    def loop():
        while not done.is_set():
            began = time.monotonic()
            try:
                function()
            except Exception as e:
                failed.append(e)
                return
            took.append(time.monotonic() - began)
            done.wait(max(0.0, every - took[-1]))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        print(f"{len(took)} times, {sum(took) / max(1, len(took)) * 1e3:.0f} ms each, "
              f"{max(took, default=0) * 1e3:.0f} at most", flush=True)
        if failed:
            raise failed[0]


class Scale(Bench):
    def scale(self):
        self.first_answer()
        self.quiet()
        self.changes()
        self.crash_loop()
        self.reloads()

    def first_answer(self):
        title(f"first truthful answer after a start, {self.count} units")
        self.run("first_answer", UNIX, self.count, 10, "diag-agentd", "--listen", UNIX)

    def quiet(self):
        agentd = self.start()
        time.sleep(20)
        title(f"60 s with {self.count} units and nothing to do")
        print(memory(agentd.pid))
        measure(self.watched(agentd), 60)
        agentd.stop()

    def changes(self):
        title(f"{CHANGES} changes among {self.count} units, as seen by a parked request")
        agentd = self.start()
        time.sleep(10)
        with CpuOf(self.watched(agentd)):
            self.run("change_to_wire", TCP, CHANGED, CHANGES, 61.5)
        print(memory(agentd.pid), f"descriptors: {descriptors(agentd.pid)}")
        agentd.stop()
        self.all_up()

    def crash_loop(self):
        """Some 55 signals a second; each unit of the others changes once, so none of them is damped."""
        self.node.write_unit("flapping.service", flapping("200ms"))
        self.node.systemctl("daemon-reload")
        agentd = self.start("--unit", "flapping.service")
        time.sleep(10)
        self.node.systemctl("start", "--no-block", "flapping.service")
        title(f"250 changes among {self.count} units, while one more fails and restarts five times a second")
        with CpuOf(self.watched(agentd)):
            self.run("change_to_wire", TCP, CHANGED, 250, 120)
        self.node.systemctl("stop", "flapping.service")
        agentd.stop()
        self.all_up()

    def reloads(self):
        title(f"30 s of a daemon-reload each second, {self.count} units, without diag-agentd")
        with again_and_again(lambda: self.node.systemctl("daemon-reload"), 1), CpuOf(self.watched()):
            time.sleep(30)
        agentd = self.start()
        time.sleep(20)
        title(f"100 changes among {self.count} units, while there is a daemon-reload each second")
        with again_and_again(lambda: self.node.systemctl("daemon-reload"), 1), CpuOf(self.watched(agentd)):
            self.run("change_to_wire", TCP, CHANGED, 100, 300)
        print(memory(agentd.pid))
        time.sleep(10)
        title("60 s after that")
        measure(self.watched(agentd), 60)
        agentd.stop()
        self.all_up()

    def soak(self):
        """Everything at once, for long: what grows, and what is not given back."""
        loops = [f"flapping-{i}.service" for i in range(5)]
        for name in loops:
            self.node.write_unit(name, flapping("200ms"))
        self.node.systemctl("daemon-reload")
        self.all_up()
        agentd = self.start(*(word for name in loops for word in ("--unit", name)))
        time.sleep(5)
        title(f"{SOAK_MINUTES} minutes of storms: five crash loops, reloads, mass restarts, kills, readers")
        print(f"before: {memory(agentd.pid)}, {descriptors(agentd.pid)} descriptors")
        self.node.systemctl("start", "--no-block", *loops)
        round_number = 0
        for minute in range(1, SOAK_MINUTES + 1):
            end = time.monotonic() + 60
            with CpuOf(self.watched(agentd)):
                while time.monotonic() < end:
                    self.one_storm(round_number)
                    round_number += 1
            print(f"minute {minute}: {memory(agentd.pid)}, {descriptors(agentd.pid)} descriptors", flush=True)
        self.node.systemctl("stop", *loops)
        self.all_up()
        time.sleep(10)
        report = self.node.get("/system/health/v2/node", port=1050).json()
        wrong = [c["name"] for c in report["components"] if c["name"].startswith("bench-") and c["code"] != "ok"]
        print(f"{round_number} rounds; after 10 s of quiet: {memory(agentd.pid)}, "
              f"{descriptors(agentd.pid)} descriptors; wrongly not healthy: {wrong or 'none'}")
        agentd.stop()

    def one_storm(self, n):
        chosen = names(self.count)[n * 7 % 50:][:50]
        for command in (["restart", *chosen], ["kill", "-s", "KILL", *chosen[:10]], ["daemon-reload"],
                        ["start", *chosen]):
            self.node.systemctl(*command, timeout=60)
        for url in "/system/health/v1", "/system/health/v2/node", "/system/health/v2/node?fields=health":
            self.node.get(url, port=1050)
        time.sleep(0.5)

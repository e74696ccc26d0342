"""Others who want something from the daemon, too: rude clients, and many probes."""
import contextlib
import socket
import time

from meters import LISTEN, TCP, V2, Bench, CpuOf, eventually, measure, memory, title

HALF_OPEN, PARKED = 500, 60
STRANGERS = [f"192.0.2.{i}" for i in range(2, 13)]     # 127.0.0.0/8 is one client, the one who is measured
URL = "/system/health/v1"
VISIT_SECONDS, VISIT_GAP_MSEC = 10, 5
PROBES, PROBED = 200, 100


class Company(Bench):
    def company(self):
        self.all_up()
        for address in STRANGERS:
            self.node.exec("ip", "address", "add", f"{address}/32", "dev", "lo")
        agentd = self.start("--insecure", "--allow", "192.0.2.0/24")
        time.sleep(5)
        title("one ordinary client, alone")
        self.visit()
        with contextlib.ExitStack() as stack:
            crowd = self.node.in_network(lambda: self.crowd(stack))
            time.sleep(1)
            title(f"the same among {len(crowd)} half-open connections and {PARKED} parked polls "
                  f"from {len(STRANGERS)} addresses")
            parked = [line for line in self.node.get("/metrics", unix=UNIX_PATH).body.decode().splitlines()
                      if line.startswith("diag_http_parked")]
            print(f"of the half-open: {still_open(crowd)} before; {', '.join(parked)}")
            with CpuOf(self.watched(agentd)):
                self.visit()
            print(f"of the half-open: {still_open(crowd)} after; {memory(agentd.pid)}")
        agentd.stop()

    def visit(self):
        """A connection for each request, and one for all of them."""
        self.run("visit", TCP, URL, VISIT_SECONDS, VISIT_GAP_MSEC, "fresh")
        self.run("visit", TCP, URL, VISIT_SECONDS, VISIT_GAP_MSEC, "kept")

    def crowd(self, stack):
        etag = self.node.get(V2, unix=UNIX_PATH).headers["ETag"]
        poll = f"GET {V2} HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: {etag}\r\nPrefer: wait=60\r\n\r\n".encode()
        for i in range(PARKED):
            stack.enter_context(stranger(i, poll))
        return [stack.enter_context(s) for i in range(HALF_OPEN)
                if (s := stranger(i, f"GET {URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ".encode()))]

    def probes(self):
        """Half by TCP, half by HTTP, of a second daemon on the same node."""
        other = self.node.start("diag-agentd", "--listen", "127.0.0.1:8080", "--target", "thirty.target")
        eventually(lambda: self.node.get(URL, port=8080).status == 200)
        self.all_up()
        conf = self.node.root / "run/bench-probes.conf"
        conf.write_text("".join(probe(i) for i in range(PROBES)))
        for with_probes in False, True:
            options = ["--config", "/run/bench-probes.conf"] if with_probes else []
            agentd = self.start(*options)
            time.sleep(20)
            title(f"60 s with {PROBES if with_probes else 'no'} probes, each every 10 s")
            measure(self.watched(agentd), 60)
            print(memory(agentd.pid))
            if with_probes:
                components = self.node.get(V2, port=1050).json()["components"]
                well = sum(c["health"] == "healthy" and len(c.get("probes", [])) == 2 for c in components)
                print(f"components that are healthy with two probes each: {well} of {PROBED}")
            agentd.stop()
        other.stop()


UNIX_PATH = LISTEN[3].removeprefix("unix:")


def probe(i):
    how = "Kind=tcp\nAddress=127.0.0.1:8080" if i % 2 else f"Kind=http\nUrl=http://127.0.0.1:8080{URL}"
    return f"[Probe p{i}]\nComponent=bench-{i // 2 % PROBED:03}.service\n{how}\nInterval=10s\n"


def stranger(i, words):
    """A connection from one of many addresses; None if it is not let in."""
    s = socket.socket()
    s.settimeout(5)
    try:
        s.bind((STRANGERS[i % len(STRANGERS)], 0))
        s.connect(("127.0.0.1", 1050))
        s.sendall(words)
    except OSError:
        s.close()
        return None
    return s


def still_open(crowd):
    return f"{sum(is_open(s) for s in crowd)} of {len(crowd)} open"


def is_open(s):
    s.setblocking(False)
    try:
        return bool(s.recv(4096, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False

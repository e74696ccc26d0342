#!/usr/bin/env python3
"""Readers, waiters and changes all at once: what the thread sanitizer is given to look at."""
import contextlib
import http.client
import threading
import time

from node import AGENTD_SOCKET, Node, eventually
from tap import main, test

V1, V2 = "/system/health/v1", "/system/health/v2/node"
TARGET = "dcos.target"
SERVICE = "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n"
UNITS = [f"u{i}.service" for i in range(8)]
READERS, WAITERS, SECONDS = 6, 20, 8


class Crowd:
    """Threads that ask until they are told to stop; how often, and what went wrong."""

    def __init__(self, node):
        self.node, self.ends = node, time.monotonic() + SECONDS
        self.answers, self.wrong, self.lock = {}, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(self.read, i)) for i in range(READERS)]
        self.threads += [threading.Thread(target=self.run, args=(self.wait, i)) for i in range(WAITERS)]

    def run(self, ask, number):
        connection = self.node.connection(timeout=20)
        tag = None
        try:
            while time.monotonic() < self.ends:
                answer, tag = ask(connection, number, tag)
                with self.lock:
                    self.answers[answer] = self.answers.get(answer, 0) + 1
        except (AssertionError, OSError, http.client.HTTPException) as e:
            self.wrong.append(repr(e))
        finally:
            connection.close()

    def read(self, connection, number, _):
        connection.request("GET", (V1, V2, V2 + "?fields=health", "/nowhere")[number % 4])
        answer = connection.getresponse()
        answer.read()
        return answer.status, None

    def wait(self, connection, _, tag):
        connection.request("GET", V2 + "?fields=health", headers={"Prefer": "wait=2", "If-None-Match": tag or '""'})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["ETag"]


def units():
    return {name: SERVICE for name in UNITS} | {TARGET: "[Unit]\nDescription=all\n"}


@test
def crowd(node):
    "serves readers and waiters while units come and go"
    agent = node.start("diag-agentd", "--listen", f"unix:{AGENTD_SOCKET}", "--listen", "127.0.0.1:1050")
    eventually(lambda: node.get(V2).json()["health"] == "healthy")
    crowd = Crowd(node)
    for thread in crowd.threads:
        thread.start()
    while time.monotonic() < crowd.ends:
        for name in UNITS:
            node.systemctl("kill", "-s", "KILL", name, check=False)
        node.systemctl("daemon-reload")
    for thread in crowd.threads:
        thread.join()
    assert not crowd.wrong, crowd.wrong[:3]
    assert {200, 404} <= set(crowd.answers) and crowd.answers[200] > 100, crowd.answers
    assert agent.stop() == 0


@test
def stops(node):
    "stops while requests wait and others come"
    for _ in range(3):
        agent = node.start("diag-agentd", "--listen", f"unix:{AGENTD_SOCKET}")
        eventually(lambda: node.get(V2).json()["phase"] == "running")
        crowd = Crowd(node)
        for thread in crowd.threads:
            thread.start()
        time.sleep(0.3)         # no condition to wait for: somewhere in the middle is what is wanted
        crowd.ends = 0
        assert agent.stop() == 0
        for thread in crowd.threads:
            thread.join()


@contextlib.contextmanager
def boot():
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in UNITS}
    with Node("m1", units=units(), links=links) as node:
        node.systemctl("start", TARGET)
        node.exec("mkdir", "-p", "/run/diag")
        yield node


main(boot)

"""A tiny runner that speaks TAP 13: functions marked with @test, whose docstrings finish the sentence "it ...".

    from tap import test, main

    @test
    def sees_a_failed_unit(node):
        "names the unit that failed"
        assert ...

    main(boot)      # boot: a context manager function; what it yields is handed to every test

An argument on the command line runs only the tests whose name contains it.
"""
import contextlib
import signal
import sys
import traceback


class Skip(Exception):
    """Raised by whoever finds that this machine cannot do it, with the reason."""


_tests = []


def test(function):
    _tests.append(function)
    return function


def _title(function):
    words = (function.__doc__ or function.__name__.replace("_", " ")).split("\n")[0].strip()
    return "it " + words.replace("#", "number ")


def _say(text):
    for line in text.rstrip().split("\n"):
        print("#", line)


def _run(number, function, arguments):
    try:
        function(*arguments)
    except Skip as why:
        print(f"ok {number} - {_title(function)} # SKIP {why}", flush=True)
        return True
    except Exception:
        print(f"not ok {number} - {_title(function)}")
        _say(traceback.format_exc())
        for a in arguments:
            _say(getattr(a, "diagnostics", str)())
        sys.stdout.flush()
        return False
    print(f"ok {number} - {_title(function)}", flush=True)
    return True


def main(around=None):
    # A test that ran out of time is sent SIGTERM: unwind, so that every context manager cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [t for t in _tests if all(word in t.__name__ for word in sys.argv[1:])]
    print("TAP version 13")
    try:
        with contextlib.ExitStack() as stack:
            arguments = [stack.enter_context(around())] if around else []
            print(f"1..{len(chosen)}", flush=True)
            failed = [t for n, t in enumerate(chosen, 1) if not _run(n, t, arguments)]
    except Skip as why:
        print(f"1..0 # SKIP {why}")
        return
    sys.exit(1 if failed else 0)

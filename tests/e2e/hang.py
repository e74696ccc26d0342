"""A daemon whose loop hangs while its other threads go on answering."""
import contextlib
import os
import subprocess
from pathlib import Path

FAKES = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests"))
SECONDS = 60            # then it goes on in any case


@contextlib.contextmanager
def loop_stands(daemon):
    """Stop its main thread, which is the loop; see ../fakes/stop_thread.c."""
    holder = subprocess.Popen([str(FAKES / "stop_thread"), str(daemon.pid), str(SECONDS)], stdout=subprocess.PIPE,
                              text=True)
    try:
        assert holder.stdout.readline() == "stopped\n"
        yield
    finally:
        holder.terminate()
        holder.wait()
        holder.stdout.close()

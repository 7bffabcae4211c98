import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graytrace import cli

# a run that starts a job, which makes a temporary folder and starts a tool
RUN = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
JOB = """
import os, subprocess, tempfile
from graytrace.engines.processes import end_with_parent
end_with_parent()
with tempfile.TemporaryDirectory() as folder:
    tool = subprocess.Popen(["sleep", "60"])
    print(os.getpid(), tool.pid, folder, flush=True)
    tool.wait()
"""


@pytest.fixture
def run():
    """A run with a job: its process, the numbers of job and tool, and the job's temporary folder."""
    command = [sys.executable, "-c", RUN, JOB]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
        job, tool, folder = process.stdout.readline().split()
        yield process, int(job), int(tool), Path(folder)
        process.kill()


def ends(pid):
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):  # gone before the file was opened, or before it was read
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_job_ends_with_the_run_that_started_it_and_takes_its_tools_along(run):
    process, job, tool, folder = run
    assert folder.is_dir()
    process.send_signal(signal.SIGKILL)
    assert ends(tool)
    assert ends(job)
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_job_that_is_told_to_end_does_so_tidily(run):
    _, job, tool, folder = run
    os.kill(job, signal.SIGTERM)
    assert ends(tool)
    assert ends(job)
    assert not folder.exists()


def test_only_jobs_of_a_workflow_end_with_their_parent(monkeypatch):
    asked = []
    monkeypatch.setattr(cli, "end_with_parent", lambda: asked.append(1))
    monkeypatch.delenv("GRAYTRACE_VERSION", raising=False)
    cli.main(["scan_table", "--config", "{}"])
    assert asked == []
    monkeypatch.setenv("GRAYTRACE_VERSION", cli.__version__)
    cli.main(["scan_table", "--config", "{}"])
    assert asked == [1]


ARRAYS = """
import resource, sys
import numpy as np
from graytrace.engines.processes import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**23)  # 64 MB, more than glibc keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""), reason="glibc"
)
def test_memory_that_was_freed_is_used_again():
    faults = {}
    for how in ("kept", "given back"):
        command = [sys.executable, "-c", ARRAYS, how]
        environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
        faults[how] = int(run.stdout)
    assert faults["kept"] < 0.2 * faults["given back"]

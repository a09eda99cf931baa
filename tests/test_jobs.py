"""Jobs tell how far they are and how they ended, also those whose process is gone."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from indexing.refresh import RefreshReport
from indexing.sources import Failure
from indexing.types import BadInput, Conflict, NotFound
from service import jobs as module
from service.database import JOBS, connect
from service.jobs import KEPT_JOBS, Jobs
from tests.serving import wait_until

ROOT = Path(__file__).parent.parent


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'passerine.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    return Jobs(engine)


def test_a_job_tells_how_far_it_is(jobs: Jobs) -> None:
    job = jobs.begin("docs")
    with jobs.recorded(job) as recorder:
        recorder.progress("read", 30, 120)
        recorder.progress("encode", 7, 0)
        recorder.counted(RefreshReport(5, failed=(Failure("file:///x", "It is empty."),), skipped=Counter({".png": 2})))
        wait_until(lambda: jobs.get(job.id).added == 5)
        shown = jobs.get(job.id)
        assert (shown.state, shown.stage, shown.done, shown.total, shown.encoded) == ("running", "encode", 30, 120, 7)
        assert shown.failed == 1
        assert shown.rate > 0
        assert shown.left_seconds == pytest.approx(90 / shown.rate)
    ended = jobs.get(job.id)
    assert (ended.state, ended.counts) == ("done", "5 added, 0 changed, 0 removed, 0 same, 1 failed, 2 skipped (.png)")
    assert ended.finished_at
    assert ended.left_seconds is None
    assert jobs.failures(job.id) == [Failure("file:///x", "It is empty.")]
    assert jobs.last("docs") == ended
    assert jobs.last("other") is None


def test_a_job_that_fails_says_why(jobs: Jobs) -> None:
    job = jobs.begin("docs")
    with pytest.raises(BadInput), jobs.recorded(job):
        raise BadInput("The folder is gone.", "Mount it.")
    ended = jobs.get(job.id)
    assert (ended.state, ended.error) == ("failed", "The folder is gone. Mount it.")


def test_a_job_that_met_another_refresh_waits_or_leaves_no_trace(jobs: Jobs) -> None:
    queued = jobs.queue("docs")
    claimed = jobs.claim()
    assert claimed
    with pytest.raises(Conflict), jobs.recorded(claimed, waits=True):
        raise Conflict("Another process is refreshing.")
    assert jobs.get(queued.id) == queued
    job = jobs.begin("docs")
    with pytest.raises(Conflict), jobs.recorded(job):
        raise Conflict("Another process is refreshing.")
    with pytest.raises(NotFound):
        jobs.get(job.id)


def test_the_longest_waiting_job_is_claimed_once(jobs: Jobs) -> None:
    first, second = jobs.queue("a"), jobs.queue("b")
    assert jobs.queue("a") == first, "a source waits once"
    claimed = jobs.claim()
    assert claimed
    assert (claimed.id, claimed.state) == (first.id, "running")
    assert jobs.queue("a").id != first.id, "one that runs may be wanted again after"
    following = jobs.claim()
    assert following
    assert following.id == second.id
    assert jobs.claim()
    assert jobs.claim() is None


KILLED = """
import sys, time
from service.database import connect
from service.jobs import Jobs

jobs = Jobs(connect(sys.argv[1]))
with jobs.recorded(jobs.begin("docs")) as recorder:
    recorder.progress("read", 3, 10)
    print("running", flush=True)
    time.sleep(60)
"""


def test_a_job_whose_process_was_killed_has_died(jobs: Jobs, engine: Engine) -> None:
    command = [sys.executable, "-c", KILLED, engine.url.render_as_string()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"running\n"
        job = jobs.last("docs")
        assert job
        assert job.state == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
    died = jobs.get(job.id)
    assert died.state == "died"
    assert "goes on from there" in died.error
    assert died.finished_at


def test_a_job_without_a_heartbeat_has_died_and_comes_back_with_one(jobs: Jobs, engine: Engine) -> None:
    job = jobs.begin("docs")
    long_ago = datetime.now(UTC) - timedelta(seconds=module.DEAD_SECONDS + 1)
    with engine.begin() as connection:
        connection.execute(update(JOBS).values(beat_at=long_ago, owner="elsewhere 1"))
    assert jobs.get(job.id).state == "died"
    with jobs.recorded(job):  # its machine had only slept
        wait_until(lambda: jobs.get(job.id).state == "running")
        assert jobs.get(job.id).error == ""
    assert jobs.get(job.id).state == "done"


def test_a_job_of_another_machine_is_judged_by_its_heartbeat(jobs: Jobs, engine: Engine) -> None:
    job = jobs.begin("docs")
    with engine.begin() as connection:
        connection.execute(update(JOBS).values(owner="elsewhere 1"))
    assert jobs.get(job.id).state == "running"


def test_old_jobs_are_not_kept(jobs: Jobs) -> None:
    other = jobs.begin("other")
    for _ in range(KEPT_JOBS + 3):
        with jobs.recorded(jobs.begin("docs")) as recorder:
            recorder.counted(RefreshReport(failed=(Failure("x", "y"),)))
    assert len(jobs.list("docs", 500)) == KEPT_JOBS
    assert jobs.get(other.id).state == "running"
    jobs.forget("docs")
    assert jobs.list("docs") == []


def test_a_job_that_was_removed_while_it_ran_stays_removed(jobs: Jobs) -> None:
    job = jobs.begin("docs")
    with jobs.recorded(job) as recorder:
        recorder.counted(RefreshReport(failed=(Failure("x", "y"),)))
        jobs.forget("docs")
        time.sleep(0.05)
    assert jobs.list("docs") == []

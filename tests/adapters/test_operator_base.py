"""How every task of ours ends: in time, when it is asked to stop, and without a traceback."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.retry import TransientTaskProblem, is_first_try


class Work(DriveBackupOperator):
    """Works until it is asked to stop, or its time is up; puts things in order then."""

    in_order = False

    async def run(self, context, stop):
        try:
            asyncio.get_running_loop().call_later(0.01, self.on_kill if self.killed else lambda: None)
            await stop.wait()
            return "stopped"
        finally:
            await asyncio.sleep(0.01)
            self.in_order = True

    killed = False


def test_a_task_that_takes_too_long_ends_in_good_order_with_a_sentence():
    work = Work(task_id="work", execution_timeout=timedelta(seconds=0.2))
    with pytest.raises(TransientTaskProblem, match=r"time-out of 0:00:00.2.*limits.batch_timeout_minutes") as caught:
        work.execute({})
    assert (caught.value.error_class, caught.value.reason) == ("OutOfTimeError", "timeout")
    assert work.in_order


def test_a_time_out_of_the_work_itself_is_not_taken_for_the_tasks():
    class Impatient(DriveBackupOperator):
        async def run(self, context, stop):
            raise TimeoutError("the socket")

    with pytest.raises(TimeoutError, match="the socket"):
        Impatient(task_id="work", execution_timeout=timedelta(hours=1)).execute({})


def test_a_task_stops_when_airflow_asks_it_to():
    work = Work(task_id="work", execution_timeout=None)
    work.killed = True
    assert work.execute({}) == "stopped"
    # Airflow asks again after its own time-out, when there is nothing left to stop.
    work.on_kill()


@pytest.mark.parametrize(
    ("try_number", "max_tries", "first"),
    # At first 4 retries: tries 1 to 5. Cleared after try 5 (Airflow: max_tries = 5 + 4), or in the middle, after try 2.
    [(1, 4, True), (2, 4, False), (5, 4, False), (6, 9, True), (7, 9, False), (3, 6, True), (4, 6, False)],
)
def test_a_first_try_is_told_from_a_retry_also_after_a_task_was_cleared(try_number, max_tries, first):
    assert is_first_try(SimpleNamespace(try_number=try_number, max_tries=max_tries), retries=4) is first

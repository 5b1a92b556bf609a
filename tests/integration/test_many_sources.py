"""A whole organisation through real Airflow: patterns, several sources per task, and what cannot be read."""

import pytest

from include.demo.world import DAG_ID
from tests.support.check_backup import read_snapshot

#: As the world's config says: more sources than this share tasks.
GROUPS = 3
USERS = [f"many-{number}@example.com" for number in range(7)]
SUSPENDED, WITHOUT_DRIVE = USERS[5], USERS[6]


@pytest.fixture(scope="module")
def organisation(world):
    """Seven users with a file each; one is suspended, one has no Drive."""

    def make(backups):
        for user in USERS:
            backups.admin("users", {"email": user})
            backups.create(f"of {user}.txt", text=user, by=user)
        backups.admin("users", {"email": SUSPENDED, "suspended": True})
        backups.admin("users", {"email": WITHOUT_DRIVE, "drive_enabled": False})

    return make


def test_every_user_and_drive_is_backed_up_and_what_cannot_be_is_named(backups, organisation):
    organisation(backups)
    run_id, state = backups.run(sources=["users/many-*", "drives/*", "shared/bob@example.com"])
    assert state == "success"
    tasks = [task for task in backups.api.tasks(DAG_ID, run_id) if task["map_index"] >= 0]
    labels = {task["task_id"]: task["rendered_map_index"] for task in tasks}
    for task_id in ("list_source", "commit_snapshot"):
        assert sum(task["task_id"] == task_id for task in tasks) == GROUPS
        assert " sources: " in labels[task_id]
    sums = [backups.summary(run_id, index) for index in range(GROUPS)]
    # Five users, the sample's shared drive, and what Ann shares with Bob.
    assert sum(each["complete"] for each in sums) == sum(each["sources"] for each in sums) == 7
    text = "\n".join(backups.lines(run_id, "report")[0])
    assert f"user/{SUSPENDED}: LEFT OUT (suspended)" in text
    assert f"user/{WITHOUT_DRIVE}: LEFT OUT (domainPolicy)" in text
    for user in USERS[:5]:
        [name] = backups.snapshots(f"user/{user}")
        _, rows = read_snapshot(backups.container, name.manifest)
        assert [backups.read(row["contents"][0]["blob"]) for row in rows.values()] == [user.encode()]
    assert backups.snapshots("shared/bob@example.com")


def test_a_source_that_is_named_fails_the_run_and_hides_no_other(backups, organisation):
    organisation(backups)
    run_id, state = backups.run(sources=["users/many-*", f"user/{WITHOUT_DRIVE}"])
    assert state == "failed"
    failed = [task for task in backups.api.tasks(DAG_ID, run_id) if task["state"] == "failed"]
    assert {task["task_id"] for task in failed} == {"list_source", "report"}
    assert f"user/{WITHOUT_DRIVE}: NOT LISTED (domainPolicy)" in "\n".join(backups.lines(run_id, "report")[0])
    assert all(len(backups.snapshots(f"user/{user}")) >= 1 for user in USERS[:5])
    sums = [backups.summary(run_id, index) for index in range(GROUPS)]
    assert sum(each.get("sources", 1) for each in sums) == 5

"""A tree of any number of files whose bytes come from a seed: nothing is on disk, nothing but names is in memory."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from include.local_cloud.drive.content import SeededContent
from include.local_cloud.drive.edits import create, guess_type
from include.local_cloud.drive.model import FOLDER, Item, Revision
from include.local_cloud.drive.state import DriveState

OWNER = "ann@example.com"
FIRST_MS = 1_704_067_200_000  # 2024-01-01
SPAN_MS = 2 * 365 * 86_400_000
MAX_DEPTH = 12
_EXTENSIONS = ("pdf", "docx", "xlsx", "jpg", "png", "txt", "csv", "zip", "mp4", "bin")
_WORDS = ("Budget", "Report", "Invoice", "Minutes", "Plan", "Photo", "Contract", "Draft", "Offer", "Notes")


def sizes(profile: str, rng: random.Random) -> Callable[[], int]:
    """A size distribution in bytes.

    :param profile: ``small`` (4 to 64 KiB), ``large`` (64 to 512 MiB), ``lognormal`` (median 40 KiB, up to 1 GiB),
        or ``LOW-HIGH`` for an even one.
    :raises ValueError: for any other profile.
    """
    spans = {"small": (4 << 10, 64 << 10), "large": (64 << 20, 512 << 20)}
    own = re.fullmatch(r"(\d+)-(\d+)", profile)
    if own is not None:
        spans[profile] = (int(own[1]), int(own[2]))
    if profile in spans:
        low, high = spans[profile]
        return lambda: rng.randint(low, high)
    if profile == "lognormal":
        return lambda: min(int(rng.lognormvariate(10.6, 2.0)), 1 << 30)
    raise ValueError(f"'{profile}' is no size profile: use small, large, lognormal or LOW-HIGH in bytes.")


def generated_state(
    *, seed: int = 1, files: int = 1_000, folders: int | None = None, profile: str = "small"
) -> DriveState:
    """Ann's My Drive with a tree of folders and files, the same for the same arguments.

    :param folders: one for 20 files by default.
    :param profile: see :func:`sizes`.
    """
    state = DriveState(seed=seed)
    state.add_user(OWNER, "Ann Example", admin=True)
    state.add_user("bob@example.com", "Bob Example")
    rng = random.Random(seed)
    places = _folders(state, rng, max(files // 20, 1) if folders is None else folders)
    size = sizes(profile, rng)
    for number in range(files):
        name = f"{rng.choice(_WORDS)} {number:06d}.{rng.choice(_EXTENSIONS)}"
        item = _item(state, rng, name, guess_type(name), rng.choice(places))
        content = SeededContent(f"{seed}/{number}", size())
        item.revisions.append(Revision(state.new_id(51), item.modified, content, item.mime_type, OWNER, name))
        state.add(item, log=False)
    return state


def organisation_state(*, seed: int = 1, users: int = 100, files: int = 1, drives: int = 0) -> DriveState:
    """An administrator, and many users and shared drives with a few small files each.

    :param users: beside the administrator, :data:`OWNER`; each has an organisational unit, ``/Unit 0`` to ``/Unit 9``.
    :param files: in each My Drive and each shared drive.
    :param drives: shared drives; the administrator is a member of the even ones.
    """
    state = DriveState(seed=seed)
    state.add_user(OWNER, "Ann Example", admin=True)
    for number in range(users):
        email = f"user{number:05d}@example.com"
        user = state.add_user(email)
        user.org_unit = f"/Unit {number % 10}"
        _fill(state, email, user.root_id, files)
    for number in range(drives):
        members = {OWNER if number % 2 == 0 else "user00000@example.com": "organizer"}
        drive = state.add_drive(f"Team {number:04d}", members)
        _fill(state, next(iter(members)), drive.id, files)
    return state


def _fill(state: DriveState, by: str, folder: str, files: int) -> None:
    for number in range(files):
        content = SeededContent(f"{folder}/{number}", 1_000 + number)
        # Not in the logs: each entry looks at every user.
        create(state, f"file {number}.txt", folder, content, by=by, at=FIRST_MS, log=False)


def _folders(state: DriveState, rng: random.Random, count: int) -> list[str]:
    places, depths = [state.users[OWNER].root_id], [0]
    for number in range(count):
        above = rng.randrange(len(places))
        while depths[above] >= MAX_DEPTH:
            above = rng.randrange(len(places))
        item = _item(state, rng, f"{rng.choice(_WORDS)}s {number:05d}", FOLDER, places[above])
        state.add(item, log=False)
        places.append(item.id)
        depths.append(depths[above] + 1)
    return places


def _item(state: DriveState, rng: random.Random, name: str, mime_type: str, parent: str) -> Item:
    created = FIRST_MS + rng.randrange(SPAN_MS)
    modified = created + rng.randrange(SPAN_MS // 4)
    return Item(state.new_id(), name, mime_type, [parent], OWNER, created, modified, by=OWNER)

"""Who gets how much of a budget. Pure: the same claims in any order give the same shares, never more than there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from include.drive_backup.model import Struct

#: What is shared: Drive's quota units, calls (the older model), and bytes of content; each per minute.
RESOURCES = ("units", "queries", "bytes")


class Claim(Struct, frozen=True):
    """What one task wants.

    :ivar token: names the task.
    :ivar user: whom it acts as; empty for the connection's own account.
    :ivar wants: resource to amount a minute; a resource that is missing is wanted without bound.
    :ivar pace: 0 to 1; less than 1 after Drive asked this task to slow down.
    """

    token: str
    user: str = ""
    wants: dict[str, int] = {}
    pace: float = 1.0


class Budget(Struct, frozen=True):
    """What may be spent of one resource a minute. None: no limit."""

    per_user: int | None = None
    per_project: int | None = None

    @property
    def least(self) -> int | None:
        """What one task may spend at most, were it alone."""
        limits = [each for each in (self.per_user, self.per_project) if each is not None]
        return min(limits, default=None)

    def part(self, share: float) -> Budget:
        """The budget times a number."""
        per_user = None if self.per_user is None else int(self.per_user * share)
        return Budget(
            per_user=per_user, per_project=None if self.per_project is None else int(self.per_project * share)
        )


def divide(claims: Iterable[Claim], budget: Budget, resource: str) -> dict[str, int]:
    """Max-min fair shares by token: first among users, then among the tasks of each user.

    Nobody gets more than it wants, and nobody could get more without taking it from somebody who has no more than it.
    """
    most = budget.least
    if most is None:
        return {}
    users: dict[str, dict[str, int]] = {}
    for claim in claims:
        users.setdefault(claim.user, {})[claim.token] = min(claim.wants.get(resource, most), most)
    wanted = {user: min(sum(tasks.values()), most) for user, tasks in users.items()}
    granted = wanted if budget.per_project is None else fair(budget.per_project, wanted)
    return {token: share for user, tasks in users.items() for token, share in fair(granted[user], tasks).items()}


def fair(capacity: int, wants: Mapping[str, int]) -> dict[str, int]:
    """Max-min fair shares of a capacity (water filling): the smallest wants first, each at most an equal part."""
    shares, left = {}, capacity
    for place, (name, want) in enumerate(sorted(wants.items(), key=lambda each: (each[1], each[0]))):
        shares[name] = min(want, left // (len(wants) - place))
        left -= shares[name]
    return shares

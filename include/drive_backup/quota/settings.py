"""How much of Drive's quota may be used, as plain values that an operator can be given."""

from __future__ import annotations

from include.drive_backup.model import Struct
from include.drive_backup.quota.division import Budget

#: The part of each budget that is kept for tasks that have just begun and are in nobody's reckoning yet.
RESERVE = 0.05


class QuotaSettings(Struct, frozen=True):
    """Budgets, per user that is acted as and per project of the credential. None: no limit.

    :ivar group: names the quota: those that use one Google Cloud project should use one connection, this is its id.
    :ivar tasks_at_once: how many tasks share the budgets at most.
    :ivar job: whose ``job_…_per_day`` the last two are.
    :ivar epoch: seconds between two divisions.
    """

    group: str = "drive"
    units_per_minute: int | None = 325_000
    project_units_per_minute: int | None = 1_000_000
    queries_per_minute: int | None = None
    project_queries_per_minute: int | None = None
    mb_per_minute: int | None = None
    tasks_at_once: int = 8
    units_per_day: int | None = None
    gb_per_day: float | None = None
    job: str = "default"
    job_units_per_day: int | None = None
    job_gb_per_day: float | None = None
    epoch: int = 10

    @property
    def budgets(self) -> dict[str, Budget]:
        """The budgets a minute, by resource."""
        mb = self.mb_per_minute
        return {
            "units": Budget(per_user=self.units_per_minute, per_project=self.project_units_per_minute),
            "queries": Budget(per_user=self.queries_per_minute, per_project=self.project_queries_per_minute),
            "bytes": Budget(per_project=None if mb is None else mb * 1_000_000),
        }

    def rates(self, share: float) -> dict[str, float | None]:
        """A part of each budget, as a rate a minute for one task."""
        least = {name: budget.least for name, budget in self.budgets.items()}
        return {name: None if each is None else each * share for name, each in least.items()}

    @property
    def fixed_rates(self) -> dict[str, float | None]:
        """What each task may spend if it knows nothing of the others."""
        return self.rates(1 / self.tasks_at_once)

    @property
    def newcomer_rates(self) -> dict[str, float | None]:
        """What a task may spend that is in nobody's reckoning yet."""
        return self.rates(RESERVE / self.tasks_at_once)

"""What a run will take and cost, said before it copies, and what it took and cost, said after. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from include.drive_backup.model import Struct, human_bytes
from include.drive_backup.pacing import DOWNLOAD_UNITS
from include.drive_backup.spent import Spent
from include.drive_backup.transfer.ranges import ranges_of
from include.drive_backup.transfer.upload import BLOCK_SIZE, block_size

GB = 10**9


class Prices(Struct, frozen=True, omit_defaults=False):
    """What Azure charges, in one currency.

    :ivar storage_gb_month: for one GB (10⁹ bytes) in a month.
    :ivar writes_10k: for 10,000 write operations.
    """

    currency: str = "USD"
    storage_gb_month: float = 0.018
    writes_10k: float = 0.05


class Cost(Struct, frozen=True):
    """An estimate, or what really was: the same keys, to be laid side by side.

    :ivar files: content versions that are copied.
    :ivar bytes: their bytes.
    :ivar units: Drive quota units.
    :ivar minutes: from the beginning of the listing to the commit.
    :ivar writes: Blob write requests.
    :ivar storage_month: money for a month of keeping the bytes.
    :ivar writes_once: money for the writes.
    """

    files: int
    bytes: int
    units: int
    minutes: float
    writes: int
    storage_month: float
    writes_once: float
    prices: Prices

    def __str__(self) -> str:
        currency = self.prices.currency
        return (
            f"{self.files:,} content versions, {human_bytes(self.bytes)}, {self.units:,} quota units, "
            f"{human_minutes(self.minutes)}, {self.writes:,} writes; "
            f"{self.storage_month:,.2f} {currency} a month to keep, {self.writes_once:,.2f} {currency} once to write"
        )


class Expectation(Struct, frozen=True):
    """What an estimate is made with.

    :ivar units_per_minute: of Drive's quota; None for no limit.
    :ivar mb_per_second: megabytes a second of all tasks together.
    :ivar tasks_at_once: copy tasks that run side by side.
    :ivar files_in_flight: of each of them.
    """

    prices: Prices = Prices()
    units_per_minute: int | None = 325_000
    mb_per_second: float = 50.0
    tasks_at_once: int = 8
    files_in_flight: int = 16


def estimate(sizes: Iterable[int], expected: Expectation, *, units: int, minutes: float, beside: int = 0) -> Cost:
    """The cost of a run that copies content versions.

    :param sizes: bytes of each.
    :param units: quota units that were spent already, on the listing.
    :param minutes: that went by already.
    :param beside: quota units that permissions, comments … will take.
    """
    files = size = writes = reads = 0
    for each in sizes:
        files, size, writes, reads = files + 1, size + each, writes + writes_of(each), reads + ranges_of(each)
    ahead = reads * DOWNLOAD_UNITS + beside
    by_quota = ahead / expected.units_per_minute if expected.units_per_minute else 0.0
    by_line = size / (expected.mb_per_second * 1e6 * 60)
    spent = Spent(units=units + ahead, writes=writes)
    return cost(files, size, spent, minutes=minutes + max(by_quota, by_line), prices=expected.prices)


def cost(files: int, size: int, spent: Spent, *, minutes: float, prices: Prices) -> Cost:
    """The cost of what was spent."""
    return Cost(
        files=files,
        bytes=size,
        units=spent.units,
        minutes=round(minutes, 1),
        writes=spent.writes,
        storage_month=round(size / GB * prices.storage_gb_month, 4),
        writes_once=round(spent.writes / 10_000 * prices.writes_10k, 4),
        prices=prices,
    )


def writes_of(size: int) -> int:
    """Write requests that content of so many bytes takes: one, or one per block and one that commits them."""
    return 1 if size <= BLOCK_SIZE else 1 + math.ceil(size / block_size(size))


def human_minutes(minutes: float) -> str:
    """``3 h 20 min``."""
    hours, rest = divmod(math.ceil(minutes), 60)
    return f"{hours:,} h {rest} min" if hours else f"{rest} min"

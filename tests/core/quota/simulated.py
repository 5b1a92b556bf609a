"""Several tasks, a Drive that enforces its quota, and a container that is some milliseconds away; in virtual time."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from msgspec.structs import replace

from include.drive_backup.errors import DailyQuotaError, ServiceUnavailableError
from include.drive_backup.quota.settings import QuotaSettings
from include.drive_backup.quota.shared import SharedQuota
from include.local_cloud.drive.errors import ApiError
from include.local_cloud.drive.quota import Limits, Quota
from tests.support.memory_blob import MemoryBlobStore
from tests.support.virtual_time import VirtualClock


class DistantStore(MemoryBlobStore):
    """Blob's time is right, in whole seconds; each call takes a while."""

    def __init__(self):
        super().__init__()
        self.clock, self.dice, self.down = VirtualClock(), random.Random(7), False

    async def _travel(self):
        await self.clock.sleep(self.dice.uniform(0.01, 0.2))
        if self.down:
            raise ServiceUnavailableError("Blob is down.", service="blob")

    async def put(self, name, data, **options):
        await self._travel()
        created = await super().put(name, data, **options)
        if created:
            _, info = self.blobs[name]
            self.blobs[name] = (data, replace(info, modified=self.clock.now().replace(microsecond=0)))
        return created

    async def list(self, prefix, *, metadata=False):
        await self._travel()
        async for info in super().list(prefix, metadata=metadata):
            yield info

    async def delete(self, names):
        await self._travel()
        await super().delete(names)


class World:
    """``spent``: moment, task and units of each call that Drive served; ``refused``: the moments of the others."""

    def __init__(self, settings, limits=None):
        self.settings, self.store = settings, DistantStore()
        self.limits = limits or Limits(settings.units_per_minute, settings.project_units_per_minute)
        self.drive = Quota(self.limits, lambda: asyncio.get_running_loop().time())
        self.spent, self.refused, self.stopped = [], [], []
        self.storm = 0.0
        self.dice = random.Random(3)

    async def task(self, name, seconds, *, user="", begin=0.0, workers=16, pause=0.0, wrong=0.0, settings=None):
        """Download small files for a while."""
        await asyncio.sleep(begin)
        clock = VirtualClock(wrong)
        async with SharedQuota(self.store, settings or self.settings, clock, user=user) as shared:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.gather(*(self._work(name, user, shared.limiter, pause) for _ in range(workers)))

    async def _work(self, name, user, limiter, pause):
        loop = asyncio.get_running_loop()
        while True:
            try:
                await limiter.acquire(200)
            except DailyQuotaError as error:
                self.stopped.append((name, str(error)))
                return
            try:
                if self.dice.random() < self.storm:
                    raise ApiError(403, "userRateLimitExceeded", "Slow down.")
                self.spent.append((loop.time(), name, self.drive.charge("download", user)))
            except ApiError:
                self.refused.append(loop.time())
                limiter.slow_down()
                await asyncio.sleep(1 + self.dice.random())
            await asyncio.sleep(self.dice.uniform(0.05, 0.15) + pause)

    def rate(self, begin, end, *names):
        """Units a minute that were served in a span of time, to some of the tasks."""
        units = sum(units for time, name, units in self.spent if begin <= time < end and (not names or name in names))
        return units * 60 / (end - begin)


def small(**changes):
    """A quota that binds a few tasks."""
    return QuotaSettings(**({"units_per_minute": 60_000, "project_units_per_minute": 200_000} | changes))

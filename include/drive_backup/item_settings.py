"""Which items a job saves: config and params read these settings alike. Part of the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from include.drive_backup.errors import ConfigError
from include.drive_backup.globs import compile_globs
from include.drive_backup.handover import Filters
from include.drive_backup.model import Detail, format_instant
from include.drive_backup.moments import read_moment

_MIME_GLOB = re.compile(r"[\w.+*?\[\]!-]+/[\w.+*?\[\]!-]+", re.ASCII)
_OWNER = re.compile(r"[^\s@]*@[^\s@]+")
_DATE = len("2026-01-31")
_ID = re.compile(r"[\w-]+", re.ASCII)


def _moment(value: Any) -> Any:
    """A date means its first moment in UTC."""
    if isinstance(value, date):
        value = value.isoformat()
    moment = None
    if isinstance(value, str):
        # A time has to name its zone.
        moment = read_moment(value, UTC, "begin") if len(value.strip()) <= _DATE else read_moment(value, None)
    if moment is not None:
        return moment
    raise ValueError("a date, or a time with its zone, such as 2026-01-31 or 2026-01-31T18:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment)]


class ItemSettings(BaseModel):
    """Filters, and what is saved beside items that live and their content. An empty list filters nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    exclude_folders: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    exclude_mime_types: tuple[str, ...] = ()
    min_size: ByteSize | None = None
    max_size: ByteSize | None = None
    owners: tuple[str, ...] = ()
    modified_since: Moment | None = None
    trashed: bool = False
    save: tuple[Detail, ...] = ()

    @field_validator("include", "exclude")
    @classmethod
    def _globs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            compile_globs(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("folders", "exclude_folders")
    @classmethod
    def _ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _all(value, _ID, "ids of folders, as in https://drive.google.com/drive/folders/<id>")

    @field_validator("mime_types", "exclude_mime_types")
    @classmethod
    def _mime_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _all(value, _MIME_GLOB, "MIME types or globs such as video/* or application/pdf")

    @field_validator("owners")
    @classmethod
    def _owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _all(value, _OWNER, "e-mail addresses or globs such as ann@example.com or *@example.com")

    @field_validator("min_size", "max_size", mode="wrap")
    @classmethod
    def _size(cls, value: Any, parse: ValidatorFunctionWrapHandler, info: ValidationInfo) -> ByteSize | None:
        try:
            size: ByteSize | None = parse(value)
        except ValidationError:
            raise ValueError("a size such as 10 MB, 1.5 GB, 512 KiB, or a number of bytes") from None
        smallest = info.data.get("min_size")
        if info.field_name == "max_size" and size is not None and smallest is not None and size < smallest:
            raise ValueError("not less than min_size")
        return size

    @property
    def filters(self) -> Filters:
        """The filters that look at single items and folders, for the tasks."""
        return Filters(
            folders=self.folders,
            exclude_folders=self.exclude_folders,
            mime_types=self.mime_types,
            exclude_mime_types=self.exclude_mime_types,
            min_size=None if self.min_size is None else int(self.min_size),
            max_size=None if self.max_size is None else int(self.max_size),
            owners=self.owners,
            modified_since=format_instant(self.modified_since) if self.modified_since else None,
        )

    @classmethod
    def of_params(cls, params: Mapping[str, Any]) -> ItemSettings:
        """Read the params of a run; an empty field means that nothing is filtered.

        :raises ConfigError: names the param and what is allowed.
        """
        given = {name: params[name] for name in ItemSettings.model_fields if params.get(name) is not None}
        try:
            return ItemSettings.model_validate(given)
        except ValidationError as error:
            raise ConfigError("; ".join(map(_sentence, error.errors()))) from None


def _all(values: tuple[str, ...], pattern: re.Pattern[str], allowed: str) -> tuple[str, ...]:
    if not all(pattern.fullmatch(value) for value in values):
        raise ValueError(allowed)
    return values


def _sentence(error: Any) -> str:
    said = str(error.get("ctx", {}).get("error") or error["msg"])
    return f"{'.'.join(map(str, error['loc']))}: {error['input']!r} is not allowed: {said[0].lower() + said[1:]}"

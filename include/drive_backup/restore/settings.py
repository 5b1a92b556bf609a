"""The ``restore:`` section of the config file: where the restore DAG may go, and who has to agree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: ``elsewhere``: to another place than it came from, or in place of what is there.
Approval = Literal["never", "elsewhere", "always"]
_KINDS = ("user/", "drive/", "folder/")


class RestoreSettings(BaseModel):
    """Where a restore may go beside the place that it came from, whom it may act as, and when a person has to agree."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: tuple[str, ...] = Field((), description="globs on places in Drive: user/…, drive/…, folder/…")
    containers: tuple[str, ...] = Field((), description="globs on <connection id>/<container>")
    act_as: tuple[str, ...] = Field((), description="globs on the addresses of users to act as")
    approval: Approval = "never"
    approval_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 72.0

    @field_validator("places")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not each.startswith((*_KINDS, "*")):
                raise ValueError("places in Drive, as globs: user/*@example.com, drive/<id>, folder/<id>, or *")
        return value

    @field_validator("containers")
    @classmethod
    def _containers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*" and each.count("/") != 1:
                raise ValueError("<connection id>/<container>, as globs: drive_backup_blob/restored, or *")
        return value

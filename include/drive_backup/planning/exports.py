"""How one Google-native document is exported: which formats, under which MIME type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.drive_backup.exports import DEFAULT_FORMATS, EXPORT_FORMATS, MIME_TYPES
from include.drive_backup.model import NATIVE_PREFIX, Item, Struct

#: Types that are known to have no export.
_WITHOUT_EXPORT = frozenset({"map", "fusiontable", "mail-layout"})
_UNKNOWN = (
    "Drive has the type '{}', which this version of Drive Backup does not know, and offers no export of it; only its "
    "metadata is saved. Ask for a newer version."
)


class Export(Struct, frozen=True):
    """One export of a native: the format's extension, without a dot, and the MIME type to ask for."""

    format: str
    mime_type: str


class NoExport(Struct, frozen=True):
    """Why a native has no content in a backup."""

    reason: str
    message: str


def exports_of(item: Item, formats: Mapping[str, Sequence[str]]) -> tuple[Export, ...] | NoExport:
    """What to export of a native.

    :param formats: native type to extensions; a type that is not named has :data:`DEFAULT_FORMATS`.
    """
    native = item.mime_type.removeprefix(NATIVE_PREFIX)
    extensions = formats.get(native, DEFAULT_FORMATS.get(native))
    if extensions is None:
        return _of_new_type(item, native)
    if not extensions:
        return NoExport(
            reason="exportNotConfigured",
            message=f"The setting export_formats names no format for the type '{native}'; only its metadata is saved.",
        )
    return tuple(
        Export(format=extension, mime_type=_mime_type(item, extension)) for extension in dict.fromkeys(extensions)
    )


def _of_new_type(item: Item, native: str) -> tuple[Export, ...] | NoExport:
    """Of a type that nobody knew: what Drive itself offers of the item counts, whatever the type is called."""
    for extension, variants in MIME_TYPES.items():
        offered = next((variant for variant in variants if variant in item.export_links), None)
        if offered is not None:
            return (Export(format=extension, mime_type=offered),)
    known = native in _WITHOUT_EXPORT or native in EXPORT_FORMATS
    return NoExport(reason="notExportable", message=_not_exportable(native) if known else _UNKNOWN.format(native))


def _not_exportable(native: str) -> str:
    said = f"Drive offers no export of the type '{native}'; only its metadata is saved."
    if native in EXPORT_FORMATS:
        choice = ", ".join(EXPORT_FORMATS[native])
        said += f" Google's guide names {choice}, untried: the setting export_formats.{native}: [{choice}] asks for it."
    return said


def _mime_type(item: Item, extension: str) -> str:
    """The MIME type as the item's own ``exportLinks`` spell it, else the documented one."""
    variants = MIME_TYPES[extension]
    return next((variant for variant in variants if variant in item.export_links), variants[0])

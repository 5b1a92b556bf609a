"""Names that Windows, exFAT and shares of Windows can hold. Pure."""

from __future__ import annotations

import re

#: See "Naming Files, Paths, and Namespaces" in Microsoft's documentation.
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?=\s*(?:\.|\Z))", re.IGNORECASE)
_END = re.compile(r"[ .]+\Z")


def portable(name: str) -> str:
    """The name itself if they can hold it, else with what they cannot hold as ``%3A``."""
    name = _FORBIDDEN.sub(_percent, name)
    name = _END.sub(_percent, name)
    return f"%{ord(name[0]):02X}{name[1:]}" if _RESERVED.match(name) else name


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{ord(each):02X}" for each in match[0])

"""Whether the bytes of an export are a whole file of the format that was asked for, told while they go by.

Drive gives no checksum of an export, and often no length. Most formats say themselves where they end, and some carry
checksums. ``check`` knows which format is checked how; ``machine`` is what the readers of the formats share; ``zips``
and ``directory`` read zips, ``pictures`` PNG, JPEG and MP4, ``texts`` JSON, SVG and RTF, ``pdf`` PDF. Memory is
bounded, whatever a file's length. Nothing here does I/O.
"""

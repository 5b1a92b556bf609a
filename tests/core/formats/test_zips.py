"""A zip is whole, and each byte of its contents is the one that was packed."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.formats.check import check_of
from include.drive_backup.formats.machine import FlawError
from include.drive_backup.model import Checked
from tests.support import bodies

NOISE = random.Random(1).randbytes(3_000)


def judge(body: bytes, extension: str = "zip", size: int = 1 << 20) -> Checked:
    check = check_of(MIME_TYPES[extension][0])
    for start in range(0, len(body), size):
        check.see(body[start : start + size])
    return check.end()


def wide(parts: dict[str, bytes]) -> bytes:
    """A zip whose lengths are given in 64 bits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(bodies.OneWay(buffer), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    return buffer.getvalue()


def ended_wide(body: bytes) -> bytes:
    """The end of the directory also in 64 bits, with the old fields saying so."""
    at = body.rindex(b"PK\x05\x06")
    _, _, _, _, count, size, start, _ = struct.unpack("<4sHHHHIIH", body[at : at + 22])
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body[:at] + record + locator + end


def packed(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a", NOISE)
    return buffer.getvalue()


def encrypted(streamed: bool) -> bytes:
    """As if an entry were encrypted: nobody can tell its CRC."""
    body = bytearray(bodies.zipped({"a": NOISE}, stored=True, streamed=streamed))
    body[6] |= 1
    body[body.index(b"PK\x01\x02") + 8] |= 1
    return bytes(body)


PARTS = {"a.txt": b"a" * 5_000, "b/": b"", "b/noise": NOISE, "empty": b""}
LEGITIMATE = {
    "plain": bodies.zipped(PARTS),
    "nothing in it": bodies.zipped({}),
    "stored": bodies.zipped(PARTS, stored=True),
    "streamed": bodies.zipped(PARTS, streamed=True),
    "stored and streamed": bodies.zipped(PARTS, stored=True, streamed=True),
    "commented": bodies.zipped(PARTS, comment=b"c" * 65_535),
    "64 bits": wide(PARTS),
    "64 bits at the end": ended_wide(bodies.zipped(PARTS)),
    "zips in it": bodies.zipped({"x.zip": bodies.zipped(PARTS), "y.zip": bodies.zipped(PARTS, streamed=True)}),
    "zips in it, stored": bodies.zipped(
        {"x.zip": bodies.zipped(PARTS, stored=True, streamed=True), "y": NOISE}, stored=True, streamed=True
    ),
    "unicode": bodies.zipped({"Ä/日本.txt": b"x"}),
    "large": bodies.zipped({"big": b"0" * 5_000_000, "noise": NOISE * 500}),
}
OPAQUE = {
    "bzip2": packed(zipfile.ZIP_BZIP2),
    "lzma": packed(zipfile.ZIP_LZMA),
    "encrypted": encrypted(streamed=False),
    "encrypted and streamed": encrypted(streamed=True),
}


@pytest.mark.parametrize("size", [1, 7, 4_096, 1 << 24])
@pytest.mark.parametrize("name", LEGITIMATE)
def test_a_sound_zip_of_any_kind_is_taken(name: str, size: int) -> None:
    body = LEGITIMATE[name]
    if len(body) / size < 200_000:
        assert judge(body, size=size) == "crc"


@pytest.mark.parametrize("form", ["<III", "<IQQ"])
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("data", [b"text " * 100, b""])
def test_lengths_after_an_entry_come_in_four_ways(form: str, marked: bool, data: bytes) -> None:
    squeeze = zlib.compressobj(wbits=-15)
    squeezed = squeeze.compress(data) + squeeze.flush()
    facts = (zlib.crc32(data), len(squeezed), len(data))
    local = struct.pack("<4sHHHIIIIHH", b"PK\x03\x04", 20, 8, 8, 0, 0, 0, 0, 1, 0) + b"a"
    descriptor = (b"PK\x07\x08" if marked else b"") + struct.pack(form, *facts)
    entry = local + squeezed + descriptor
    central = struct.pack("<4sHHHHIIIIHHHHHII", b"PK\x01\x02", 20, 20, 8, 8, 0, *facts, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(entry), 0)
    body = entry + central + end
    assert judge(body) == judge(body, size=1) == "crc"
    assert contents(body) == {"a": data}


@pytest.mark.parametrize("name", OPAQUE)
def test_a_zip_that_cannot_be_unpacked_is_taken_and_called_no_more_than_whole(name: str) -> None:
    assert judge(OPAQUE[name]) == "whole"
    assert judge(OPAQUE[name], size=5) == "whole"


SOUND = [
    *(
        LEGITIMATE[name]
        for name in ("plain", "stored", "streamed", "stored and streamed", "64 bits", "64 bits at the end")
    ),
    bodies.office("docx", "text"),
    bodies.office("xlsx", "12", streamed=True),
]


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, len(SOUND) - 1), share=st.floats(0, 1, exclude_max=True))
def test_a_zip_that_was_cut_anywhere_is_noticed(which: int, share: float) -> None:
    body = SOUND[which]
    with pytest.raises(FlawError):
        judge(body[: int(len(body) * share)])


def not_compared(body: bytes) -> set[int]:
    """Where a change is not noticed: versions, attributes and extra fields."""
    places, at = set[int](), 0
    while (at := body.find(b"PK\x03\x04", at)) >= 0:
        name, extra = struct.unpack_from("<HH", body, at + 26)
        places |= {at + 4, at + 5, *range(at + 30 + name, at + 30 + name + extra)}
        at += 4
    at = body.find(b"PK\x01\x02")
    while body[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<HHH", body, at + 28)
        places |= {*range(at + 4, at + 8), *range(at + 36, at + 42)}
        places |= set(range(at + 46 + name, at + 46 + name + extra + comment))
        at += 46 + name + extra + comment
    if body[at : at + 4] == b"PK\x06\x06":
        places |= set(range(at + 12, at + 16))
    return places


def contents(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed_places(body: bytes) -> set[int]:
    """Where packed data is."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        starts = [
            (entry.header_offset + 30 + sum(struct.unpack_from("<HH", body, entry.header_offset + 26)), entry)
            for entry in archive.infolist()
        ]
    return {at for start, entry in starts for at in range(start, start + entry.compress_size)}


def check_that_a_change_is_noticed(body: bytes, at: int, bits: int) -> None:
    changed = bytearray(body)
    changed[at] ^= bits
    try:
        judge(bytes(changed))
    except FlawError:
        return
    # There are several ways to pack the same: then what is unpacked has not changed.
    same = at in packed_places(body) and contents(bytes(changed)) == contents(body)
    assert same, f"byte {at} with {bits} was not noticed"


@settings(max_examples=800, deadline=None)
@given(which=st.integers(0, len(SOUND) - 1), share=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_is_noticed_wherever_it_is(which: int, share: float, bits: int) -> None:
    body = SOUND[which]
    at = int(len(body) * share)
    if at not in not_compared(body):
        check_that_a_change_is_noticed(body, at, bits)


@pytest.mark.parametrize("which", range(len(SOUND)))
def test_any_byte_outside_of_packed_data_that_changes_by_any_bit_is_noticed(which: int) -> None:
    body = SOUND[which]
    for at in sorted(set(range(len(body))) - not_compared(body) - packed_places(body)):
        check_that_a_change_is_noticed(body, at, 1 << at % 8)


@settings(max_examples=100, deadline=None)
@given(which=st.integers(0, len(SOUND) - 1), start=st.floats(0, 1), length=st.integers(1, 400))
@example(which=0, start=0.0, length=1)
def test_a_part_that_is_missing_is_noticed(which: int, start: float, length: int) -> None:
    body = SOUND[which]
    at = int((len(body) - 1) * start)
    with pytest.raises(FlawError):
        judge(body[:at] + body[at + length :])


@pytest.mark.parametrize(
    ("extension", "other"),
    [
        ("docx", "xlsx"),
        ("xlsx", "pptx"),
        ("pptx", "docx"),
        ("odt", "ods"),
        ("docx", "odt"),
        ("epub", "odt"),
        ("odp", "zip"),
    ],
)
def test_a_zip_of_another_format_is_not_what_was_asked_for(extension: str, other: str) -> None:
    with pytest.raises(FlawError) as caught:
        judge(bodies.WHOLE[other], extension)
    assert caught.value.reason == "wrongFormat"


@pytest.mark.parametrize("after", [b"\0", b"<html>", bodies.zipped(PARTS)])
def test_what_follows_the_end_is_noticed(after: bytes) -> None:
    with pytest.raises(FlawError):
        judge(bodies.zipped(PARTS) + after)


def test_a_zip_that_grows_a_thousandfold_needs_no_memory() -> None:
    import tracemalloc

    body = bodies.zipped({"big": b"\0" * 60_000_000})
    tracemalloc.start()
    judge(body, size=64 * 1024)
    assert tracemalloc.get_traced_memory()[1] < 6_000_000
    tracemalloc.stop()

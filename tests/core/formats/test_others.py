"""What the other formats tell of themselves: where they end, and PNG also whether it is as it was made."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.formats.check import check_of
from include.drive_backup.formats.machine import FlawError
from include.drive_backup.model import Checked
from tests.support import bodies


def judge(extension: str, body: bytes, size: int = 1 << 20) -> Checked:
    check = check_of(MIME_TYPES[extension][0])
    for start in range(0, len(body), size):
        check.see(body[start : start + size])
    return check.end()


def with_table(objects: bytes, at: int) -> bytes:
    """Objects, a table of them, and an end that says that there is one at a place."""
    return objects + b"xref\n0 1\n0000000000 65535 f \ntrailer\n<<>>\nstartxref\n%d\n%%%%EOF\n" % at


FIRST = bodies.pdf()
UPDATED = with_table(FIRST + b"3 0 obj\n(more)\nendobj\n", len(FIRST) + 22)
LINEAR = b"%PDF-1.5\n1 0 obj\n<< /Linearized 1 >>\nendobj\n"
ARRANGED = with_table(with_table(LINEAR, 0) + b"2 0 obj\n(x)\nendobj\n", len(LINEAR))
TABLE_AS_STREAM = (
    b"%PDF-1.5\n%\xe2\xe3\n1 0 obj\n(x)\nendobj\n2 0 obj\n<< /Type /XRef /Size 3 >>\nstream\nx\nendstream\nendobj\n"
    b"startxref\n38\n%%EOF"
)
TABLE_AS_STREAM = TABLE_AS_STREAM.replace(b"38", b"%d" % TABLE_AS_STREAM.index(b"2 0 obj"))
DOCTYPE = (
    '<?xml version="1.0" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
    '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [<!ENTITY a "text"><!ENTITY ns "http://x">]>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:i="&ns;"><text>&a; &nbsp;</text></svg>\n'
)
LEGITIMATE = [
    ("pdf", bodies.pdf()),
    ("pdf", bodies.pdf(after=b"\0" * 1_024)),
    ("pdf", bodies.pdf(after=b"\r\n<!-- served by a proxy -->")),
    ("pdf", bodies.pdf(text=b"xref startxref 0 %%EOF " * 100)),
    ("pdf", UPDATED),
    ("pdf", ARRANGED),
    ("pdf", TABLE_AS_STREAM),
    ("pdf", b"%PDF-1.4\n1 0 obj\n(no table)\nendobj\ntrailer\n<<>>\nstartxref\n0\n%%EOF"),
    ("pdf", b"junk of a printer\n" + bodies.pdf()),
    ("png", bodies.png()),
    ("png", bodies.png(2_000)),
    ("jpg", bodies.jpeg()),
    ("jpg", bodies.jpeg(thumbnail=bodies.jpeg())),
    ("jpg", bodies.jpeg() + b"\0" * 60),
    ("svg", bodies.SVG),
    ("svg", b"\xef\xbb\xbf" + bodies.SVG),
    ("svg", bodies.SVG.decode().replace("UTF-8", "UTF-16").encode("utf-16")),
    ("svg", DOCTYPE.encode()),
    ("svg", b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>'),
    ("json", bodies.script("ä 日本 \U0001f600 \\ud83d \\u0000")),
    ("json", b"\xef\xbb\xbf" + bodies.script()),
    ("json", b'{"files": []}\n'),
    ("json", '{"a": "\\ud83d", "files": [{"source": "ä日\U0001f600"}], "n": [1e400, -0, true, null]}'.encode()),
    ("rtf", bodies.WHOLE["rtf"]),
    ("rtf", b"{\\rtf1 \\\\\\{ \\'e4 {\\*\\x \\}} }\r\n\0"),
    ("mp4", bodies.mp4()),
    ("mp4", bodies.mp4(b"x" * 100_000)),
    ("mp4", bodies.mp4() + struct.pack(">I4s", 0, b"mdat") + b"to the end"),
    ("mp4", bodies.mp4() + struct.pack(">I4sQ", 1, b"mdat", 20) + b"long"),
]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("which", range(len(LEGITIMATE)))
def test_a_whole_body_is_whole_however_it_is_cut_into_pieces(which: int, size: int) -> None:
    extension, body = LEGITIMATE[which]
    assert judge(extension, body, size) == ("crc" if extension == "png" else "whole")


NOT_TOLD = (UPDATED, bodies.pdf(text=b"xref startxref 0 %%EOF " * 100))
#: Those without a part that nobody can miss, or that imitates an end.
CUT = [
    (extension, body)
    for extension, body in LEGITIMATE
    if body not in NOT_TOLD and not body.endswith((b"the end", b"long", b"proxy -->"))
]


@settings(max_examples=600, deadline=None)
@given(which=st.integers(0, len(CUT) - 1), share=st.floats(0, 1, exclude_max=True))
def test_a_body_that_was_cut_anywhere_is_noticed(which: int, share: float) -> None:
    extension, body = CUT[which]
    length = int(len(body) * share)
    lost = body[length:]
    if not lost.strip(b" \r\n\0"):  # of no weight
        return
    with pytest.raises(FlawError):
        judge(extension, body[:length])


@pytest.mark.parametrize(("extension", "body"), [each for each in CUT if len(each[1]) < 2_000])
def test_each_single_place_where_a_body_may_be_cut(extension: str, body: bytes) -> None:
    for length in range(len(body)):
        lost = body[length:]
        if not lost.strip(b" \r\n\0"):
            continue
        with pytest.raises(FlawError):
            judge(extension, body[:length])


@pytest.mark.parametrize("lost", [40, 100, 500, 3_000])
def test_a_pdf_that_lost_a_part_of_its_middle_is_noticed_if_its_table_is_longer_than_that(lost: int) -> None:
    body = bodies.pdf(text=b"some text " * 1_000)
    with pytest.raises(FlawError):
        judge("pdf", body[:4_000] + body[4_000 + lost :])


def test_of_a_pdf_that_was_changed_the_last_change_cannot_be_missed_but_as_a_whole() -> None:
    first = UPDATED.index(b"3 0 obj")
    assert judge("pdf", UPDATED[:first]) == "whole"
    for length in range(first + 1, len(UPDATED) - 1):
        with pytest.raises(FlawError):
            judge("pdf", UPDATED[:length])


@settings(max_examples=300, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), rows=st.integers(1, 200))
def test_a_changed_byte_of_a_png_is_noticed(share: float, bits: int, rows: int) -> None:
    body = bytearray(bodies.png(rows))
    body[int(len(body) * share)] ^= bits
    with pytest.raises(FlawError):
        judge("png", bytes(body))


@pytest.mark.parametrize(
    ("extension", "body", "reason"),
    [
        ("pdf", bodies.pdf(b"text" * 100).replace(b"text", b""), "damagedExport"),
        ("pdf", bodies.pdf(after=b"x" * 1_025), "cutBody"),
        ("png", bodies.png() + b"x", "damagedExport"),
        ("png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND")), "damagedExport"),
        ("svg", b"<html><svg/></html>", "wrongFormat"),
        ("svg", bodies.SVG.replace(b"<g/>", b"<g>", 1), "damagedExport"),
        ("svg", bodies.SVG + b"<svg/>", "damagedExport"),
        ("svg", bodies.SVG.replace(b"UTF-8", b"UTF-9"), "wrongFormat"),
        ("json", b'{"error": {"code": 500}}', "wrongFormat"),
        ("json", b'{"error": {"files": []}}', "wrongFormat"),
        ("json", b'[{"files": []}]', "wrongFormat"),
        ("json", b"Sorry", "wrongFormat"),
        ("json", b'"files"', "wrongFormat"),
        ("json", bodies.script() + b"}", "damagedExport"),
        ("rtf", b"{\\rtf1 \\}", "cutBody"),
        ("rtf", b"{\\rtf1 {}", "cutBody"),
        ("mp4", bodies.mp4()[:40], "cutBody"),
        ("mp4", bodies.mp4().replace(b"moov", b"free"), "cutBody"),
        ("mp4", b"\0\0\0\x08moov", "wrongFormat"),
        ("jpg", b"\xff\xd8\xff\xd9"[:3], "cutBody"),
        ("jpg", bodies.jpeg().replace(b"\xff\xda", b"\xfe\xda"), "damagedExport"),
    ],
)
def test_what_is_wrong_is_told(extension: str, body: bytes, reason: str) -> None:
    with pytest.raises(FlawError) as caught:
        judge(extension, body)
    assert caught.value.reason == reason


def test_rtf_with_raw_bytes_is_taken_and_nothing_is_claimed() -> None:
    body = b"{\\rtf1 {\\bin4 }}}{}}"
    assert judge("rtf", body) == judge("rtf", body, 3) == "nothing"


def test_entities_are_not_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    body = f'<!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]><svg>&l29;</svg>'.encode()
    assert judge("svg", body) == "whole"


def test_a_file_outside_of_an_svg_is_not_read(tmp_path: object) -> None:
    body = b'<!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg>&e;</svg>'
    assert judge("svg", body) == "whole"


@pytest.mark.parametrize("extension", bodies.TEXTS)
def test_of_texts_nothing_is_claimed(extension: str) -> None:
    assert judge(extension, b"%PDF-1.7") == judge(extension, b"") == "nothing"

"""The parts of minimal Office Open XML packages (ECMA-376)."""

from __future__ import annotations

from html import escape

from include.local_cloud.drive.clock import to_text

Parts = dict[str, str | bytes]
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OOXML = "application/vnd.openxmlformats-officedocument."
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"


def _relations(*targets: tuple[str, str]) -> str:
    """Relationship parts; each target is (kind, path)."""
    rows = "".join(
        f'<Relationship Id="rId{n}" Type="{kind if "://" in kind else f"{_OFFICE}/{kind}"}" Target="{path}"/>'
        for n, (kind, path) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def _package(main: str, moment: int, types: dict[str, str], parts: Parts) -> Parts:
    """The frame that all three kinds share.

    :param main: path of the main part.
    :param types: path → content type, without the common prefix.
    """
    overrides = "".join(f'<Override PartName="/{p}" ContentType="{_OOXML}{t}+xml"/>' for p, t in types.items())
    content_types = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Default Extension="jpeg" ContentType="image/jpeg"/>'
        '<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
        f"{overrides}</Types>"
    )
    core = (
        f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{to_text(moment)[:19]}Z</dcterms:modified></cp:coreProperties>'
    )
    relations = _relations(("officeDocument", main), (f"{_PACKAGE}/relationships/metadata/core-properties", _CORE))
    frame: Parts = {"[Content_Types].xml": content_types, "_rels/.rels": relations, _CORE: core}
    return frame | parts


_CORE = "docProps/core.xml"


def document(_title: str, lines: list[str], _mime_type: str, moment: int) -> Parts:
    """WordprocessingML."""
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in lines)
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    main = f'{_XML}<w:document xmlns:w="{space}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    types = {"word/document.xml": "wordprocessingml.document.main"}
    return _package("word/document.xml", moment, types, {"word/document.xml": main})


def workbook(_title: str, lines: list[str], _mime_type: str, moment: int) -> Parts:
    """SpreadsheetML with one sheet of inline strings."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = "".join(
        f'<row r="{n}">'
        + "".join(f'<c t="inlineStr"><is><t xml:space="preserve">{escape(v)}</t></is></c>' for v in line.split("\t"))
        + "</row>"
        for n, line in enumerate(lines, 1)
    )
    book = (
        f'{_XML}<workbook xmlns="{space}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    parts: Parts = {
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": _relations(("worksheet", "worksheets/sheet1.xml")),
        "xl/worksheets/sheet1.xml": f'{_XML}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>',
    }
    types = {
        "xl/workbook.xml": "spreadsheetml.sheet.main",
        "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
    }
    return _package("xl/workbook.xml", moment, types, parts)


def _shapes(lines: list[str]) -> str:
    text = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr>'
        '<a:xfrm><a:off x="0" y="0"/><a:ext cx="9144000" cy="6858000"/></a:xfrm>'
        f'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr/>{text}</p:txBody></p:sp>'
    )
    return f"<p:cSld><p:spTree>{group}{shape if lines else ''}</p:spTree></p:cSld>"


def _slide_part(tag: str, inner: str) -> str:
    return f'{_XML}<p:{tag} xmlns:a="{_DRAWING}" xmlns:p="{_SLIDES}" xmlns:r="{_OFFICE}">{inner}</p:{tag}>'


def _theme() -> str:
    accents = [f"accent{number}" for number in range(1, 7)]
    names = ["dk1", "lt1", "dk2", "lt2", *accents, "hlink", "folHlink"]
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{"FFFFFF" if "lt" in name else "000000"}"/></a:{name}>' for name in names
    )
    font = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'{_XML}<a:theme xmlns:a="{_DRAWING}" name="Plain"><a:themeElements><a:clrScheme name="Plain">{colours}'
        f'</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont>'
        f'</a:fontScheme><a:fmtScheme name="Plain"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}'
        f"</a:lnStyleLst><a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}"
        "</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )


_COLOUR_MAP = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" '
    'accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'
)


def presentation(_title: str, lines: list[str], _mime_type: str, moment: int) -> Parts:
    """PresentationML: one slide, with the master, layout and theme that readers insist on."""
    deck = _slide_part(
        "presentation",
        '<p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        '<p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst>'
        '<p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/>',
    )
    layouts = '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    layout, master, theme = "slideLayouts/slideLayout1.xml", "slideMasters/slideMaster1.xml", "theme/theme1.xml"
    parts: Parts = {
        "ppt/presentation.xml": deck,
        "ppt/_rels/presentation.xml.rels": _relations(("slideMaster", master), ("slide", "slides/slide1.xml")),
        "ppt/slides/slide1.xml": _slide_part("sld", _shapes(lines)),
        "ppt/slides/_rels/slide1.xml.rels": _relations(("slideLayout", f"../{layout}")),
        f"ppt/{layout}": _slide_part("sldLayout", _shapes([])),
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": _relations(("slideMaster", f"../{master}")),
        f"ppt/{master}": _slide_part("sldMaster", _shapes([]) + _COLOUR_MAP + layouts),
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _relations(
            ("slideLayout", f"../{layout}"), ("theme", f"../{theme}")
        ),
        f"ppt/{theme}": _theme(),
    }
    types = {
        "ppt/presentation.xml": "presentationml.presentation.main",
        "ppt/slides/slide1.xml": "presentationml.slide",
        f"ppt/{layout}": "presentationml.slideLayout",
        f"ppt/{master}": "presentationml.slideMaster",
        f"ppt/{theme}": "theme",
    }
    return _package("ppt/presentation.xml", moment, types, parts)

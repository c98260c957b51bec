"""XML that strangers send, to a tree: no DOCTYPE, no entity, no inclusion, no network, bounded in bytes and depth.

The text is decoded here and handed to the parser as UTF-8, so that no encoding hides what was looked for.
"""

from __future__ import annotations

import re

from lxml import etree

from services.gateway.bank import decoding
from services.gateway.bank.limits import XML_DEPTH_MAX, XML_SIGNS_MAX
from services.gateway.bank.statement import Broken

_ALLOWED = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
"""Encodings that banks declare. UTF-7 and the like exist only in attacks."""

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]{0,200}\?>")
_ENCODING = re.compile(r"""encoding\s{0,10}=\s{0,10}["']([A-Za-z0-9._-]{1,40})["']""")
_FORBIDDEN = {
    "<!DOCTYPE": "a document type declaration",
    "<!ENTITY": "an entity declaration",
    "http://www.w3.org/2001/XInclude": "an inclusion of other files",
}
_TOO_DEEP = "boolean(/" + "/".join(["*"] * (XML_DEPTH_MAX + 1)) + ")"


def tree_of(data: bytes) -> etree._Element:
    """The root element. Raises `Broken` with the line for what is not well formed or not allowed."""
    text = _text(data)
    for sign, what in _FORBIDDEN.items():
        if (at := text.find(sign)) >= 0:
            raise Broken(f"line {decoding.line_at(text, at)}", f"holds {what}, which no bank sends", "send the bank's own file")
    if (signs := text.count("<") + text.count("=")) > XML_SIGNS_MAX:
        raise Broken("file", f"{signs} tags and attributes, at most {XML_SIGNS_MAX} are read", "send it in several files")
    root = _parsed(text.encode("utf-8"))
    if root.xpath(_TOO_DEEP):
        raise Broken("file", f"elements lie deeper than {XML_DEPTH_MAX}", "send the bank's own file")
    return root


def _text(data: bytes) -> str:
    bare, mark = decoding.marked(data)
    encoding = mark or _declared(bare)
    try:
        text = bare.decode(encoding)
    except UnicodeDecodeError as error:
        line = bare.count(b"\n", 0, error.start) + 1
        raise Broken(
            f"line {line}", f"the byte {bare[error.start]:#04x} is no {encoding}, which the file says it is", "send UTF-8"
        ) from error
    if "\x00" in text:
        raise Broken("line 1", "holds NUL characters: another encoding than declared", "send UTF-8")
    found = _DECLARATION.match(text)
    return text[found.end() :].lstrip(" \t") if found else text


def _declared(bare: bytes) -> str:
    head = bare[:300].decode("latin-1")
    found = _ENCODING.search(head) if _DECLARATION.match(head) else None
    name = found[1].lower() if found else "utf-8"
    if name not in _ALLOWED or name == "utf-16":
        raise Broken(
            "line 1", f"the encoding {name!r} is not read", f"send one of: {', '.join(sorted(_ALLOWED))} (UTF-16 with its mark)"
        )
    return _ALLOWED[name]


def _parsed(text: bytes) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 1
        raise Broken(f"line {line}", f"no well-formed XML: {error.msg}", "fetch the file again from the bank") from error

"""The information field :86: of MT940: German ?20 subfields, /NAME/ tags, or plain text, to payer, references and text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.gateway.bank import decoding, references

_GERMAN = re.compile(r"\s?([0-9]{3})\s?([?@<>|+~^&$%*])(?=[0-9]{2})")
_SEPA = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP)(?:\+|: ?)")
_SLASHED = re.compile(
    r"/(TRTP|CSID|BENM|ORDP|ADDR|CNTP|PREF|RTRN|SVCL|ULTD|ULTB|ULTC|OCMT|CHGS|CHGA|EXCH|TRCD|IBAN|BIC|NAME|REMI|EREF|MARF|PURP|ID|"
    r"NRTX|ISDT|INIT|CREF|IREF|PY|RREF|BO|BN|BI|EI|RI|TXT|REF)/"
)
_GVC = re.compile(r"[0-9]{3}(?=[A-Z0-9 ]|$)")
SUBFIELD_CHARS = 27
_LABELLED_NAME = re.compile(r"\b(?:NAAM|NAME): ?([^:]{1,70}?)(?= [A-Z][A-Za-z]{2,20}:|$)", re.IGNORECASE)
_LABELLED_ACCOUNT = re.compile(r"\b(?:REK|IBAN): ?([A-Z]{2}[0-9]{2}[A-Z0-9]{10,30})\b")
WRAP_CHARS = 62
"""A line this long was broken by its width (65 signs), not at a word: the next one goes on without a blank."""


class Told(NamedTuple):
    """What the field says; empty where it does not."""

    code: str = ""
    name: str = ""
    account: str = ""
    bank: str = ""
    reference: str = ""
    end_to_end: str = ""
    text: str = ""


def read(lines: Sequence[str]) -> Told:
    """`lines` of all :86: of one entry. Never refuses: the money is in :61:."""
    flat = "".join(lines)
    if german := _GERMAN.match(flat):
        return _german(german[1], flat[german.end() - 1 :])
    if len(_SLASHED.findall(flat)) >= 2 or re.match(r"/(TRTP|EREF|REMI|CNTP|NAME|BENM|ORDP)/", flat):
        return _slashed(flat)
    return _plain(lines)


# --- ?00 ?20..?29 ?30 ?31 ?32 ?33 ?60..?63 --------------------------------------------------------------------------


def _german(code: str, text: str) -> Told:
    fields = _subfields(text)
    purpose = _purpose([fields[number] for number in (*range(20, 30), *range(60, 64)) if number in fields])
    sepa = _tagged(_SEPA, purpose)
    remittance = sepa.get("SVWZ", "") or sepa.get("", "")
    return Told(
        code=code,
        name=decoding.field(fields.get(32, "") + fields.get(33, "")),
        account=decoding.field(fields.get(38) or fields.get(31) or sepa.get("IBAN"), 34).replace(" ", ""),
        bank=decoding.field(fields.get(30) or sepa.get("BIC"), 35),
        reference=references.creditor_reference(purpose),
        end_to_end=references.given(decoding.field(sepa.get("EREF"))),
        text=decoding.joined([remittance or purpose, _behalf(sepa.get("ABWA"))]) or decoding.field(fields.get(0)),
    )


def _subfields(text: str) -> dict[int, str]:
    """`?20first?21second`: the separator is the first sign; a sign that no two digits follow is text."""
    parts = re.split(re.escape(text[0]) + r"([0-9]{2})", text)
    fields: dict[int, str] = {}
    for number, value in zip(parts[1::2], parts[2::2], strict=True):
        fields[int(number)] = fields.get(int(number), "") + value
    return fields


def _purpose(parts: Sequence[str]) -> str:
    """SEPA text runs on over the subfields, however short they are; older text is one line each."""
    flat = "".join(parts)
    if _SEPA.search(flat):
        return flat
    return "".join(part if len(part) >= SUBFIELD_CHARS else f"{part}\n" for part in parts)


def _behalf(name: str | None) -> str:
    return f"on behalf of {name}" if name else ""


# --- /TRTP/SEPA/IBAN/NL../NAME/../REMI/.. ---------------------------------------------------------------------------


def _slashed(text: str) -> Told:
    fields = _tagged(_SLASHED, text)
    account, bank, name = _counterparty(fields)
    remittance = fields.get("REMI") or fields.get("PREF") or fields.get("TXT") or fields.get("PY", "")
    structured = re.match(r"/?STRD/CUR/([^/]{1,35})", remittance)
    return Told(
        code=decoding.field(fields.get("TRCD") or fields.get("TRTP"), 35).strip("/"),
        name=name,
        account=account,
        bank=bank,
        reference=decoding.field(structured[1]).rstrip("/") if structured else references.creditor_reference(remittance),
        end_to_end=references.given(decoding.field(fields.get("EREF")).strip("/")),
        text=decoding.joined([re.sub(r"^/?(USTD//|STRD/CUR/)", "", remittance).strip("/"), fields.get("")]),
    )


def _counterparty(fields: Mapping[str, str]) -> tuple[str, str, str]:
    """Account, bank and name: as tags of their own, or inside /CNTP/account/bank/name/city/."""
    party = (fields.get("CNTP", "") + "////").split("/")
    name = fields.get("NAME") or party[2] or fields.get("ORDP", "").strip("/") or fields.get("BENM", "").strip("/")
    account = decoding.field(fields.get("IBAN") or party[0], 34).strip("/")
    return account, decoding.field(fields.get("BIC") or party[1], 35).strip("/"), decoding.field(name).strip("/")


def _tagged(pattern: re.Pattern[str], text: str) -> dict[str, str]:
    """Tag -> its text; what stands before the first tag under the empty name. A tag that comes again is added."""
    parts = pattern.split(text)
    fields = {"": parts[0]}
    for tag, value in zip(parts[1::2], parts[2::2], strict=True):
        fields[tag] = f"{fields[tag]} {value}" if fields.get(tag) else value
    return fields


# --- plain text -----------------------------------------------------------------------------------------------------


def _plain(lines: Sequence[str]) -> Told:
    whole = _unwrapped(lines)
    text = decoding.flat(whole)
    code = found[0] if (found := _GVC.match(text)) else ""
    first = text.partition(" ")[0]
    has_account = references.looks_like_iban(first)
    name, account = _LABELLED_NAME.search(text), _LABELLED_ACCOUNT.search(text)
    return Told(
        code=code,
        name=decoding.field(lines[0].strip().removeprefix(first) if has_account else name[1] if name else ""),
        account=first if has_account else account[1] if account else "",
        reference=references.creditor_reference(text),
        end_to_end=references.given(_after_tag(text)),
        text=whole.removeprefix(first).lstrip() if has_account else whole,
    )


def _unwrapped(lines: Sequence[str]) -> str:
    text = ""
    for before, line in zip(("", *lines), lines, strict=False):
        text += line if not text or len(before) >= WRAP_CHARS else f"\n{line}"
    return decoding.joined([text])


def _after_tag(text: str) -> str:
    found = re.search(r"\bEREF[+:] ?([^ ]{1,35})", text)
    return found[1] if found else ""

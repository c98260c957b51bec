"""Messages of the gateway: what came in from outside, and how it ended (G1, G2)."""

from __future__ import annotations

from contracts.message import Fact
from contracts.words import Count, Reference, Text, Word


class FileAccepted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A file is stored whole and will be read row by row; `digest` is the SHA-256 of its bytes."""

    flow: Reference
    kind: Word
    digest: Reference
    bytes: Count
    name: Text = ""


class FileFinished(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Every row is accounted for: rows = lines of documents sent on + lines of repeated documents + quarantined rows."""

    flow: Reference
    kind: Word
    rows: Count
    accepted_rows: Count
    repeated_rows: Count
    quarantined_rows: Count
    documents: Count

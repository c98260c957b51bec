"""How much of anybody's file is read. A file beyond a limit is refused whole and says which limit; nothing is cut silently."""

from __future__ import annotations

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A day of a busy account is some 20 MB of camt; a parsed XML tree needs about eight times the file's bytes."""
XML_DEPTH_MAX = 64
"""The deepest path of camt.053.001.08 has about 20 steps, an envelope adds a few."""
XML_SIGNS_MAX = 6_000_000
"""`<` and `=` of an XML file: a bank's has some 100 in a kilobyte, and a file of nothing else would fill the memory."""
ENTRIES_MAX = 200_000
"""Entries, transactions or lines of one file: more is a mistake or an attack, and a person would split it."""
STATEMENTS_MAX = 5_000
"""Statements of one file: thirteen years of daily ones."""
FIELD_CHARS_MAX = 140
"""Names and references: the longest of ISO 20022 (Max140Text)."""
TEXT_CHARS_MAX = 2_000
"""Remittance text kept of one entry; what is longer is cut, for nobody reads it and matching looks at its beginning."""
LINE_CHARS_MAX = 20_000
"""Longest line of a text file. An EDI file without line breaks has its own limit, its segment."""
SEGMENT_CHARS_MAX = 5_000
"""Longest EDIFACT or X12 segment: free text has at most 5 x 512 characters."""
AMOUNT_MINOR_MAX = 10**17
"""18 digits are the longest amount of ISO 20022; what is larger does not fit the ledger's 64-bit column."""
NOTES_MAX = 50
"""Notes kept of one statement: a broken convention repeats itself in every entry."""
MAIL_PARTS_MAX = 50
"""Attachments of one message."""
MAIL_LINES_MAX = 5_000
"""Lines of a message's text that are looked at."""

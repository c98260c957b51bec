"""The press: a process that prints one paper and ends. It reads what to print from stdin and writes the file to stdout.

Its memory and its time are bounded by itself, its fonts are those that typst brings, and it reads nothing but one template.
"""

from __future__ import annotations

import json
from pathlib import Path

import typst

from services.console.papers.apart import answer

TEMPLATES = Path(__file__).with_name("templates")
MEMORY_BYTES_MAX = 2 * 1024**3
"""Address space; the largest paper that is printed takes half of it."""
CPU_SECONDS_MAX = 60
PIXELS_PER_INCH = 110


def fulfilled(order: bytes) -> bytes:
    """The file that an order (`printing.order_of`) asks for: the whole as PDF, or one page as PNG."""
    asked = json.loads(order)
    form, page = asked["form"], asked["page"]
    compiler = typst.Compiler(root=TEMPLATES, ignore_system_fonts=True, sys_inputs={"paper": json.dumps(asked["data"])})
    template, timestamp = TEMPLATES / "paper.typ", asked["made_at"]
    done = compiler.compile(template, format=form, ppi=PIXELS_PER_INCH, timestamp=timestamp, pdf_tags=asked["tags"])
    assert done is not None, "typst gives the file unless it is told to write it somewhere"
    pages: list[bytes] = list(done) if isinstance(done, list) else [bytes(done)]
    if not 1 <= page <= len(pages):
        raise SystemExit(f"there is no page {page} of {len(pages)}")
    return bytes(pages[page - 1])


if __name__ == "__main__":
    answer(fulfilled, memory_bytes_max=MEMORY_BYTES_MAX, cpu_seconds_max=CPU_SECONDS_MAX)

"""The first file of a multipart/form-data body as a stream of bytes, never whole in memory or in a temporary file."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header


class NotMultipart(ValueError):
    """The body is no multipart form with a file in it."""


class _FirstFile:
    """Collects the bytes of the first part that has a file name; other parts are passed over."""

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        self.name: str | None = None
        self.begun = self.done = False
        self._taking = False
        self._header = b""
        self._value = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition" and not self.begun:
            _, options = parse_options_header(self._value)
            if (name := options.get(b"filename")) is not None:
                self.name, self.begun, self._taking = name.decode(errors="replace"), True, True
        self._header = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self.ready.append(data[start:end])

    def on_part_end(self) -> None:
        self.done = self.done or self._taking
        self._taking = False


async def first_file(body: AsyncIterable[bytes], content_type: str) -> AsyncIterator[bytes]:
    """Raises `NotMultipart` when there is no file, or the form ends before the file does."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise NotMultipart("the Content-Type names no boundary")
    taker = _FirstFile()
    names = ("on_header_field", "on_header_value", "on_header_end", "on_part_data", "on_part_end")
    parser = MultipartParser(boundary, {name: getattr(taker, name) for name in names})  # type: ignore[arg-type]
    async for data in body:
        try:
            parser.write(data)
        except MultipartParseError as error:
            raise NotMultipart(f"the form cannot be read: {error}") from error
        for piece in taker.ready:
            yield piece
        taker.ready.clear()
    if not taker.done:
        raise NotMultipart("the form has no complete file part: send `-F file=@orders.csv`")

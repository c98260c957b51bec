"""Does the other side speak the protocol? An open port alone proves nothing: anybody may hold it."""

import socket
import struct
from urllib.parse import urlsplit

TIMEOUT_S = 2.0
API_VERSIONS = 18  # Kafka protocol guide, "ApiVersions": the one request every broker answers without login
SSL_REQUEST = 80877103  # PostgreSQL manual, "Message Formats", SSLRequest: answered by one byte, S or N


def kafka_answers(bootstrap: str) -> bool:
    """True when any of `host:port,host:port` answers."""
    return any(_kafka_answers(*_host_and_port(server, 9092)) for server in bootstrap.split(","))


def postgres_answers(url: str) -> bool:
    host, port = _host_and_port(urlsplit(url).netloc.rpartition("@")[2], 5432)
    return _ask(host, port, struct.pack("!ii", 8, SSL_REQUEST), 1) in (b"S", b"N")


def _kafka_answers(host: str, port: int) -> bool:
    correlation, no_client_id = 4711, -1
    request = struct.pack("!hhih", API_VERSIONS, 0, correlation, no_client_id)
    answer = _ask(host, port, struct.pack("!i", len(request)) + request, 8)
    return len(answer) == 8 and struct.unpack("!ii", answer)[1] == correlation


def _ask(host: str, port: int, question: bytes, answer_bytes: int) -> bytes:
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.sendall(question)
            return connection.recv(answer_bytes, socket.MSG_WAITALL)
    except OSError:
        return b""


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    address = urlsplit(f"//{text.strip()}")
    return address.hostname or "127.0.0.1", address.port or default_port

"""A server on this machine that sends a small archive in the layout of Speech Commands, well or badly."""

from __future__ import annotations

import http.server
import io
import os
import re
import ssl
import struct
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

import numpy as np
import soundfile


def wav(value: float, n: int = 4000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(n, value), 16000, format="WAV")
    return buffer.getvalue()


NAMES = [f"{('go', 'bed', 'up')[i % 3]}/v{i}_nohash_{i % 2}.wav" for i in range(12)]
"""The clips in the order of the archive, which is not that of their names."""
CLIPS = {name: wav((i + 1) / 100) for i, name in enumerate(NAMES)}
LISTS = {"validation": [NAMES[1], NAMES[5]], "testing": [NAMES[8], NAMES[2], NAMES[3]]}


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, size: int | None = None, **more) -> bytes:
    """One entry of a tar archive; ``size`` is what its header claims."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def pax(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An entry that tells of the next one (or of all that follow), or claims to."""
    return member("./header", content, kind)


def clip(i: int) -> bytes:
    return member(f"./{NAMES[i]}", CLIPS[NAMES[i]])


def packed(*entries: bytes, level: int = 0) -> bytes:
    """A .tar.gz; at level 0 every entry lies in it as it is."""
    packer = zlib.compressobj(level, wbits=31)
    return b"".join([*map(packer.compress, entries), packer.compress(bytes(1024)), packer.flush()])


def entries(lists: dict[str, list[str]] | None = None) -> list[bytes]:
    """What the official archive holds beside clips; the lists first, so that clips which are not there yet are missed."""
    files = [
        member(f"./{name}_list.txt", "".join(f"{line}\n" for line in lines).encode())
        for name, lines in (LISTS if lists is None else lists).items()
    ]
    return [
        member("./", kind=tarfile.DIRTYPE),
        member("./LICENSE", b"CC BY 4.0"),
        member("./README.md", b"about"),
        *files,
        member("./_background_noise_/", kind=tarfile.DIRTYPE),
        member("./_background_noise_/README.md", b"about noise"),
        member("./_background_noise_/hum_nohash_0.wav", wav(0.9)),
        member("./go/notes.txt", b"no clip"),
    ]


ARCHIVE = packed(*entries(), *map(clip, range(12)))


@dataclass(frozen=True)
class Reply:
    """What the server answers, and how badly."""

    content: bytes | Callable[[], Iterable[bytes]] = ARCHIVE
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent in place of any answer in HTTP."""
    ranges: bool = False
    """Whether it can go on in the middle."""
    stop_after: int | None = None
    """Bytes of the content after which it sends no more."""
    then: str = "close"
    """What it does after the last byte: "close", "reset" or "stall"."""
    delay: float = 0.0
    """Seconds before every 4,096 bytes."""


class Server:
    """Gives ``reply`` at every address, and keeps what was asked for and the number of bytes that went out."""

    def __init__(self, reply: Reply, certificate: tuple[str, str] | None = None):
        self.reply = reply
        self.asked: list[str | None] = []
        """The header Range of every request."""
        self.sent = 0
        self.finished, self.closing = threading.Event(), threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    server.answer(self)
                except OSError:
                    pass
                finally:
                    server.finished.set()

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        protocol = "https" if certificate else "http"
        self.url = f"{protocol}://127.0.0.1:{self.http.server_port}/archive.tar.gz"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        reply, asked = self.reply, handler.headers["Range"]
        self.asked.append(asked)
        if reply.raw is not None:
            handler.wfile.write(reply.raw)
            return
        begin, status, headers = 0, reply.status, dict(reply.headers)
        if isinstance(reply.content, bytes):
            if asked and reply.ranges:
                begin = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                status = 206 if begin < len(reply.content) else 416
                headers["Content-Range"] = f"bytes {begin}-{len(reply.content) - 1}/{len(reply.content)}"
            headers.setdefault("Content-Length", str(max(len(reply.content) - begin, 0)))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        for piece in self.pieces(reply, begin):
            time.sleep(reply.delay)
            # Counted before it goes: who has the last piece may look at the count at once.
            self.sent += len(piece)
            handler.wfile.write(piece)
        if reply.then == "stall":
            self.closing.wait(30)
        if reply.then == "reset":
            handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            os.close(handler.connection.detach())

    @staticmethod
    def pieces(reply: Reply, begin: int) -> Iterable[bytes]:
        if not isinstance(reply.content, bytes):
            return reply.content()
        content = reply.content[begin:][: reply.stop_after]
        return (content[at : at + 4096] for at in range(0, len(content), 4096))

    def stop(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

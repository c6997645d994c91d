"""The bell beside a SQLite file: one Unix datagram socket per listener, all in one private folder."""

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_SUFFIX = ".socket"
_MOST_BYTES = 1024
_QUEUE_LENGTH = Path("/proc/sys/net/unix/max_dgram_qlen")


@contextlib.contextmanager
def _short_path(folder: Path) -> Iterator[Path]:
    """Give another path to `folder`, since the path of a socket may not be longer than 107 bytes."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def ring_sockets(folder: Path, topic: str) -> None:
    """Send `topic` to every socket in `folder`; never waits and never fails.

    A socket whose listener has died is removed. A listener whose queue is full misses this ring.
    """
    message = topic.encode()
    try:
        with _short_path(folder) as short, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for name in os.listdir(short):  # noqa: PTH208 - names only
                if name.endswith(_SUFFIX):
                    _send(sender, short / name, message)
    except FileNotFoundError:
        pass  # nobody has ever listened here
    except OSError as error:
        log.debug("The bell in %s was not rung: %s", folder, error)


def _send(sender: socket.socket, listener: Path, message: bytes) -> None:
    try:
        sender.sendto(message, str(listener))
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            listener.unlink(missing_ok=True)
        else:
            log.debug("The listener %s was not rung: %s", listener.name, error)


async def listen_on_socket(folder: Path) -> AsyncGenerator[str | None]:
    """Yield the topics rung in `folder`, each once since it was last yielded; None where some may be lost."""
    loop = asyncio.get_running_loop()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
    queue_length = _queue_length()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        with _short_path(folder) as short:
            listener.bind(str(short / name))
        try:
            yield None
            while True:
                messages = [await loop.sock_recv(listener, _MOST_BYTES)]
                with contextlib.suppress(BlockingIOError):
                    while len(messages) < 10 * queue_length:
                        messages.append(listener.recv(_MOST_BYTES))
                topics: list[str | None] = [message.decode(errors="replace") for message in messages]
                if len(messages) >= queue_length:
                    topics.append(None)
                for topic in dict.fromkeys(topics):
                    yield topic
        finally:
            (folder / name).unlink(missing_ok=True)


def _queue_length() -> int:
    """Return how many datagrams a socket keeps for its reader."""
    return int(_QUEUE_LENGTH.read_text()) if _QUEUE_LENGTH.exists() else 10

"""What can go wrong between a client and a registry, for `flakyregistry`."""

from __future__ import annotations

import hashlib
import json
import tempfile
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.flakyregistry import Fault, Handler

__all__ = [
    "Style",
    "break_request_after",
    "break_response_after",
    "cut_to",
    "delay",
    "hang_up",
    "immutable_tags",
    "lose_answer",
    "other_bytes",
    "redirect_to",
    "status",
    "twice",
    "with_header",
]

#: Whose words an immutable tag is refused in.
Style = Literal["ecr", "harbor", "artifact-registry"]


def status(code: int, body: bytes = b"", *, early: bool = False, **headers: str) -> Fault:
    """Answer with a status of the proxy's own; the registry hears nothing.

    Args:
        code: The status.
        body: The body.
        early: Do not read the request's body first, and close the connection, as busy servers do.
        headers: With underscores for hyphens.
    """

    def fault(handler: Handler) -> None:
        if early:
            handler.close_connection = True
        else:
            handler.drain()
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.answer(code, own, body)

    return _named(fault, f"status {code}")


def hang_up(handler: Handler) -> None:
    """Close the connection without a word; the registry hears nothing."""
    handler.break_off()


def lose_answer(handler: Handler) -> None:
    """Let the registry do what it is asked for, and close the connection instead of passing its answer on."""
    with handler.passed_on() as response:
        handler.skip(response)
    handler.break_off()


def break_request_after(size: int) -> Fault:
    """Break both connections in the middle of the request's body; the registry may keep what came."""

    def fault(handler: Handler) -> None:
        handler.pass_beginning(size)
        handler.break_off()

    return _named(fault, f"break the request after {size} bytes")


def break_response_after(size: int) -> Fault:
    """Break off in the middle of the answer's body, whose whole length was promised."""

    def fault(handler: Handler) -> None:
        with handler.passed_on() as response:
            handler.relay(response, limit=size)
        handler.break_off()

    return _named(fault, f"break the answer after {size} bytes")


def cut_to(size: int) -> Fault:
    """Send the beginning of the answer's body as if it were all."""

    def fault(handler: Handler) -> None:
        with handler.passed_on() as response:
            handler.relay(response, limit=size, promise=size)

    return _named(fault, f"cut the answer to {size} bytes")


def twice(*, answer: Literal["first", "second"] = "second") -> Fault:
    """Send the request to the registry twice, one after the other, and pass one of the answers on."""

    def fault(handler: Handler) -> None:
        with tempfile.TemporaryFile() as body:
            handler.spool(body)
            for number in ("first", "second"):
                body.seek(0)
                with handler.passed_on(body) as response:
                    if number == answer:
                        kept = handler.read_answer(response)
                    else:
                        handler.skip(response)
        handler.answer(*kept)

    return _named(fault, f"twice, {answer} answer")


def delay(seconds: float) -> Fault:
    """Take time before the request is passed on."""

    def fault(handler: Handler) -> None:
        handler.proxy.released.wait(seconds)
        handler.pass_through()

    return _named(fault, f"delay {seconds} s")


def with_header(name: str, value: str) -> Fault:
    """Replace a header of the answer, or take it away if the value is empty."""

    def fault(handler: Handler) -> None:
        with handler.passed_on() as response:
            handler.relay(response, headers={name.lower(): value})

    return _named(fault, f"{name}: {value}")


def other_bytes(handler: Handler) -> None:
    """Send other bytes of the same length."""
    with handler.passed_on() as response:
        handler.relay(response, change=lambda piece: bytes(byte ^ 0x5A for byte in piece))


def redirect_to(origin: str, code: int = 307) -> Fault:
    """Send the client elsewhere for the same path, as registries with a store of blobs behind them do."""

    def fault(handler: Handler) -> None:
        handler.drain()
        handler.answer(code, {"location": origin.rstrip("/") + handler.path}, b"")

    return _named(fault, f"redirect {code}")


def immutable_tags(style: Style = "ecr") -> Fault:
    """Refuse to move a tag that is there, in the words of a registry that has such a setting."""
    code, error, words = _IMMUTABLE[style]

    def fault(handler: Handler) -> None:
        repository, _, tag = handler.path.removeprefix("/v2/").partition("/manifests/")
        with tempfile.TemporaryFile() as body:
            handler.spool(body)
            body.seek(0)
            digest = f"sha256:{hashlib.sha256(body.read()).hexdigest()}"
            there = handler.digest_of(handler.path) if ":" not in tag else None
            if there not in (None, digest):
                message = words.format(repository=repository, tag=tag)
                refusal = json.dumps({"errors": [{"code": error, "message": message}]}).encode()
                handler.answer(code, {"content-type": "application/json"}, refusal)
                return
            body.seek(0)
            with handler.passed_on(body) as response:
                handler.relay(response)

    return _named(fault, f"immutable tags of {style}")


_IMMUTABLE: Mapping[str, tuple[int, str, str]] = {
    "ecr": (
        400,
        "TAG_INVALID",
        "The image tag '{tag}' already exists in the '{repository}' repository: it is immutable.",
    ),
    "harbor": (412, "PRECONDITION", "Failed to process request due to '{repository}:{tag}' configured as immutable."),
    "artifact-registry": (
        400,
        "MANIFEST_INVALID",
        "cannot update tag {tag}. The repository has enabled tag immutability",
    ),
}


def _named(fault: Fault, name: str) -> Fault:
    fault.__name__ = name
    return fault

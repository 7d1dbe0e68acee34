"""A proxy before a server of the Remote Execution API that says it also serves the protocol's version 2.0.

Bazel 7 speaks 2.0 and no later version; buildbox-casd announces 2.1 and later ones, though it understands what clients
of 2.0 send. All calls pass through as they are, but for one field of the answer to ``GetCapabilities``.

Usage: capproxy.py LISTEN UPSTREAM, both as HOST:PORT. Needs grpcio.
"""

from __future__ import annotations

import sys
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Iterator

# build.bazel.remote.execution.v2.ServerCapabilities: low_api_version is field 4, a SemVer whose field 1 is "major".
_LOW_API_VERSION = 4
_VERSION_2_0 = bytes([_LOW_API_VERSION << 3 | 2, 2, 1 << 3, 2])
_LENGTH_DELIMITED = 2
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_THREADS = 128
# gRPC's way to say that a client has set no deadline.
_FOREVER = 1e6


def lower_version(message: bytes) -> bytes:
    """Give a ``ServerCapabilities`` message with 2.0 as its low_api_version."""
    kept, position = b"", 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        if tag & 7 != _LENGTH_DELIMITED:
            raise ValueError(f"field {tag >> 3} of ServerCapabilities has wire type {tag & 7}")
        length, position = _varint(message, position)
        position += length
        if tag >> 3 != _LOW_API_VERSION:
            kept += message[start:position]
    return kept + _VERSION_2_0


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return number, position


class _Proxy(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def service(self, details: Any) -> Any:
        call = self._channel.stream_stream(details.method, None, None)
        changed = details.method.endswith("/GetCapabilities")

        def handle(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            metadata = [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]
            left = context.time_remaining()
            answer = call(requests, metadata=metadata, timeout=None if left is None or left > _FOREVER else left)
            context.add_callback(answer.cancel)
            try:
                for message in answer:
                    yield lower_version(message) if changed else message
                context.set_trailing_metadata(answer.trailing_metadata() or ())
            except grpc.RpcError as error:
                context.set_trailing_metadata(answer.trailing_metadata() or ())
                context.set_code(error.code())
                context.set_details(error.details() or "")

        return grpc.stream_stream_rpc_method_handler(handle, None, None)


def main() -> None:
    listen, upstream = sys.argv[1:]
    channel = grpc.insecure_channel(upstream, options=_UNLIMITED)
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), handlers=[_Proxy(channel)], options=_UNLIMITED)
    if not server.add_insecure_port(listen):
        raise SystemExit(f"cannot listen on {listen}")
    server.start()
    print(f"{listen} stands before {upstream}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()

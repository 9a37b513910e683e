"""Two servers that tell who asks: `dns ADDRESS` answers every name with the asker's address, `tcp ADDRESS` prints it.

Run as a program inside a namespace; it speaks just as much DNS as one question about an IPv4 address needs.
"""

import socket
import struct
import sys

TCP_PORT = 7000
A_RECORD = 1


def answer(query: bytes, asker: str) -> bytes:
    """The reply to a query with one question: an A record with the asker's address, or nothing for other types."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    (kind,) = struct.unpack("!H", question[-4:-2])
    records = b""
    if kind == A_RECORD:
        records = b"\xc0\x0c" + struct.pack("!HHIH", A_RECORD, 1, 0, 4) + socket.inet_aton(asker)
    header = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if records else 0, 0, 0)
    return header + question + records


def serve_dns(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            query, asker = server.recvfrom(4096)
            server.sendto(answer(query, asker[0]), asker)


def serve_tcp(address: str) -> None:
    with socket.create_server((address, TCP_PORT)) as server:
        while True:
            connection, asker = server.accept()
            with connection:
                connection.sendall(asker[0].encode())


if __name__ == "__main__":
    {"dns": serve_dns, "tcp": serve_tcp}[sys.argv[1]](sys.argv[2])

"""Opens WebSockets to HOST PORT, COUNT of them, and then is gone from each without a word.

A connection in repair mode (TCP_REPAIR, needs CAP_NET_ADMIN) is dropped by the kernel when it is
closed, as by a machine that has lost its power: nothing is sent. Prints a line when that is done.
"""

import socket
import sys

TCP_REPAIR = 19
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def connect(host, port):
    connection = socket.create_connection((host, port))
    connection.sendall(UPGRADE)
    assert b" 101 " in connection.recv(4096)
    return connection


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connections = [connect(host, port) for _ in range(count)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        connection.close()
    print("gone")


main()

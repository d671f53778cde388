"""`sealflow` for shell scripts in tests: hands the command to a listening `fork_server`, with this process's streams.

    python -I -S fork_client.py SOCKET ARGUMENT...

Exits as the command does; with 137 where it was killed. Imports next to nothing, so that a start costs milliseconds.
"""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    parts = [os.getcwd(), *sys.argv[2:], "", *(f"{name}={value}" for name, value in os.environ.items())]
    told = "\0".join(parts).encode("utf-8", "surrogateescape")
    socket.send_fds(server, [len(told).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(told)
    answer = server.recv(1)
sys.exit(answer[0] if answer else 137)

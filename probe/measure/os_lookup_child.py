"""Child process that asks the operating system for addresses, so that a hanging lookup can be killed.

Run as a script with `python -I -S`: it imports the standard library only. One JSON object a line: {"id": 1, "name":
"login.example"} in, {"id": 1, "addresses": ["192.0.2.1"], "error": 0} out, where `error` is the number of getaddrinfo's
error. Each question has its own thread, so answers come in any order. The process ends when its standard input ends, so it
never outlives its parent.
"""

from __future__ import annotations

# An audit's first answer waits for this process, and importing `socket` would make its start half as long again. `_socket`
# has the same getaddrinfo.
import _socket
import json
import sys
import threading


def lookup(name: str) -> tuple[list[str], int]:
    """Addresses of both families in the system's order without duplicates, and the error's number (0: none).

    The name is passed as bytes: for text Python would apply its own IDNA, which refuses names that resolvers accept.
    """
    try:
        found = _socket.getaddrinfo(name.encode("ascii", "replace"), None, type=_socket.SOCK_STREAM)
    except _socket.gaierror as error:
        return [], error.errno or -1
    except (OSError, ValueError):
        return [], _socket.EAI_FAIL
    return list(dict.fromkeys(str(entry[4][0]) for entry in found)), 0


def answer(line: str, turn: threading.Lock) -> None:
    """Look up the name of one request and write the answer in one piece."""
    request = json.loads(line)
    addresses, error = lookup(str(request["name"]))
    response = json.dumps({"id": request["id"], "addresses": addresses, "error": error})
    with turn:
        try:
            sys.stdout.write(response + "\n")
            sys.stdout.flush()
        except OSError:  # the parent has gone
            return


def main() -> None:
    """Answer line by line until the parent closes its end."""
    turn = threading.Lock()
    for line in sys.stdin:
        threading.Thread(target=answer, args=(line, turn)).start()


if __name__ == "__main__":
    main()

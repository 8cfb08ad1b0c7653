"""
A stand-in for the child that decodes pictures, which does as the file says that it is given.
"""

from __future__ import annotations

import os
import sys

#: Speaks the protocol without a line of ours. Each file holds words: the first says what is done, the others
#: are its arguments.
SCRIPT = r"""
import json, os, resource, signal, socket, sys, time

sock = socket.socket(fileno=0)
jobs = 0
os.dup2(1, 2)

def answer(data, descriptors=()):
    socket.send_fds(sock, [data if isinstance(data, bytes) else json.dumps(data).encode()], descriptors)

def do(words, message, files):
    word, rest = words[0], " ".join(words[1:])
    if word == "die":
        os.kill(os.getpid(), getattr(signal, rest))
    elif word == "exit":
        os._exit(int(rest))
    elif word == "worn" and jobs > 1:  # dies of it, but for a fresh child
        os._exit(1)
    elif word == "hang":
        time.sleep(1000)
    elif word == "close":
        sock.close()
        time.sleep(1000)
    elif word == "eat":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
        bytearray(1 << 30)
    elif word == "say":
        answer(rest.encode())
        return True
    elif word == "large":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        answer(b" " * 70000)
        return True
    elif word == "deep":
        answer(b"[" * 60000)
        return True
    elif word == "send":
        answer({"facts": [{}]}, [1, 1])
        return True
    elif word == "tell":
        return {"maker": str(eval(rest))}
    elif word == "wait":  # until the test removes a file
        while os.path.exists(rest):
            time.sleep(0.002)
    return {"maker": word}

while True:
    packet, files, _, _ = socket.recv_fds(sock, 65536, 20)
    if not packet:
        sys.exit()
    message = json.loads(packet)
    if message.get("media_types") != []:
        jobs += 1
    if message["job"] == "look":
        facts = []
        for file in files:
            said = do(os.pread(file, 1000, 0).decode().split(" "), message, files)
            if said is True:
                break
            facts.append(said)
        else:
            answer({"facts": facts})
    else:
        words = os.pread(files[0], 1000, 0).decode().split(" ")
        said = do(words, message, files)
        if said is not True:
            for file, (size, form) in zip(files[1:], message["outputs"]):
                head = b"RIFF" if form == "webp" else b"\xff\xd8\xff"
                os.pwrite(file, head + b"%d " % size + " ".join(words).encode(), 0)
            answer({"made": True})
    for file in files:
        os.close(file)
"""

#: How it is started.
COMMAND = [sys.executable, "-I", "-S", "-c", SCRIPT]


def file_of(text: str) -> int:
    """
    A file that tells the stand-in what to do; the caller closes the descriptor.
    """
    descriptor = os.memfd_create("told")
    os.write(descriptor, text.encode())
    return descriptor


def is_gone(pid: int) -> bool:
    """
    Whether a process is no more, or nothing of it but its status, for a parent that is not ours.
    """
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def is_taken_away(pid: int) -> bool:
    """
    Whether nothing is left of a child of this process.
    """
    return not os.path.exists(f"/proc/{pid}")

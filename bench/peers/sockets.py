"""sockets.py: a load for servers that speak frames of their own over TCP: one request after the other
on many connections at once (one()), or many in flight on one (many()). The codec is the peer's:
codec.request(number, delay) makes the bytes of a submit, codec.answers(buffer) counts the whole
answers at its start and gives what is left; it raises RuntimeError at a refusal."""

import select
import socket
import time

from peer import BATCH, CONNECTIONS, DAY, Done


def connect(port):
    made = socket.create_connection(("127.0.0.1", port), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def receive(sock):
    """What has come; at least a byte."""
    data = sock.recv(1 << 18)
    if not data:
        raise RuntimeError("the server closed a connection")
    return data


def ask(sock, codec, number, delay):
    """One submit, answered."""
    sock.sendall(codec.request(number, delay))
    left = b""
    while True:
        count, left = codec.answers(left + receive(sock))
        if count:
            return


def one(port, codec, seconds):
    """CONNECTIONS at once, each sends the next when it was answered."""
    poll = select.epoll()
    socks = {}
    for _ in range(CONNECTIONS):
        sock = connect(port)
        socks[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLIN)
    left = dict.fromkeys(socks, b"")
    sent = done = 0
    began = time.monotonic()
    until = began + seconds
    for sock in socks.values():
        sock.sendall(codec.request(sent, DAY))
        sent += 1
    open_ = len(socks)
    while open_:
        is_over = time.monotonic() > until
        for fd, _ in poll.poll():
            count, left[fd] = codec.answers(left[fd] + receive(socks[fd]))
            if not count:
                continue
            done += 1
            if is_over:
                open_ -= 1
            else:
                socks[fd].send(codec.request(sent, DAY))
                sent += 1
    elapsed = time.monotonic() - began
    for sock in socks.values():
        sock.close()
    return Done(done, elapsed)


def many(port, codec, seconds, delay=DAY, at_most=1 << 40):
    """BATCH in flight on one connection."""
    sock = connect(port)
    done, left = 0, b""
    began = time.monotonic()
    while time.monotonic() - began < seconds and done < at_most:
        n = min(BATCH, at_most - done)
        sock.sendall(b"".join([codec.request(done + i, delay) for i in range(n)]))
        while n > 0:
            count, left = codec.answers(left + receive(sock))
            n -= count
            done += count
    sock.close()
    return Done(done, time.monotonic() - began)

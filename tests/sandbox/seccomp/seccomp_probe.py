"""Makes system calls and prints, as JSON, what became of each: "ok" or the name of the error.

Usage: seccomp_probe.py NUMBERS GROUP [ARGUMENT...]
NUMBERS is a JSON object of the numbers of system calls by name.
"""

import ctypes
import errno
import fcntl
import json
import os
import pty
import socket
import struct
import sys
import termios

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
numbers = json.loads(sys.argv[1])


def call(name, *values):
    """The result of a system call, made without the C library's help."""
    number = numbers[name] if isinstance(name, str) else name
    result = libc.syscall(
        ctypes.c_long(number),
        *(ctypes.c_long(v) if isinstance(v, int) else v for v in values),
    )
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def attempt(action):
    try:
        action()
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def in_child(action):
    """The same in a process of its own, whose state may be ruined by it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, action().encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(pid, 0)
    with os.fdopen(read_end) as pipe:
        return pipe.read()


def type_into_terminal(request):
    """Puts a character into the input of the controlling terminal."""
    os.setsid()
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    return call("ioctl", terminal, request, ctypes.create_string_buffer(b"x"))


def always():
    """What every network mode denies."""
    local = ctypes.create_string_buffer(b"secret")
    remote = ctypes.create_string_buffer(6)
    local_vector = struct.pack("PN", ctypes.addressof(local), 6)
    remote_vector = struct.pack("PN", ctypes.addressof(remote), 6)
    io_uring_parameters = ctypes.create_string_buffer(120)
    new_user = 0x10000000
    sigchld = 17
    own = os.getpid()

    def namespace_by_clone():
        flags = ctypes.c_long(new_user | sigchld)
        pid = libc.syscall(numbers["clone"], flags, None, None, None, None)
        if pid == 0:
            os._exit(0)
        return "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()]

    return {
        "ptrace": in_child(lambda: call("ptrace", 0, 0, 0, 0)),
        "process_vm_readv": call(
            "process_vm_readv", own, local_vector, 1, remote_vector, 1, 0
        ),
        "process_vm_writev": call(
            "process_vm_writev", own, local_vector, 1, remote_vector, 1, 0
        ),
        "pidfd_getfd": call("pidfd_getfd", os.pidfd_open(own), 0, 0),
        "kcmp": call("kcmp", own, own, 0, 0, 1),
        "unshare": in_child(lambda: call("unshare", new_user)),
        "clone": namespace_by_clone(),
        "TIOCSTI": in_child(lambda: type_into_terminal(0x5412)),
        "TIOCSTI in disguise": in_child(lambda: type_into_terminal(0x1_0000_5412)),
        "clone3": call("clone3", None, 0),
        "io_uring_setup": call("io_uring_setup", 1, io_uring_parameters),
        "io_uring_enter": call("io_uring_enter", 0, 0, 0, 0, None, 0),
        "io_uring_register": call("io_uring_register", 0, 0, None, 0),
        "setns": call("setns", os.open("/proc/self/ns/user", os.O_RDONLY), 0),
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "move_mount": call("move_mount", -100, b"/tmp", -100, b"/tmp", 0),
        "fsopen": call("fsopen", b"tmpfs", 0),
        "open_tree": call("open_tree", -100, b"/tmp", 1),
        "open_tree_attr": call("open_tree_attr", -100, b"/tmp", 1, None, 0),
        "chroot": call("chroot", b"/"),
        "open_by_handle_at": call("open_by_handle_at", 0, None, 0),
        "keyctl": call("keyctl", 0, -3, 0),
        "bpf": call("bpf", 0, None, 0),
        "perf_event_open": call("perf_event_open", None, 0, -1, -1, 0),
        "userfaultfd": call("userfaultfd", 1),
        "a call of the future": call(100000),
    }


def sockets():
    def make(domain, kind, protocol=0):
        return attempt(lambda: socket.socket(domain, kind, protocol).close())

    def pair(kind):
        return attempt(lambda: socket.socketpair(socket.AF_UNIX, kind))

    return {
        "tcp": make(socket.AF_INET, socket.SOCK_STREAM),
        "tcp6": make(socket.AF_INET6, socket.SOCK_STREAM),
        "udp": make(socket.AF_INET, socket.SOCK_DGRAM),
        "raw": make(socket.AF_INET, socket.SOCK_RAW, 1),
        "mptcp": make(socket.AF_INET, socket.SOCK_STREAM, 262),
        "netlink": make(socket.AF_NETLINK, socket.SOCK_RAW),
        "unix stream": make(socket.AF_UNIX, socket.SOCK_STREAM),
        "unix seqpacket": make(socket.AF_UNIX, socket.SOCK_SEQPACKET),
        "unix datagram": make(socket.AF_UNIX, socket.SOCK_DGRAM),
        "unix raw": make(socket.AF_UNIX, socket.SOCK_RAW),
        "pair stream": pair(socket.SOCK_STREAM),
        "pair seqpacket": pair(socket.SOCK_SEQPACKET),
        "pair datagram": pair(socket.SOCK_DGRAM),
        "pair raw": pair(socket.SOCK_RAW),
    }


def pairs():
    """Everything that programs do with connected pairs."""
    results = {}
    for name in ("SOCK_STREAM", "SOCK_SEQPACKET"):
        left, right = socket.socketpair(socket.AF_UNIX, getattr(socket, name))
        right.settimeout(5)
        left.send(b"1")
        left.sendall(b"2")
        os.write(left.fileno(), b"3")
        left.sendmsg([b"4"])
        read_end, write_end = os.pipe()
        received = b"".join(right.recv(1) for _ in range(4))
        socket.send_fds(left, [b"5"], [write_end])
        message, descriptors, _, _ = socket.recv_fds(right, 1, 1)
        os.write(descriptors[0], b"6")
        received += message + os.read(read_end, 1)
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        left.getsockname(), left.getpeername()
        left.shutdown(socket.SHUT_WR)
        results[name] = (received + right.recv(1)).decode()
    return results


def listen(stream_path, datagram_path):
    """Plays the host: counts what arrives until its input ends."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.bind(stream_path)
    stream.listen()
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagram.bind(datagram_path)
    print("ready", flush=True)
    sys.stdin.read()
    counts = {"connections": 0, "datagrams": 0}
    for name, listener, take in (
        ("connections", stream, lambda: stream.accept()[0].close()),
        ("datagrams", datagram, lambda: datagram.recv(9)),
    ):
        listener.setblocking(False)
        while attempt(take) == "ok":
            counts[name] += 1
    return counts


def host_unix(stream_path, datagram_path):
    """Attempts to reach sockets of the host, which listens on both paths."""
    results = {}

    def note(name, action):
        results[name] = attempt(action)

    def connect(kind, path):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.connect(path)

    note("connect stream", lambda: connect(socket.SOCK_STREAM, stream_path))
    note("connect datagram", lambda: connect(socket.SOCK_DGRAM, datagram_path))
    for name in ("SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM", "SOCK_RAW"):
        kind = getattr(socket, name)
        try:
            ends = socket.socketpair(socket.AF_UNIX, kind)
        except OSError as error:
            results[f"{name} pair"] = errno.errorcode[error.errno]
            continue
        ends[0].setblocking(False)
        for path in (stream_path, datagram_path):
            where = f"{name} pair, {os.path.basename(path)}"
            note(f"{where}: sendto", lambda: ends[0].sendto(b"reached", path))
            note(f"{where}: sendmsg", lambda: ends[0].sendmsg([b"reached"], [], 0, path))
            note(f"{where}: connect", lambda: ends[0].connect(path))
    try:
        alone = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        alone.setblocking(False)
        note("unconnected: sendmsg", lambda: alone.sendmsg([b"reached"], [], 0, stream_path))
        note("unconnected: bind", lambda: alone.bind("\0name"))
        note("unconnected: listen", lambda: alone.listen())
        note("unconnected: accept", lambda: alone.accept())
    except OSError as error:
        results["unconnected"] = errno.errorcode[error.errno]
    return results


def tcp(port):
    """What a client of a proxy does, and what it may not do."""
    address = ("127.0.0.1", int(port))
    results = {}

    def echo(client):
        client.sendall(b"hello")
        return client.recv(5).decode()

    with socket.create_connection(address, timeout=5) as client:
        results["echo"] = echo(client)
        results["ulp"] = attempt(lambda: client.setsockopt(6, 31, b"tls"))
        results["nodelay"] = attempt(lambda: client.setsockopt(6, 1, 1))
    with socket.create_connection(("localhost", int(port)), timeout=5) as client:
        results["by name"] = echo(client)

    def fast_open(send):
        with socket.socket() as client:
            send(client)

    results["fast open by sendto"] = attempt(
        lambda: fast_open(lambda client: client.sendto(b"x", socket.MSG_FASTOPEN, address))
    )
    results["fast open by sendmsg"] = attempt(
        lambda: fast_open(lambda client: client.sendmsg([b"x"], [], socket.MSG_FASTOPEN, address))
    )

    def serve():
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()):
                server.accept()[0].close()

    results["serve"] = attempt(serve)
    with socket.socket() as unbound:
        # Would take a port by itself.
        results["listen unbound"] = attempt(unbound.listen)
    return results


def foreign():
    """getpid by the 32-bit door of x86, from machine code."""
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    pid = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return {"getpid": "ok" if pid == os.getpid() else str(pid)}


def x32():
    return {"getpid": call(0x40000000 | 39)}


groups = {
    "always": always,
    "sockets": sockets,
    "pairs": pairs,
    "listen": listen,
    "host_unix": host_unix,
    "tcp": tcp,
    "foreign": foreign,
    "x32": x32,
}
print(json.dumps(groups[sys.argv[2]](*sys.argv[3:])))

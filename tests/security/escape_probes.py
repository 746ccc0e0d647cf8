"""What a hostile process tries: programs that run in the real sandbox, and as a control where nothing or less holds them.

Each program prints one JSON object: the name of a probe, and `open` or the name of the error that it met.
"""

from __future__ import annotations

_HEAD = """
import ctypes, errno, fcntl, json, os, signal, socket, stat, subprocess, sys
given = json.loads(sys.argv[1])
found = {}

def probe(name, act):
    '''In a process of its own: some of these change what runs after them.'''
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            act()
            said = "open"
        except OSError as error:
            said = errno.errorcode.get(error.errno, str(error.errno)) if error.errno else repr(error)
        except BaseException as error:
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    found[name] = os.read(reader, 300).decode()
    os.close(reader)
    os.waitpid(child, 0)

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(one) for one in arguments], 0, 0, 0, 0, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "refused")
"""

KERNEL = (
    _HEAD
    + """
for name, number in given["calls"].items():
    probe("call-" + name, lambda: call(number))
for name, (number, arguments) in given["flags"].items():
    probe(name, lambda: call(number, *arguments))
for name, (family, kind) in given["families"].items():
    probe("socket-" + name, lambda: socket.socket(family, kind).close())
for name, (family, kind) in given["pairs"].items():
    probe("pair-" + name, lambda: [one.close() for one in socket.socketpair(family, kind)])

def type_into_the_terminal():
    fcntl.ioctl(0, 0x5412, b"x")

def another_user():
    os.setuid(0)
    os.setuid(65534)

def setuid_program():
    os.close(os.open("/tmp/as-owner", os.O_CREAT | os.O_WRONLY, 0o755))
    os.chown("/tmp/as-owner", 1, 1)

probe("ioctl-TIOCSTI", type_into_the_terminal)
probe("ioctl-TIOCLINUX", lambda: fcntl.ioctl(0, 0x541C, b"x"))
probe("setuid", another_user)
probe("setuid-program-of-another", setuid_program)
probe("mknod-character", lambda: os.mknod("/tmp/node", 0o600 | stat.S_IFCHR, os.makedev(1, 3)))
probe("mknod-block", lambda: os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)))
probe("raw-packets", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
probe("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
print(json.dumps(found))
"""
)

# Paths, numbers and ports of what the test planted on the machine outside.
MACHINE = (
    _HEAD
    + """
secret, victim, port, dns = given["secret"], given["victim"], given["port"], given["dns"]

def read(path):
    with open(path, "rb") as file:
        if b"planted" not in file.read(4096):
            raise OSError(errno.ENOENT, "another file")

def hard_link():
    os.link(secret, "hard")
    read("hard")

def boot():
    if not open("/proc/cmdline").read():
        raise OSError(errno.ENODATA, "empty")

def write(path):
    with open(path, "ab") as file:
        file.write(b"!")

def connect(family, where):
    with socket.socket(family) as one:
        one.settimeout(5)
        one.connect(where)

def by_name(name):
    with socket.create_connection((name, port), timeout=5) as one:
        one.send(b"x")
        if one.recv(7) != b"outside":
            raise OSError(errno.ECONNREFUSED, "somebody else")

def ask(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(5)
        one.connect(server)
        one.send(b"query")
        one.recv(10)

def route(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect((address, 53))

def shell(command):
    if subprocess.run(["bash", "-c", command], capture_output=True).returncode:
        raise OSError(errno.EACCES, "the command failed")

def datagram(address):
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"hello", address)

def inherited():
    if os.read(given["descriptor"], 7) != b"planted":
        raise OSError(errno.EBADF, "another")

def environment():
    if "planted" not in os.environ.get("PLANTED", ""):
        raise OSError(errno.ENOENT, "not there")

probe("read-absolute", lambda: read(secret))
probe("read-through-link", lambda: read("link-to-secret"))
probe("read-parent", lambda: read("../secret"))
probe("read-proc-self-root", lambda: read("/proc/self/root" + secret))
probe("read-proc-self-cwd", lambda: read("/proc/self/cwd/../secret"))
probe("read-proc-victim-root", lambda: read(f"/proc/{victim}/root{secret}"))
probe("read-proc-victim-cwd", lambda: read(f"/proc/{victim}/cwd/secret"))
probe("read-proc-victim-environ", lambda: read(f"/proc/{victim}/environ"))
probe("read-boot-command-line", boot)
probe("open-proc-victim-mem", lambda: os.close(os.open(f"/proc/{victim}/mem", os.O_RDWR)))
probe("hard-link-out", hard_link)
probe("write-absolute", lambda: write(secret))
probe("write-through-link", lambda: write("link-to-secret"))
probe("create-beside-the-tree", lambda: write("../made-beside"))
probe("read-temporary-of-the-machine", lambda: read(given["temporary"]))
probe("signal-process-outside", lambda: os.kill(victim, 0))
probe("signal-group-outside", lambda: os.killpg(os.getpgid(victim), 0))
probe("pidfd-of-process-outside", lambda: os.close(os.pidfd_open(victim)))
probe("priority-of-process-outside", lambda: os.getpriority(os.PRIO_PROCESS, victim))
probe("limits-of-process-outside", lambda: __import__("resource").prlimit(victim, 7))
probe("inherited-descriptor", inherited)
probe("inherited-environment", environment)
for name, address in given["names"].items():
    probe("connect-" + name, lambda: by_name(address))
probe("dev-tcp", lambda: shell(f"exec 3<>/dev/tcp/127.0.0.1/{port}"))
probe("dev-udp-and-answer", lambda: shell(f"exec 3<>/dev/udp/127.0.0.1/{dns}; echo q >&3; read -t 3 -n 1 -u 3"))
probe("curl", lambda: shell(f"curl -sS --http0.9 -m 5 http://127.0.0.1:{port}/ | grep -q outside"))
probe("dns-udp", lambda: ask(("127.0.0.1", dns)))
probe("unix-path", lambda: connect(socket.AF_UNIX, given["unix"]))
probe("unix-path-in-tree", lambda: connect(socket.AF_UNIX, given["unix_in_tree"]))
probe("unix-abstract", lambda: connect(socket.AF_UNIX, "\\0" + given["abstract"]))
probe("unix-datagram-by-pair", lambda: datagram(given["datagram_in_tree"]))
for name, family, address in given["routes"]:
    probe("route-" + name, lambda: route(family, address))
print(json.dumps(found))
"""
)

# Speaks to the proxy by itself; `lines` are request lines, `hello` what follows a tunnel's opening.
DOOR = """
import base64, json, os, socket, sys
given = json.loads(sys.argv[1])
own = base64.b64encode(os.environ["HTTPS_PROXY"][7:].split("@")[0].encode()).decode()
found = {}
for name, line, token, hello in given["requests"]:
    head = line.encode("latin-1", "backslashreplace") + b"\\r\\n"
    if token != "none":
        head += b"Proxy-Authorization: Basic " + (own if token == "own" else token).encode() + b"\\r\\n"
    try:
        with socket.create_connection(("127.0.0.1", 3128), timeout=20) as one:
            one.sendall(head + b"\\r\\n")
            said = one.recv(200).split(b"\\r\\n")[0].decode()
            if " 200 " in said:
                one.sendall(bytes.fromhex(hello))
                said = "open" if one.recv(7) == b"outside" else "shut"
    except OSError as error:
        said = type(error).__name__
    found[name] = said
print(json.dumps(found))
"""

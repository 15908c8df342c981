"""A mail server's side of the milter protocol, version 6, spoken raw: it can send what no mail server would.

    with Milter() as m:
        m.negotiate()
        m.connect("mail.example.net", "203.0.113.5", 4321)
        assert m.helo("mail.example.net") == Answer("continue")

A command whose answer was negotiated away returns None. Texts may be str or bytes, with anything in them but
the NUL that ends them; packet() sends any bytes at all.
"""
import collections
import socket
import struct

Answer = collections.namedtuple("Answer", "what text", defaults=("",))

# What the milter may leave out, by bit: no such command at all, or no reply to it.
NO_COMMAND = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8, "body": 0x10, "header": 0x20, "eoh": 0x40,
              "unknown": 0x100, "data": 0x200}
NO_REPLY = {"header": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000,
            "unknown": 0x20000, "eoh": 0x40000, "body": 0x80000}
SKIP, RCPT_REJECTED, LEADING_SPACE = 0x400, 0x800, 0x100000
ALL_ACTIONS, ALL_PROTOCOL = 0x1FF, 0x1FFFFF
VERSION_1_ACTIONS, CHANGE_HEADER = 0xF, 0x10
STAGES = ("connect", "helo", "mail", "rcpt", "data", "end", "eoh")  # the order of symbol lists

CODES = {b"c": "continue", b"a": "accept", b"r": "reject", b"t": "tempfail", b"d": "discard", b"y": "reply",
         b"s": "skip", b"f": "connection-failure", b"4": "shutdown"}
COMMANDS = {"connect": b"C", "helo": b"H", "mail": b"M", "rcpt": b"R", "data": b"T", "header": b"L", "eoh": b"N",
            "body": b"B", "end": b"E", "unknown": b"U"}


class Closed(Exception):
    """The milter closed the connection."""


def octets(text):
    return text.encode("utf-8") if isinstance(text, str) else text


class Milter:
    def __init__(self, address=("127.0.0.1", 8891), timeout=20):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if family == socket.AF_INET:  # small packets, each waited for
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.protocol = 0
        self.changes = []  # what the milter asked for at the last end of message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    # ---- packets

    def packet(self, code, data=b""):
        try:
            self.socket.sendall(struct.pack("!I", len(data) + 1) + code + data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def read(self):
        try:
            head = self.stream.read(4)
            if len(head) < 4:
                raise Closed
            size, = struct.unpack("!I", head)
            body = self.stream.read(size)
        except ConnectionResetError as error:
            raise Closed from error
        if len(body) < size or not body:
            raise Closed
        return body[:1], body[1:]

    def answer(self, command="end"):
        """The next final answer; edits before it, which only the end of a message may have, go to self.changes."""
        while True:
            code, data = self.read()
            if code in CODES:
                return Answer(CODES[code], data.rstrip(b"\0").decode("utf-8", "replace"))
            assert command == "end", f"{code} in answer to {command}"
            if code == b"p":
                continue
            self.changes.append((code.decode("latin-1"), data))

    def say(self, command, data=b""):
        if self.protocol & NO_COMMAND.get(command, 0):
            return None
        self.packet(COMMANDS[command], data)
        if self.protocol & NO_REPLY.get(command, 0):
            return None
        return self.answer(command)

    # ---- the conversation

    def negotiate(self, actions=ALL_ACTIONS, protocol=ALL_PROTOCOL, version=6):
        """Returns (version, actions, protocol, macros by stage) as the milter wants them."""
        self.packet(b"O", struct.pack("!III", version, actions, protocol))
        code, data = self.read()
        assert code == b"O", (code, data)
        version, actions, self.protocol = struct.unpack("!III", data[:12])
        wanted, rest = {}, data[12:]
        while rest:
            stage, = struct.unpack("!I", rest[:4])
            names, _, rest = rest[4:].partition(b"\0")
            wanted[STAGES[stage]] = names.decode().split()
        return version, actions, self.protocol, wanted

    def macros(self, command, **values):
        """Macros of the next command; j=..., daemon_port=... (braces are set where they belong)."""
        data = COMMANDS[command]
        for name, value in values.items():
            shown = str(value) if isinstance(value, int) else value
            data += octets(name if len(name) == 1 else "{%s}" % name) + b"\0" + octets(shown) + b"\0"
        self.packet(b"D", data)

    def connect(self, name, address, port=4321, family=None):
        """address None: a client of unknown family, as sendmail -bs says it."""
        if address is None:
            return self.say("connect", octets(name) + b"\0U")
        letter = family or (b"6" if ":" in address else b"4")
        return self.say("connect", octets(name) + b"\0" + letter + struct.pack("!H", port) + octets(address) + b"\0")

    def helo(self, name):
        return self.say("helo", octets(name) + b"\0")

    def mail(self, *arguments):
        return self.say("mail", b"".join(octets(a) + b"\0" for a in arguments))

    def rcpt(self, *arguments):
        return self.say("rcpt", b"".join(octets(a) + b"\0" for a in arguments))

    def data(self):
        return self.say("data")

    def header(self, name, value):
        return self.say("header", octets(name) + b"\0" + octets(value) + b"\0")

    def eoh(self):
        return self.say("eoh")

    def body(self, chunk):
        return self.say("body", octets(chunk))

    def end(self, last_chunk=b""):
        """The protocol allows it to bring the last piece of the body."""
        self.changes = []
        return self.say("end", last_chunk)

    def abort(self):
        self.packet(b"A")

    def quit(self):
        self.packet(b"Q")

    # ---- whole parts of it

    def greet(self, address="203.0.113.5", name="mail.example.net", helo="mail.example.net", **macros):
        """Negotiation, connect and HELO."""
        self.negotiate()
        self.macros("connect", j="mx.example.org", daemon_name="MX", daemon_port=25, **macros)
        self.connect(name, address)
        return self.helo(helo)

    def message(
        self, sender="<alice@pass.example.net>", recipients=("<bob@example.org>",), headers=None, body=b"Hello.\r\n"
    ):
        """One message to its end; the first answer that is not continue, or the last."""
        answer = self.mail(sender)
        if answer and answer.what != "continue":
            return answer
        kept = 0
        for recipient in recipients:
            answer = self.rcpt(recipient)
            kept += not answer or answer.what == "continue"
        if not kept:
            return answer
        for step in (self.data, lambda: self.fields(headers), self.eoh, lambda: self.body(body) if body else None):
            answer = step()
            if answer and answer.what not in ("continue", "skip"):
                return answer
        return self.end()

    def fields(self, headers):
        if headers is None:
            headers = [("From", " Alice <alice@pass.example.net>"), ("Subject", " hello"), ("To", " bob@example.org")]
        for name, value in headers:
            answer = self.header(name, value)
            if answer and answer.what != "continue":
                return answer
        return None

    def edits(self):
        """The changes of the last end of message, readable: ("insert", 0, NAME, VALUE), ("quarantine", TEXT), ..."""
        readable = []
        for code, data in self.changes:
            if code in "im":
                index, = struct.unpack("!I", data[:4])
                name, value = data[4:].split(b"\0")[:2]
                what = "insert" if code == "i" else "change"
                readable.append((what, index, name.decode(), value.decode("utf-8", "replace")))
            elif code == "h":
                name, value = data.split(b"\0")[:2]
                readable.append(("add", 0, name.decode(), value.decode("utf-8", "replace")))
            elif code == "q":
                readable.append(("quarantine", data.rstrip(b"\0").decode("utf-8", "replace")))
            else:
                readable.append((code, data))
        return readable

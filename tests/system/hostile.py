"""SMTP servers that misbehave, for `sekisho lookup smtp`: each is a function that gets a connection."""
import socket
import threading
import time


class Server:
    """Listens on 127.0.0.1 at a free port; `behave` serves each connection in a thread."""

    def __init__(self, behave):
        self.behave = behave
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.behave(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def script(*answers):
    """Answers to the connection and to each line with these texts, then closes; None closes at once."""
    def behave(connection):
        for index, answer in enumerate(answers):
            if index > 0 and not connection.recv(4096):
                return
            if answer is None:
                return
            connection.sendall(answer)
        connection.recv(4096)
    return behave


def drip(connection):
    while True:
        connection.sendall(b"2")
        time.sleep(0.5)


def drip_lines(connection):
    while True:
        connection.sendall(b"220-wait\r\n")
        time.sleep(0.5)


def flood(connection):
    while True:
        connection.sendall(b"220-" + b"x" * 1000 + b"\r\n")


def long_line(connection):
    while True:
        connection.sendall(b"220 " + b"x" * 4096)


def silent(connection):
    connection.recv(1)


BANNER = b"220 liar.example hello\r\n"
EHLO = b"250-liar.example\r\n250 STARTTLS\r\n"

# What it does, the step that fails, and a text of the reason. Each ends long before the deadline.
CASES = {
    "closes at once": (script(None), "banner", "closed"),
    "closes after the banner": (script(BANNER, None), "ehlo", "closed"),
    "closes after EHLO": (script(BANNER, EHLO, None), "starttls", "closed"),
    "closes before TLS": (script(BANNER, EHLO, b"220 go\r\n", None), "tls", "eof"),
    "closes at QUIT": (script(BANNER, b"250 liar.example\r\n", None), "quit", "closed"),
    "refuses": (script(b"554 no\r\n"), "banner", "refuses (554)"),
    "refuses EHLO": (script(BANNER, b"502 no\r\n"), "ehlo", "refuses (502)"),
    "refuses STARTTLS": (script(BANNER, EHLO, b"454 no\r\n"), "starttls", "refuses (454)"),
    "is no SMTP server": (script(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "banner", "not a reply of SMTP"),
    "changes the code": (script(b"220-a\r\n250 b\r\n"), "banner", "not a reply of SMTP"),
    "says more before TLS": (script(BANNER, EHLO, b"220 go\r\n250 more\r\n"), "tls", "plain text"),
    "has garbage for TLS": (script(BANNER, EHLO, b"220 go\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 3000), "tls", "length"),
    "has no end of lines": (flood, "banner", "does not end"),
    "has no end of a line": (long_line, "banner", "does not end"),
}

# These wait for the deadline.
SLOW = {"drips": drip, "drips lines": drip_lines, "is silent": silent}

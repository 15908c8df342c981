"""The next mail server: it takes every message and keeps it as it came, with CRLF."""
import socket
import threading

import space


class Sink:
    """Listens on port 25 of an address of the space; `eight` says whether it offers 8BITMIME."""

    def __init__(self, address=space.BAD, eight=True, answers=None):
        self.extensions = ["SIZE 100000000"] + (["8BITMIME"] if eight else [])
        self.answers = answers or {}  # local part: what RCPT is answered with, or a function that tells it
        self.got = []
        self.envelopes = []  # of each message: the sender, the recipients in order of their names
        self.socket = socket.create_server((address, 25))
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def find(self, token):
        """The message with the token, or None."""
        return next((text for text in self.got if token.encode() in text), None)

    def envelope(self, token):
        """Sender and recipients of the message with the token."""
        return next(envelope for text, envelope in zip(self.got, self.envelopes) if token.encode() in text)

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 sink ESMTP\r\n")
            sender, recipients = "", []
            for line in lines:
                word = line.strip().upper()
                reply = "250 ok\r\n"
                if word.startswith(b"EHLO"):
                    reply = "".join(f"250-{name}\r\n" for name in ["sink"] + self.extensions) + "250 ENHANCEDSTATUSCODES\r\n"
                elif word.startswith(b"MAIL FROM:"):
                    sender, recipients = line.split(b":", 1)[1].split()[0].decode(), []
                elif word.startswith(b"RCPT TO:"):
                    recipient = line.split(b":", 1)[1].split()[0].decode()
                    answer = self.answers.get(recipient.strip("<>").split("@")[0])
                    if answer:
                        reply = (answer() if callable(answer) else answer) + "\r\n"
                    if reply.startswith("250"):
                        recipients.append(recipient)
                elif word == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    text = self.message(lines)
                    self.envelopes.append((sender, sorted(recipients)))  # first: who finds the text looks for it
                    self.got.append(text)
                elif word == b"QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                connection.sendall(reply.encode())

    @staticmethod
    def message(lines):
        text = b""
        for line in lines:
            if line == b".\r\n":
                break
            text += line[1:] if line.startswith(b".") else line
        return text

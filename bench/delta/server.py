#!/usr/bin/env python3
"""A static web server on 127.0.0.1 that counts what it sends: server.py FOLDER PORT-FILE LOG

It knows GET and HEAD, one range and many (multipart/byteranges), and keeps connections open. Each request adds a line to
LOG, tab separated: method, path, status, bytes of the body, bytes of the response's header, bytes of the request's header.
GET /-/sum answers with "requests body response-headers request-headers" since the last /-/reset, once no other request is
under way. The port that the system gave is written to PORT-FILE.
"""
import email.utils
import os
import re
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

root, port_file, log_file = sys.argv[1:4]
root = os.path.realpath(root)
log = open(log_file, "a", buffering=1)
idle = threading.Condition()
active = 0
total = [0, 0, 0, 0]


def ranges_of(header, size):
    """The byte ranges that a Range header asks for, as (first, last), or None for the whole file."""
    match = re.fullmatch(r"bytes=([-0-9, ]+)", header or "")
    if not match:
        return None
    wanted = []
    for part in match.group(1).split(","):
        first, _, last = part.strip().partition("-")
        if first == "" and last == "":
            return None
        if first == "":
            first, last = max(size - int(last), 0), size - 1
        else:
            first, last = int(first), min(int(last), size - 1) if last else size - 1
        if first <= last and first < size:
            wanted.append((first, last))
    return wanted


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        global active
        if self.path.startswith("/-/"):
            return self.control()
        with idle:
            active += 1
        self.body_bytes = self.header_bytes = self.status = 0
        try:
            self.serve()
        finally:
            request = len(self.raw_requestline) + sum(len(k) + len(v) + 4 for k, v in self.headers.items()) + 2
            with idle:
                active -= 1
                for i, n in enumerate((1, self.body_bytes, self.header_bytes, request)):
                    total[i] += n
                log.write(f"{self.command}\t{self.path}\t{self.status}\t{self.body_bytes}\t{self.header_bytes}\t{request}\n")
                idle.notify_all()

    do_HEAD = do_GET

    def control(self):
        with idle:
            idle.wait_for(lambda: active == 0)
            answer = " ".join(map(str, total)) + "\n"
            if self.path == "/-/reset":
                total[:] = [0, 0, 0, 0]
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def begin(self, status, fields):
        self.status = status
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, str(value))
        self.header_bytes = sum(map(len, self._headers_buffer)) + 2
        self.end_headers()

    def serve(self):
        path = os.path.realpath(os.path.join(root, urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/")))
        if not (path.startswith(root + os.sep) and os.path.isfile(path)):
            return self.begin(404, [("Content-Length", 0)])
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            tag = f'"{size:x}-{status.st_mtime_ns:x}"'
            common = [("Accept-Ranges", "bytes"), ("ETag", tag), ("Last-Modified", email.utils.formatdate(status.st_mtime, usegmt=True)),
                      ("Content-Type", "application/octet-stream")]
            if tag in self.headers.get("If-None-Match", ""):
                return self.begin(304, common[1:3])
            wanted = ranges_of(self.headers.get("Range"), size)
            if wanted is None or self.headers.get("If-Range", tag) != tag:
                self.begin(200, common + [("Content-Length", size)])
                self.copy(file, 0, size)
            elif not wanted:
                self.begin(416, [("Content-Range", f"bytes */{size}"), ("Content-Length", 0)])
            elif len(wanted) == 1:
                first, last = wanted[0]
                self.begin(206, common + [("Content-Range", f"bytes {first}-{last}/{size}"), ("Content-Length", last - first + 1)])
                self.copy(file, first, last - first + 1)
            else:
                heads = [f"\r\n--part\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n".encode() for first, last in wanted]
                end = b"\r\n--part--\r\n"
                length = sum(map(len, heads)) + sum(last - first + 1 for first, last in wanted) + len(end)
                self.begin(206, common[:3] + [("Content-Type", "multipart/byteranges; boundary=part"), ("Content-Length", length)])
                for head, (first, last) in zip(heads, wanted):
                    self.send(head)
                    self.copy(file, first, last - first + 1)
                self.send(end)

    def copy(self, file, offset, length):
        if self.command == "HEAD":
            return
        file.seek(offset)
        while length > 0:
            data = file.read(min(length, 1 << 18))
            self.send(data)
            length -= len(data)

    def send(self, data):
        if self.command != "HEAD":
            self.wfile.write(data)
            self.body_bytes += len(data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is its own affair; what was sent is in the log


server = Server(("127.0.0.1", 0), Handler)
with open(port_file + ".part", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(port_file + ".part", port_file)
server.serve_forever()

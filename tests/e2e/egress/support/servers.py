# Servers of the outside: HTTP and HTTPS with files and a few answers, a name server whose answers
# change, a WebSocket that sends back what it is sent.
import base64, hashlib, http.server, os, socket, ssl, struct, threading

world = os.environ["WORLD"]
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Outside(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args):
        super().__init__(*args, directory=os.path.join(world, "www"))

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hello":
            return self.answer(f"hello from {self.headers['Host']}\n".encode())
        if self.path.startswith("/to/"):
            return self.answer(b"", 302, [("Location", "http://" + self.path[4:])])
        if self.path.startswith("/zeros/"):
            return self.zeros(int(self.path[7:]))
        if self.headers.get("Upgrade") == "websocket":
            return self.echo_frames()
        super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"posted " + body + b"\n")

    def zeros(self, count):
        self.send_response(200)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        block = bytes(1 << 20)
        while count > 0:
            self.wfile.write(block[:count])
            count -= len(block)

    def echo_frames(self):
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        self.send_response(101)
        for name, value in [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]:
            self.send_header(name, value)
        self.end_headers()
        while frame := self.connection.recv(65536):
            self.connection.sendall(frame)
        self.close_connection = True


def name_server():
    # flip.example is outside, then inside, and so on; inside.example is always inside.
    answers = {"flip.example": ["11.0.0.2", "127.0.0.1"], "inside.example": ["11.0.0.1"],
               "dns.example": ["11.0.0.3"], "metadata.example": ["169.254.169.254"]}
    asked = {}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("11.0.0.2", 53))
    threading.Thread(target=serve_names, args=(server, answers, asked), daemon=True).start()


def serve_names(server, answers, asked):
    while True:
        query, client = server.recvfrom(512)
        end, labels = 12, []
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode().lower())
            end += 1 + query[end]
        question = query[12:end + 5]
        kind = struct.unpack(">H", query[end + 1:end + 3])[0]
        name = ".".join(labels)
        known = answers.get(name)
        records = b""
        if known and kind == 1:
            asked[name] = asked.get(name, -1) + 1
            address = socket.inet_aton(known[asked[name] % len(known)])
            records = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + address
        flags = 0x8180 if known else 0x8183
        header = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if records else 0, 0, 0)
        server.sendto(header + question + records, client)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def serve(address, port, tls=None):
    server = Server((address, port), Outside)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(world, "server.crt"), os.path.join(world, "server.key"))
for address in ("11.0.0.2", "11.0.0.3"):
    for port in (80, 25, 8080):
        serve(address, port)
    serve(address, 443, context)
name_server()
open(os.path.join(world, "ready"), "w").close()
threading.Event().wait()

"""A server whose memory a test decides: /grow?mb=N, /shrink, /cache?file=PATH, /fork?n=N; /slow?s=N answers after so many seconds."""
import http.server, mmap, os, signal, sys, threading, time, urllib.parse

kept, mapped, children = [], [], []


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        asked = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        if url.path == "/grow":
            more = bytearray(int(asked["mb"]) * 1000000)
            more[::4096] = b"x" * len(range(0, len(more), 4096))  # every page is touched, and nothing is there twice
            kept.append(more)
        elif url.path == "/shrink":
            kept.clear()
        elif url.path == "/cache":
            with open(asked["file"], "rb") as f:
                while f.read(1 << 20):
                    pass
                mapped.append(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
            sum(mapped[-1][i] for i in range(0, len(mapped[-1]), 4096))
        elif url.path == "/fork":
            for _ in range(int(asked["n"])):
                pid = os.fork()
                if pid == 0:
                    signal.signal(signal.SIGINT, signal.SIG_DFL)
                    while os.getppid() == leader:
                        time.sleep(0.1)
                    os._exit(0)
                children.append(pid)
        elif url.path == "/slow":
            time.sleep(float(asked["s"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"done " + url.path.encode())

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for the requests in flight
    allow_reuse_address = True


leader = os.getpid()
server = Server(("127.0.0.1", int(sys.argv[1])), Answer)
signal.signal(signal.SIGINT, lambda *a: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
print("finished all requests", flush=True)

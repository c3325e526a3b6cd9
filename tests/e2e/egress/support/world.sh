# Makes a small world for programs, until it is ended: a network namespace where it has 11.0.0.1, and
# another one at the other end of a cable with servers on 11.0.0.2. Nothing leads out of the two.
# Names are those of $WORLD/hosts and of a name server in the other namespace.
#
# To be run as the first process of user, mount, network and process namespaces of its own, so that
# nothing of it is left when it ends, with WORLD set to a directory.
set -eu
for file in hosts resolv.conf nsswitch.conf; do mount --bind "$WORLD/$file" "/etc/$file"; done
ip link set lo up
ip link add cable0 type veth peer name cable1
unshare --net sh -c 'echo > "$WORLD/there"; exec sleep 600' &
other=$!
until [ -e "$WORLD/there" ]; do sleep 0.01; done
ip link set cable1 netns "$other"
ip addr add 11.0.0.1/24 dev cable0
ip link set cable0 up
nsenter --net="/proc/$other/ns/net" sh -c 'ip addr add 11.0.0.2/24 dev cable1
  ip addr add 11.0.0.3/24 dev cable1
  ip link set cable1 up
  ip link set lo up
  exec python3 "$WORLD/servers.py"' &
# What is on the executor's own machine is none of the commands' business.
python3 -c '
import http.server, os
class Secret(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"SECRET of this machine\n")
    log_message = lambda *_: None
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Secret).serve_forever()' &
wait

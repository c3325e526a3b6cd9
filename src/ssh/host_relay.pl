# Carries bytes between standard input and output and the unix socket of an executor, which has agreed
# to a WebSocket by then. Arguments: the socket, what to say on standard output before the executor's
# directory, and the seconds of silence after which a client is taken for gone.
# The exit code is 3 where the executor cannot be reached, or does not agree.

my ($path, $greeting, $patience) = @ARGV;
# AF_UNIX and SOCK_STREAM of Linux: loading them takes longer than all the rest.
socket(S, 1, 1, 0) && connect(S, pack(q(Sa*x), 1, $path)) or exit 3;
syswrite(S, join(qq(\r\n), q(GET / HTTP/1.1), q(Host: localhost), q(Connection: Upgrade), q(Upgrade: websocket),
  q(Sec-WebSocket-Version: 13), q(Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==), q(), q()));
my $head = q();
until ($head =~ m(\r\n\r\n\z)) { sysread(S, $head, 1, length($head)) or exit 3 }
$head =~ m(^HTTP/1.1 101 ) && defined(my $child = fork) or exit 3;
my ($directory) = $head =~ m(\nremex-cwd: *(\S+))i;

sub pass {
  my ($from, $to, $patience) = @_;
  for (;;) {
    alarm($patience);
    sysread($from, my $bytes, 65536) or last;
    alarm(0);
    for (my $sent = 0; $sent < length($bytes);) { $sent += syswrite($to, $bytes, length($bytes) - $sent, $sent) || exit }
  }
  alarm(0);
}
# One direction a process, so that neither waits for the other. Who hears the end ends both.
if (!$child) { syswrite(STDOUT, qq($greeting $directory\n)); pass(*S, *STDOUT, 0); kill(15, getppid); exit }
$SIG{ALRM} = sub { kill(15, $child); exit };
pass(*STDIN, *S, $patience);
shutdown(S, 1);
waitpid($child, 0);

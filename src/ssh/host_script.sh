# Finds this program on a host, or takes it in, and leads standard input and output to its executor.
# Arguments: the name and size of the program, the seconds that an executor may be idle, those between
# signs of life, and the program of the relay. There are no single quotes here: it is sent in a pair.

name=$1; size=$2; idle=$3; beat=$4; relay=$5; tried=; host=$(uname -n);
say() { printf "%s\n" "remex-host $*"; };
private() { case $(ls -ld "$dir" 2>/dev/null) in drwx------*) [ -O "$dir" ];; *) false;; esac; };
usual="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/remex";
places() {
  dir=$usual; "$@" && return;
  uid=$(id -u);
  for dir in "/var/tmp/remex-$uid" "/tmp/remex-$uid" "${XDG_RUNTIME_DIR:-/nonexistent}/remex"; do "$@" && return; done;
  return 1;
};
there() { private && [ -x "$dir/$name" ] && [ "$(($(wc -c <"$dir/$name")))" -eq "$size" ]; };
usable() {
  mkdir -p "$dir" 2>/dev/null; chmod 700 "$dir" 2>/dev/null; private || return 1;
  try="$dir/.try-$host-$$"; { echo : >"$try"; } 2>/dev/null && chmod 700 "$try" && "$try" 2>/dev/null; works=$?; rm -f "$try";
  [ "$works" -eq 0 ];
};
digest() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1";
  elif command -v shasum >/dev/null; then shasum -a 256 <"$1";
  else openssl dgst -sha256 -r <"$1"; fi;
};
# Ends here if the executor was reached so. Its socket is this user's, so nobody else listens there. Perl
# that cannot run this says so by its exit code.
run_relay() {
  [ "$1" != "$tried" ] && [ -S "$1" ] && [ -O "$1" ] && command -v perl >/dev/null || return;
  tried=$1;
  LC_ALL=C perl -e "$relay" "$1" "remex-host joined" "$((beat * 4))" 2>/dev/null; code=$?;
  if [ "$code" -eq 0 ] || { [ "$code" -gt 128 ] && [ "$code" -lt 255 ]; }; then exit; fi;
};
run() {
  touch -c "$dir/$name" 2>/dev/null;
  socket="$dir/$host-$name.sock";
  if [ "${#socket}" -gt 100 ]; then socket="$dir/$host.sock"; fi;
  if [ "${#socket}" -gt 100 ]; then at="$dir/$name"; dir="/tmp/remex-$(id -u)"; usable || { say failed socket "$dir"; exit 1; }; socket="$dir/$name.sock"; else at="$dir/$name"; fi;
  run_relay "$socket"; say ready "$at"; cd / ; cd ~ 2>/dev/null;
  exec "$at" bridge --heartbeat "$beat" --spawn "$idle" "unix:$socket";
};
receive() {
  mask=$(umask); umask 077;
  places usable || { say failed place; exit 1; };
  say place "$dir";
  part="$dir/.upload-$host-$$";
  trap "rm -f \"\$part\"" EXIT; trap "exit 1" HUP INT TERM PIPE;
  words=$({ head -c "$1" | gzip -dc >"$part"; } 2>&1) || words="${words:-gzip failed}";
  fail() { rm -f "$part"; say failed "$@"; exit 1; };
  if [ -n "$words" ]; then fail write "$words"; fi;
  case $(digest "$part" 2>/dev/null) in "$2"*) ;; *) fail digest;; esac;
  chmod 700 "$part"; words=$("$part" --version 2>&1) || fail run "$words";
  if ! ln "$part" "$dir/$name" 2>/dev/null && ! there; then mv -f "$part" "$dir/$name"; fi; rm -f "$part"; trap - EXIT;
  umask "$mask";
  find "$dir" -name "remex-*" -type f -mtime +30 -exec rm -f {} + 2>/dev/null;
};
# As nearly always; what is found out otherwise takes a process each.
run_relay "$usual/$host-$name.sock";
if places there; then run; fi;
say missing "$(uname -s)" "$(uname -m)";
while read -r verb first second; do
  case $verb in
    use) name=$first; size=$second; if places there; then run; else say missing "$(uname -s)" "$(uname -m)"; fi;;
    upload) receive "$first" "$second"; run;;
  esac;
done

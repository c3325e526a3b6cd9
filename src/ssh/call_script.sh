# Calls ssh. Arguments: the command that it is called by, a directory for the sockets of connections that
# are shared, which may be empty, and what ssh is told. ssh leaves signals ignored that it was started to
# ignore: they are for the command.

trap "" INT QUIT HUP
ssh=$1; shared=$2; shift 2
if [ "$shared" ]; then
  settings=$(eval "$ssh -G \"\$@\"" </dev/null 2>/dev/null)
  case $settings in
    # Whoever shares connections by the configuration of ssh has them shared that way.
    *"
controlpath "*) ;;
    *"
controlmaster false
"*)
      set -- -o ControlMaster=auto -o "ControlPath=$shared/%C" -o ControlPersist=60 "$@"
      # A connection that is dead would hold up whoever shares it.
      case $settings in *"
serveraliveinterval 0
"*) set -- -o ServerAliveInterval=5 -o ServerAliveCountMax=2 "$@" ;; esac ;;
  esac
fi
eval "exec $ssh \"\$@\""

# Shared by the scripts in this directory. Sourced by bash (3.2 or later), not run.

DENO_VERSION=2.7.11

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# Where downloaded tools are kept between runs.
cache_dir() { printf '%s' "${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/remex"; }

# The machine the script runs on, as linux-x64, linux-arm64, macos-x64 or macos-arm64.
host_platform() {
  local os arch
  case "$(uname -s)" in
    Linux) os=linux ;;
    Darwin) os=macos ;;
    *) die "$(uname -s) is not supported; use Linux or macOS" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "$(uname -m) is not supported; use x86-64 or arm64" ;;
  esac
  printf '%s' "$os-$arch"
}

# digest ALGORITHM ENCODING FILE: prints the digest of a file.
digest() {
  node -e '
    const [algorithm, encoding, file] = process.argv.slice(1);
    const hash = require("crypto").createHash(algorithm);
    process.stdout.write(hash.update(require("fs").readFileSync(file)).digest(encoding));
  ' "$@"
}

# Makes an empty directory in the cache, on the file system that results are later renamed on.
make_cache_temp() {
  local cache
  cache=$(cache_dir)
  mkdir -p "$cache"
  mktemp -d "$cache/tmp.XXXXXX"
}

# Removes DIR when the current (sub)shell ends, also when it is interrupted.
remove_at_exit() {
  # The path is wanted as it is now, not as the variable is at exit.
  # shellcheck disable=SC2064
  trap "rm -rf $(printf '%q' "$1")" EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# fetch_npm_package NAME VERSION SHA512 DIR: unpacks the package to DIR/package, but only if its
# archive is the one whose base64 SHA-512 digest is pinned.
fetch_npm_package() {
  local name=$1 version=$2 sha512=$3 dir=$4
  mkdir "$dir/archive"
  npm pack --loglevel=error --no-update-notifier --ignore-scripts \
    --pack-destination "$dir/archive" "$name@$version" >/dev/null ||
    die "npm could not fetch $name@$version"
  local archives=("$dir"/archive/*.tgz)
  [[ $(digest sha512 base64 "${archives[0]}") == "$sha512" ]] ||
    die "$name@$version is not the package that was pinned; nothing was installed"
  tar -xzf "${archives[0]}" -C "$dir"
}

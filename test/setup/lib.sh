# Sourced by the other scripts here: what they share. Progress goes to stderr; stdout carries one line, the result.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/millrace
mkdir -p "$cache/bin" "$cache/log"

say() { printf '    %s: %s (%d s)\n' "$(basename "$0" .sh)" "$*" "$SECONDS" >&2; }

fail() { say "$*"; exit 1; }

# Holds until this script ends, so that two test runs on one machine do not build the same part twice.
# Descriptor 9 is the lock: whatever is left running must be started with 9>&-.
lock() { exec 9>"$cache/$1.lock"; flock -w 1800 9 || fail "another set-up has held $cache/$1.lock for 30 minutes"; }

is_debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && grep -q '^ID=debian' /etc/os-release; }

# The lists are refreshed at most once a day and again when a package is not found in them.
apt_install() {
  is_debian_root || fail "needs $*; installing it takes Debian and root"
  say "apt-get install $*"
  (
    flock 8
    export DEBIAN_FRONTEND=noninteractive
    local options=(-qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
    install() { apt-get "${options[@]}" install -y --no-install-recommends "$@" </dev/null >>"$cache/log/apt.log" 2>&1 9>&-; }
    install "$@" || { apt-get "${options[@]}" update </dev/null >>"$cache/log/apt.log" 2>&1 && install "$@"; }
  ) 8>"$cache/apt.lock" || { tail -n 20 "$cache/log/apt.log" >&2; fail "apt-get could not install $*: $cache/log/apt.log"; }
}

label=millrace.stand-in

# True when the image needs nothing: it is a real one (without our label), or a stand-in made from these very inputs.
image_is_current() {
  local found
  found=$(docker image inspect -f "{{with .Config.Labels}}{{index . \"$label\"}}{{end}}|" "$1" 2>/dev/null) || return 1
  [ "$found" = '|' ] || [ "$found" = "$2|" ]
}

# The real image wherever a registry can be reached.
pull_image() { say "pulling $1"; timeout 600 docker pull -q "$1" >/dev/null 2>&1 </dev/null; }

# import_image ROOT TAG KEY [--change VALUE]...: a folder becomes an image of one layer.
import_image() {
  local root=$1 tag=$2 key=$3; shift 3
  tar -C "$root" --numeric-owner --owner=0 --group=0 -cf - . | docker import -c "LABEL $label=$key" "$@" - "$tag" >/dev/null
}

# What every userland needs beside its programs.
finish_userland() {
  local root=$1
  mkdir -p "$root"/{tmp,run,proc,sys,dev,root,home,var/tmp,etc/ssl/certs,usr/local/bin}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnode:x:1000:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  mkdir -p "$root/home/node" && chown 1000:1000 "$root/home/node"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
}

# Copies a program's shared libraries into a root, at their own paths.
copy_libraries() {
  local root=$1; shift
  ldd "$@" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
}

# Puts a static busybox and the names it answers to into usr/bin.
install_busybox() {
  local root=$1
  ldd /bin/busybox >/dev/null 2>&1 && apt_install busybox-static
  [ -x /bin/busybox ] || apt_install busybox-static
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  cp /bin/busybox "$root/usr/bin/busybox"
  /bin/busybox --list | grep -vx busybox | while read -r name; do ln -sf busybox "$root/usr/bin/$name"; done
}

# go_install MODULE@VERSION NAME NEEDED_GO TARGET: builds one program from its Go module; NEEDED_GO is the `go` line of its go.mod.
go_install() {
  local module=$1 name=$2 needed=$3 target=$4 go work ticker log=$cache/log/$2-build.log
  go=$(command -v go || true)
  [ -n "$go" ] || { apt_install golang-go ca-certificates; go=$(command -v go); }
  if ! at_least "$needed" "$(go_version "$go")"; then
    # Newer Go comes as a module. A Go older than 1.21 does not fetch it by itself, so it is asked for by name; modules carry no executable bits.
    local arch toolchain found goroot
    case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) fail "no Go toolchain known for $(uname -m)" ;; esac
    say "fetching Go $needed"
    toolchain=golang.org/toolchain@v0.0.1-go$needed.linux-$arch
    found=$(cd / && GOFLAGS=-mod=mod GOTOOLCHAIN=local "$go" mod download -json "$toolchain") || fail "could not fetch Go $needed: $found"
    goroot=$(printf '%s' "$found" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
    chmod -R u+w "$goroot"
    chmod +x "$goroot"/bin/* "$goroot"/pkg/tool/*/*
    go=$goroot/bin/go
    export GOROOT=$goroot
  fi
  say "building $module with Go $(go_version "$go")"
  work=$(mktemp -d)
  (while sleep 30; do say 'still building'; done) 9>&- &
  ticker=$!
  # Expanded now: the names are gone when the script ends.
  trap "rm -rf '$work'; kill $ticker 2>/dev/null || true" EXIT
  GOBIN=$work GOFLAGS=-buildvcs=false GOTOOLCHAIN=local "$go" install -trimpath -ldflags='-s -w' "$module" >"$log" 2>&1 </dev/null ||
    { tail -n 20 "$log" >&2; fail "the build failed: $log"; }
  "$work/$name" --version >/dev/null
  mv "$work/$name" "$target.$$"
  mv "$target.$$" "$target"
}

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
go_version() { GOTOOLCHAIN=local "$1" version 2>/dev/null | grep -oE 'go[0-9]+\.[0-9.]+' | head -n 1 | cut -c3-; }

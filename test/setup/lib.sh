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

#!/usr/bin/env bash
# python:3.12-slim: pulled where a registry can be reached, else a stand-in of Debian packages with the CPython 3.12 pyenv keeps here,
# or, where there is none, with Debian's own Python and pip. Prints the tag.
. "$(dirname "$0")/lib.sh"

tag=${1:-python:3.12-slim}
home=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12.* 2>/dev/null | sort -V | tail -n 1 || true)
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
key=python-1-$codename-$(basename "${home:-debian}")
lock python-image
image_is_current "$tag" "$key" && { echo "$tag"; exit 0; }
pull_image "$tag" && { echo "$tag"; exit 0; }

is_debian_root || fail "cannot pull $tag, and a stand-in takes Debian and root"
[ -n "$home" ] || say "no CPython 3.12 under pyenv: the stand-in carries Debian's Python instead"
command -v mmdebstrap >/dev/null || apt_install mmdebstrap
[ -n "$(ls /var/lib/apt/lists/*Packages* 2>/dev/null)" ] || apt-get update -qq </dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
root=$work/root

# The packages that hold the shared libraries this CPython was linked with, found rather than listed: names differ by release.
library_packages() {
  { ldd "$home/bin/python3"; find "$home/lib/python3.12/lib-dynload" -name '*.so' ! -name '_tkinter*' -exec ldd {} + ; } 2>/dev/null |
    grep -oE '/[^ ]+\.so[^ ]*' | grep -v "^$home" | xargs -r -n 1 basename | sort -u | sed 's,^,*/,' | xargs -r dpkg -S 2>/dev/null |
    cut -d: -f1 | sort -u
}
packages='base-files base-passwd netbase bash dash coreutils grep sed tar gzip findutils mawk libc-bin tzdata libstdc++6 libgcc-s1'
if [ -n "$home" ]; then packages="$packages $(library_packages)"; else packages="$packages python3 python3-venv python3-pip"; fi

say 'unpacking the userland'
mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' | awk -v c="$codename" '$1 == "Debian" && $2 == c { print $3; exit }')
# Unpacked only: no package's own scripts run, which takes a third of the time and is all that a container's userland needs.
mmdebstrap --quiet --variant=extract --mode=root --components=main --aptopt='Acquire::Languages "none"' \
  --include="$(echo $packages | tr ' ' ',')" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --setup-hook='mkdir -p "$1"/usr/bin "$1"/usr/sbin "$1"/usr/lib "$1"/usr/lib64; ln -s usr/bin usr/sbin usr/lib usr/lib64 "$1/"' \
  "$codename" "$root" ${mirror:+"$mirror"} </dev/null
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/* "$root"/var/log/*
finish_userland "$root"
[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"

if [ -n "$home" ]; then
  say "adding $(basename "$home")"
  # pip is the only package taken along: whatever else was installed here by hand stays out.
  tar -C "$home" -cf - --exclude='lib/python3.12/test' --exclude='lib/python3.12/config-*' --exclude='lib/python3.12/idlelib' \
    --exclude='lib/python3.12/tkinter' --exclude='_tkinter*.so' --exclude='*/libpython*.a' --exclude='lib/python3.12/site-packages/*' \
    bin lib include | tar -C "$root/usr/local" -xf -
  (cd "$home/lib/python3.12/site-packages" && tar -cf - pip pip-*.dist-info) | tar -C "$root/usr/local/lib/python3.12/site-packages" -xf -
  # Console scripts name the interpreter they were made for; only pip's are kept, and pointed at the one inside.
  grep -lI "^#!$home/bin/" "$root"/usr/local/bin/* 2>/dev/null | while read -r script; do
    case $(basename "$script") in pip*) sed -i '1s,.*,#!/usr/local/bin/python3,' "$script" ;; *) rm "$script" ;; esac
  done
  ln -sf python3 "$root/usr/local/bin/python"
else
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  ln -s ../../bin/python3 "$root/usr/local/bin/python"
fi
# The same package index as on this machine, should it have one of its own.
index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n%s' "${index:+index-url = $index$'\n'}" >"$root/etc/pip.conf"
ldconfig -r "$root"

import_image "$root" "$tag" "$key" -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'ENV LANG=C.UTF-8' \
  -c 'CMD ["python3"]'
docker run --rm --network none "$tag" python -c 'import ssl, sqlite3, zlib, lzma, bz2, ctypes, hashlib, pip' ||
  fail "the stand-in of $tag lacks a module"
echo "$tag"

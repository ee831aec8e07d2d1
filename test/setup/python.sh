#!/usr/bin/env bash
# A Python 3 with venv and pip, for steps that run as processes. Prints its path.
. "$(dirname "$0")/lib.sh"

works() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }
works || { lock python; works || apt_install python3 python3-venv; works; } || fail 'python3 has no venv'
command -v python3

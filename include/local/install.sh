#!/usr/bin/env bash
# Makes .lamplighter/venv hold exactly what requirements.txt locks. Needs Python 3.11 to 3.13 and nothing else;
# interrupted, it starts again where it matters.
set -euo pipefail
cd "$(dirname "$0")/../.."

uv_version=0.13.9
state=.lamplighter
venv=$state/venv
supported='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        # A shim can be on the path without working, so ask it.
        if "$candidate" -c "$supported" 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    echo "Lamplighter needs Python 3.11, 3.12 or 3.13; none of these was found: name one with PYTHON=/path/to/python." >&2
    exit 1
}

python=$(find_python)
mkdir -p "$state"
if ! "$state/uv/bin/uv" --version 2>/dev/null | grep -qF "uv $uv_version"; then
    echo "Installing uv $uv_version with $python …"
    if ! "$python" -m venv "$state/uv"; then
        echo "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    "$state/uv/bin/pip" install --quiet --disable-pip-version-check "uv==$uv_version"
fi
uv=$state/uv/bin/uv
if ! "$venv/bin/python" -c "$supported" 2>/dev/null; then
    "$uv" venv --quiet --clear --python "$python" "$venv"
fi
echo "Installing $(grep -c '^[a-z0-9].*==' requirements.txt) locked packages …"
started=$SECONDS
VIRTUAL_ENV=$venv "$uv" pip sync --quiet --system-certs --require-hashes --compile-bytecode requirements.txt
if ! OPENBLAS_NUM_THREADS=1 "$venv/bin/python" -c 'import implicit.cpu.als'; then
    echo "The recommender's library needs the system's OpenMP; on Debian and Ubuntu: apt-get install libgomp1" >&2
    exit 1
fi
touch "$venv/.installed"
echo "Installed in $((SECONDS - started)) s."

#!/usr/bin/env bash
# The Dockerfile's steps where no base image can be had: the same commands with this machine's Python, then the service
# as nobody in namespaces of its own, with a root that cannot be written and no network but the loopback.
#   sudo deploy/try.sh INDEX [PYTHON]     INDEX: made by `tgfr-search index`; PYTHON: one that everybody may run
set -euo pipefail
index=$(realpath "$1"); python=${2:-/usr/bin/python3}
root=$(mktemp -d /opt/tgfr-try.XXXX); source=$(dirname "$(realpath "$0")")/..
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

"$python" -m venv "$root/tgfr"
mkdir "$root/src"; git -C "$source" archive HEAD | tar -x -C "$root/src"
cd "$root/src"
pip() { "$root/tgfr/bin/pip" --disable-pip-version-check install --quiet --constraint constraints.txt "$@"; }
pip 'torch==2.13.0+cpu' || pip torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
pip '.[cpu,serve,report]'
cd /; rm -rf "$root/src"

install -d -o 10001 -g 10001 -m 0700 "$root/data"
cp -r "$index" "$root/data/index"; chown -R 10001:10001 "$root/data"
cat > "$root/inside.sh" <<'INSIDE'
set -euo pipefail
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs /tmp
mount --bind "$1/data" "$1/data"
mount -o remount,bind,ro /
for hidden in /root /home /work; do [ ! -d $hidden ] || mount -t tmpfs -o ro,mode=0 tmpfs $hidden; done
cd "$1/data"
exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --no-new-privs env -i \
  PATH="$1/tgfr/bin:/usr/bin:/bin" PYTHONDONTWRITEBYTECODE=1 HOME="$1/data" MPLCONFIGDIR=/tmp OMP_NUM_THREADS=2 \
  TGFR_SERVICE_DATA="$1/data/service" bash -euc '
    for path in /opt/x /etc/x; do if touch $path 2>/dev/null; then echo "$path can be written"; exit 1; fi; done
    if python -c "import socket; socket.create_connection((\"1.1.1.1\", 443), 3)" 2>/dev/null; then echo "a network"; exit 1; fi
    echo "nobody: $(id -u), nothing can be written but $HOME and /tmp, no network"
    tgfr-search user add admin-1 --role admin --password-file <(echo correct horse battery)
    tgfr-search serve index --bind 127.0.0.1:8443 --insecure-loopback & server=$!
    ready=
    for _ in $(seq 120); do
      sleep 1; ready=$(python -c "import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8443/readyz\").read().decode())" 2>/dev/null) && break
    done
    if [ -z "$ready" ]; then echo "it never was ready"; exit 1; fi
    echo "$ready"
    kill -TERM $server; wait $server || test $? = 143  # what a process says that a signal ended
    echo "it served, and ended in order"'
INSIDE
unshare --mount --net --pid --fork --kill-child bash "$root/inside.sh" "$root"

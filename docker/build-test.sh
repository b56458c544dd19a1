#!/usr/bin/env bash
# Build the CPU image and try it, where no Docker engine is at hand.
#
#     docker/build-test.sh WHEELS      # as root; WHEELS: a folder with torch's CPU wheel
#
# Needs buildah and mmdebstrap. The base is a bare Debian 12 with its Python 3.11, made here, in
# place of the official Python image. All is built in a temporary folder (8 GB at most) and deleted.
# KEEP=1 keeps it. The host's certificates and pip's certificate setting are mounted for the build.
set -euo pipefail
cd "$(dirname "$0")/.."
wheels=$(realpath "${1:?usage: docker/build-test.sh WHEELS, a folder with the CPU wheel of torch}")
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/xstilts-image.XXXXXX")
export BUILDAH_ISOLATION=chroot
buildah() {
    command buildah --storage-driver vfs --root "$scratch/root" --runroot "$scratch/run" "$@"
}
finish() {
    [ -n "${KEEP:-}" ] && echo "kept: $scratch" && return
    buildah rm --all >/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap finish EXIT
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say "base: Debian 12 with Python 3.11"
mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv \
    bookworm "$scratch/base.tar"
base=$(buildah from scratch)
buildah add --quiet "$base" "$scratch/base.tar" / >/dev/null
buildah commit --quiet --rm "$base" xstilts-base >/dev/null
rm "$scratch/base.tar"

say "image: docker/Dockerfile with TORCH=cpu"
certificates=/etc/ssl/certs/ca-certificates.crt
printf '[global]\ncert = %s\n' "$certificates" >"$scratch/pip.conf"
buildah bud --quiet --network host --pull=never \
    --volume "$certificates:$certificates:ro" --volume "$scratch/pip.conf:/etc/pip.conf:ro" \
    --build-context "wheels=$wheels" \
    --build-arg BASE=localhost/xstilts-base --build-arg TORCH=cpu \
    --build-arg "GIT_SHA=$(git rev-parse HEAD)" \
    --file docker/Dockerfile --tag xstilts .

try() { # try COMMAND...: as $user in $container
    say "as $user: $*"
    buildah run --user "$user" "$container" -- "$@"
}
user=1000:1000
container=$(buildah from --pull=never xstilts)
try id
try python -c 'import torch, deepspeed, mlflow; print(torch.__version__, mlflow.__version__)'
try xstilts plan
buildah rm "$container" >/dev/null

user=54321:54321 # an arbitrary UID, as on a cluster
container=$(buildah from --pull=never xstilts)
try xstilts plan

mkdir "$scratch/clone"
git ls-files --cached --others --exclude-standard -z |
    tar --create --null --files-from=- --ignore-failed-read | tar --extract -C "$scratch/clone"
git init --quiet "$scratch/clone"
chown -R "$user" "$scratch/clone"
on_clone() {
    say "as $user, on a mounted clone: $*"
    buildah run --user "$user" --volume "$scratch/clone:/study" "$container" -- "$@"
}
on_clone xstilts study use demo
on_clone dvc repro --force fetch@demo/world--facts
on_clone git status --short provenance
buildah inspect --type image --format '{{.OCIv1.Config.Labels}}' xstilts
say "done"

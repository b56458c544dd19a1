#!/usr/bin/env bash
# Build the CPU image and the server's, and try them, where no Docker engine is at hand.
#
#     make image-test                  # as root, on Debian or Ubuntu
#     docker/image-test.sh [WHEELS]    # WHEELS: a folder with torch's CPU wheel; else pip gets it
#
# The base is a bare Debian 12 with its Python 3.11, made here, in place of the official Python
# image; buildah builds on it without a daemon. bubblewrap then runs the image as a cluster does: the
# root read-only, an arbitrary user, no network, /tmp and /cache empty, a clone mounted. The demo's
# first stages must come out with the bytes of the committed dvc.lock, and no planted secret may be
# in the image. All is made in a temporary folder (15 GB at most) and deleted; KEEP=1 keeps it.
# OPS=1 also builds the compiled operators, of the CPU build (CUDA's need its image).
# The host's certificates and pip's certificate setting are mounted for the build.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/xstilts-image.XXXXXX")
chmod 755 "$scratch"
export BUILDAH_ISOLATION=chroot
finish() {
    [ -n "${KEEP:-}" ] && echo "kept: $scratch" && return
    rm -rf --one-file-system "$scratch"
}
trap finish EXIT
secret=planted-$$-$RANDOM # in files that must stay out of the image
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
buildah() {
    command buildah --storage-driver vfs --root "$scratch/root" --runroot "$scratch/run" "$@"
}

tools() {
    local tool missing=
    for tool in buildah mmdebstrap bwrap; do # -P: `buildah` above is a function
        type -P "$tool" >/dev/null || missing=1
    done
    [ -n "$missing" ] || return 0
    say "Debian packages"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends buildah mmdebstrap bubblewrap >/dev/null
}

context() { # what git knows, a commit of its own, and secrets that must stay out of the image
    mkdir "$scratch/clone" "$scratch/context"
    git ls-files --cached --others --exclude-standard -z |
        tar --create --null --files-from=- --ignore-failed-read | tar --extract -C "$scratch/clone"
    git -C "$scratch/clone" init --quiet
    git -C "$scratch/clone" add --all
    git -C "$scratch/clone" -c user.name=test -c user.email=test@localhost commit --quiet -m test
    cp --archive "$scratch/clone/." "$scratch/context"
    for name in .env docker/.env .dvc/config.local machine.yaml data/rows models/weights \
        mlruns/mlflow.db results/predictions/x report/demo/index.html; do
        mkdir -p "$scratch/context/$(dirname "$name")"
        echo "$secret" >"$scratch/context/$name"
    done
}

wheels() { # the CPU wheel of the lock, from pip's index or --find-links
    wheels=${1:-$scratch/wheels}
    [ $# -gt 0 ] || python3 -m pip download --quiet --no-deps --require-hashes \
        --dest "$wheels" --requirement docker/torch-cpu.lock
    wheels=$(realpath "$wheels")
}

base() {
    local made
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,python3,python3-venv,python3-dev bookworm "$scratch/base.tar"
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$scratch/base.tar" / >/dev/null
    buildah commit --quiet --rm "$made" xstilts-base >/dev/null
    rm "$scratch/base.tar"
}

build() { # build TARGET: docker/Dockerfile, for the CPU
    local certificates=/etc/ssl/certs/ca-certificates.crt
    printf '[global]\ncert = %s\n' "$certificates" >"$scratch/pip.conf"
    buildah bud --quiet --network host --pull=never --target "$1" \
        --volume "$certificates:$certificates:ro" --volume "$scratch/pip.conf:/etc/pip.conf:ro" \
        --build-context "wheels=$wheels" --build-arg TORCH=cpu \
        --build-arg BASE=localhost/xstilts-base --build-arg CUDA=localhost/xstilts-cuda \
        --build-arg "GIT_SHA=$(git rev-parse HEAD)" \
        --file "$scratch/context/docker/Dockerfile" --tag "$1" "$scratch/context" >/dev/null
}

open() { # open TARGET: its root is at $image, and what it sets in $settings
    container=$(buildah from --pull=never "$1")
    image=$(buildah mount "$container")
    mapfile -t settings < <(buildah inspect --type image \
        --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "$1" | sed '/^$/d')
}

run() { # run COMMAND...: in the open image, whose root is read-only, as an arbitrary user
    say "read-only, uid 54321: $*"
    bwrap --ro-bind "$image" / --dev /dev --perms 1777 --tmpfs /dev/shm --proc /proc \
        --perms 1777 --tmpfs /tmp "${mounts[@]}" --chdir "$folder" \
        --unshare-net --unshare-pid --unshare-ipc --unshare-uts --die-with-parent \
        setpriv --reuid=54321 --regid=54321 --clear-groups --no-new-privs --inh-caps=-all \
        env --ignore-environment "${settings[@]}" "$@"
}

size() { buildah images --format '{{.Name}} {{.Size}}' | grep "/$1 "; }

study() {
    say "image: --target study, TORCH=cpu"
    build study
    open study
    if grep --recursive --files-with-matches "$secret" "$image"/{build,cache,etc,root,study,tmp}; then
        echo 'a file that must stay out is in the image'
        exit 1
    fi
    local cache=(--perms 1777 --tmpfs /cache)
    mounts=("${cache[@]}") folder=/study
    run id
    run bash -c 'if touch /study/x 2>/dev/null; then echo "the root can be written"; exit 1; fi'
    run xstilts claims
    say "uid 54321, in the image as it comes: xstilts plan" # DVC keeps notes beside the study
    buildah run --user 54321:54321 "$container" -- xstilts plan | sed -n 1,12p
    say "the same, with a clone mounted at /study"
    chown --recursive 54321:54321 "$scratch/clone"
    mounts=("${cache[@]}" --bind "$scratch/clone" /study)
    run xstilts doctor
    run dvc repro subsample@demo/world_classes-qaa-s1 pretrain@demo
    run git diff --exit-code --stat dvc.lock code statistics
    echo 'the same bytes as in the committed dvc.lock'
}

server() {
    say "image: --target server"
    build server
    open server
    mounts=() folder=/tmp
    run python -c 'import psycopg2, boto3, mlflow; print("MLflow", mlflow.__version__)'
    # shellcheck disable=SC2016  # it is the inner shell that expands
    run bash -c 'mlflow server --backend-store-uri sqlite:////tmp/mlflow.db --workers 1 >/tmp/log 2>&1 &
        for _ in $(seq 120); do
            sleep 2
            python -c "import urllib.request as web
print(web.urlopen(\"http://127.0.0.1:5000/health\").read().decode())" 2>/dev/null && exit
        done
        cat /tmp/log
        exit 1'
}

operators() { # CUDA's image stands empty, as the CPU build asks it for nothing
    say "image: --target ops, of the CPU build"
    local made
    made=$(buildah from scratch)
    mkdir -p "$scratch/cuda/usr/local/cuda-13.0"
    buildah copy --quiet "$made" "$scratch/cuda" / >/dev/null
    buildah commit --quiet --rm "$made" xstilts-cuda >/dev/null
    build ops
    open ops
    mounts=(--perms 1777 --tmpfs /cache) folder=/study
    run python -c 'import torch, deepspeed.ops.adam.fused_adam_op as op; print(op.__file__)'
}

tools
context
wheels "$@"
say "base: Debian 12 with Python 3.11"
base
study
server
[ -z "${OPS:-}" ] || operators
say "sizes"
for name in xstilts-base study server; do size "$name"; done
say "done"

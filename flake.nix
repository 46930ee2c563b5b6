# A shell with the pinned tools, and an app that starts a cluster. There is no `buildNpmPackage`: it
# needs download addresses in package-lock.json, and ours carries none.
{
  description = "Balsa: a Raft-replicated key-value store in TypeScript";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forSystems = nixpkgs.lib.genAttrs systems;
      forPackages = function: forSystems (system: function nixpkgs.legacyPackages.${system});
    in
    {
      devShells = forPackages (pkgs: {
        default = pkgs.mkShell {
          # redis and etcd are there for their clients, which the conformance tests use.
          packages = [
            pkgs.nodejs_24
            pkgs.redis
            pkgs.etcd
          ];
        };
      });

      apps = forPackages (pkgs: {
        default = {
          type = "app";
          # A build may not reach the network and npm has to, so this works on a writable copy.
          program = toString (
            pkgs.writeShellScript "balsa-start" ''
              set -eu
              export PATH=${pkgs.nodejs_24}/bin:$PATH
              folder=$(mktemp -d)
              trap 'rm -rf "$folder"' EXIT
              cp -R ${self}/. "$folder"
              chmod -R u+w "$folder"
              cd "$folder"
              npm ci
              npm start
            ''
          );
        };
      });

      checks = forSystems (system: {
        # The shell can be built: every package that it names exists for this system.
        shell = self.devShells.${system}.default;
      });

      formatter = forPackages (pkgs: pkgs.nixfmt-tree);
    };
}

# What flake.nix takes from nixpkgs, and no more: enough to evaluate all of it without a network.
# A name that is not here is an error, as a misspelt one would be.
{
  outputs =
    { self }:
    let
      genAttrs =
        names: function:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = function name;
          }) names
        );
      packagesOf =
        system:
        let
          package =
            name:
            derivation {
              inherit name system;
              builder = "/bin/sh";
              args = [
                "-c"
                "echo > $out"
              ];
            };
        in
        {
          nodejs_24 = package "nodejs-24";
          redis = package "redis";
          etcd = package "etcd";
          nixfmt-tree = package "nixfmt-tree";
          mkShell =
            { packages }:
            derivation {
              name = "shell";
              inherit system packages;
              builder = "/bin/sh";
            };
          writeShellScript =
            name: text:
            derivation {
              inherit name system text;
              builder = "/bin/sh";
            };
        };
    in
    {
      lib = { inherit genAttrs; };
      legacyPackages = genAttrs [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ] packagesOf;
    };
}

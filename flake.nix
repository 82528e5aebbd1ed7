{
  description = "One terminal screen over every store that your integrations log into";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs =
    { self, nixpkgs }:
    let
      manifest = fromTOML (builtins.readFile ./Cargo.toml);
      each = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
    in
    {
      packages = each (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        {
          default = pkgs.rustPlatform.buildRustPackage {
            pname = "crosstail";
            version = manifest.workspace.package.version;
            src = self;
            cargoLock.lockFile = ./Cargo.lock;
            buildType = "dist";
            buildFeatures = [ "full" ];
            env.OPENSSL_NO_VENDOR = 1;
            nativeBuildInputs = [ pkgs.pkg-config pkgs.perl pkgs.installShellFiles ];
            buildInputs = [ pkgs.openssl pkgs.zlib ];
            # The tests want servers and terminals.
            doCheck = false;
            postInstall = ''
              for shell in bash zsh fish; do $out/bin/crosstail completions $shell > crosstail.$shell; done
              installShellCompletion crosstail.{bash,zsh,fish}
              $out/bin/crosstail man > crosstail.1
              installManPage crosstail.1
            '';
            meta = {
              description = manifest.package.description;
              license = with pkgs.lib.licenses; [ mit asl20 ];
              mainProgram = "crosstail";
            };
          };
        }
      );
    };
}

# A Homebrew formula: brew install --formula ./crosstail.rb
class Crosstail < Formula
  desc "@ABOUT@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

@FORMULA@

  def install
    bin.install "crosstail"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/crosstail.bash" => "crosstail"
    zsh_completion.install "completions/_crosstail"
    fish_completion.install "completions/crosstail.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/crosstail --version")
  end
end

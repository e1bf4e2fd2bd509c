"""What the commands of bench, fuzz and tests/crash begin with: packages, and a build."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def packages(*lists):
    """Installs what is missing of these lists of tools/packages.sh, or ends the program."""
    wanted = " ".join("$%s_packages" % name for name in lists)
    script = '. "$0/tools/packages.sh" && install_missing ' + wanted
    if subprocess.run(["sh", "-c", script, ROOT], check=False).returncode:
        sys.exit("%s: packages are missing" % os.path.basename(sys.argv[0]))


def build(folder, *options, targets=(), compiler=None):
    """What it has to say goes to standard error: standard output is the command's own."""
    env = dict(os.environ, CC=compiler) if compiler else None
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["meson", "setup", folder, ROOT, *options], env=env, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "--quiet", "-C", folder, *targets], env=env, check=True, stdout=sys.stderr)

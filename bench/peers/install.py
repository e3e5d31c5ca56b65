"""install.py: brings the peers, without changing the system: packages of Debian are unpacked, not
installed, so that no service of theirs starts and nothing outside of the build directory is written;
modules of npm are installed beside them. What the system has already is used as it is."""

import glob
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
          "/usr/lib/postgresql/*/bin"]
LIMIT = 300         # seconds that apt or npm may take


class Missing(Exception):
    """A peer cannot be had, or cannot be started: why, for people."""


def call(command, cwd=None):
    """Runs apt or npm; gives what it printed."""
    try:
        ended = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("%s: %s" % (command[0], error)) from None
    if ended.returncode != 0:
        lines = [line for line in (ended.stderr or ended.stdout).strip().splitlines()
                 if not line.startswith(("W:", "npm warn", "npm error code"))]
        raise Missing("%s failed: %s" % (" ".join(command[:2]), " ".join(lines[:2])))
    return ended.stdout


class Shelf:
    """The directory where what was brought lies: debian/ and node/."""

    def __init__(self, path):
        self.debian = os.path.join(path, "debian")
        self.node = os.path.join(path, "node")
        self.is_updated = False
        os.makedirs(self.debian, exist_ok=True)

    def find(self, program):
        """Its path, ours before the system's; or None."""
        for folder in [self.debian + folder for folder in SYSTEM] + SYSTEM:
            found = sorted(glob.glob(os.path.join(folder, program)))
            if found:
                return found[-1]       # not where it leads to: redis-server goes by its name
        return None

    def program(self, program, package):
        """Its path; the package is fetched and unpacked where there is none."""
        path = self.find(program)
        if path is None:
            self.unpack(package)
            path = self.find(program)
        if path is None:
            raise Missing("%s is not in the package %s" % (program, package))
        return path

    def unpack(self, package):
        """It, and what it depends on and the system has not."""
        if not self.is_updated and os.geteuid() == 0:
            call(["apt-get", "-q", "update"])
            self.is_updated = True
        plan = call(["apt-get", "-s", "--no-install-recommends", "install", package])
        wanted = re.findall(r"^Inst (\S+) \((\S+)", plan, re.MULTILINE)     # no upgrades: "Inst x [1.0]"
        if not wanted:
            raise Missing("apt has no package %s to install" % package)
        folder = os.path.join(self.debian, ".packages")
        os.makedirs(folder, exist_ok=True)
        call(["apt-get", "-q", "download"] + ["%s=%s" % pair for pair in wanted], cwd=folder)
        for file in glob.glob(os.path.join(folder, "*.deb")):
            call(["dpkg-deb", "--extract", file, self.debian])
            os.remove(file)

    def environment(self):
        """For programs that were unpacked: where their libraries are."""
        folders = glob.glob(os.path.join(self.debian, "usr/lib/*-linux-gnu"))
        return dict(os.environ, LD_LIBRARY_PATH=":".join(folders), LC_ALL="C.UTF-8")

    def modules(self):
        """The directory that has node_modules with all of package.json in the pinned versions."""
        for program in ("node", "npm"):
            if shutil.which(program) is None:
                raise Missing("%s is not installed: apt-get install nodejs npm" % program)
        wanted = [os.path.join(HERE, name) for name in ("package.json", "package-lock.json")]
        have = [os.path.join(self.node, os.path.basename(path)) for path in wanted]
        done = os.path.join(self.node, "installed")
        if os.path.exists(done) and all(same(a, b) for a, b in zip(wanted, have)):
            return self.node
        shutil.rmtree(self.node, ignore_errors=True)
        os.makedirs(self.node)
        for path in wanted:
            shutil.copy(path, self.node)
        # Not "npm ci": it refuses a lock without the optional packages of all other systems.
        call(["npm", "install", "--no-save", "--ignore-scripts", "--omit=optional", "--no-audit",
              "--no-fund"], cwd=self.node)
        with open(done, "w", encoding="utf-8"):
            return self.node


def same(a, b):
    with open(a, "rb") as first, open(b, "rb") as second:
        return first.read() == second.read()

"""What tests/faults/power.c keeps of a directory: what was synced, and no more."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../blackbox"))

from daemon import FAULTS                                           # noqa: E402



class Power(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-power-")
        self.addCleanup(folder.cleanup)
        self.data, self.copy = (os.path.join(folder.name, n) for n in ("data", "copy"))
        self.boot = os.path.join(folder.name, "boot")
        os.mkdir(self.data)
        os.mkdir(self.copy)

    def run_in(self, script, seed=1, leak=0):
        """Runs Python under the library, in the directory; gives its stdout."""
        env = {**os.environ, "LD_PRELOAD": os.path.join(FAULTS, "libpower.so"),
               "PAWL_POWER_DIR": self.data, "PAWL_POWER_COPY": self.copy,
               "PAWL_POWER_SEED": str(seed), "PAWL_POWER_LEAK": str(leak)}
        if os.path.exists(self.boot):
            env["PAWL_POWER_BOOT"] = self.boot
        done = subprocess.run([sys.executable, "-c", "import os, mmap, sqlite3\n" + script],
                              cwd=self.data, env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def kept(self):
        found = {}
        for name in os.listdir(self.copy):
            with open(os.path.join(self.copy, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_power_keeps_what_was_synced(self):
        self.run_in("""
f = os.open('a', os.O_RDWR | os.O_CREAT); g = os.dup(f)
os.write(f, b'first '); os.pwrite(f, b'second', 6); os.fsync(g)
os.pwrite(f, b'FIRST', 0); os.writev(f, [b' th', b'ird'])
h = os.open('b', os.O_WRONLY | os.O_CREAT); os.write(h, b'x')
""")
        self.assertEqual(self.kept(), {"a": b"first second"})

    def test_power_keeps_all_after_the_last_sync(self):
        self.run_in("""
f = os.open('a', os.O_RDWR | os.O_CREAT)
for i in range(2000):
    os.pwrite(f, b'%04d' % i, (i * 7919 % 2000) * 4)
    if i % 100 == 7: os.fdatasync(f)
os.ftruncate(f, 4000); os.ftruncate(f, 9000); os.fdatasync(f)
""")
        with open(os.path.join(self.data, "a"), "rb") as file:
            self.assertEqual(self.kept(), {"a": file.read()})

    def test_power_keeps_what_an_earlier_process_wrote_and_this_one_syncs(self):
        self.run_in("f = os.open('a', os.O_RDWR | os.O_CREAT); os.write(f, b'12345'); os.fsync(f)")
        self.run_in("f = os.open('a', os.O_RDWR); os.pwrite(f, b'x', 1)")
        self.assertEqual(self.kept(), {"a": b"12345"})
        self.run_in("f = os.open('a', os.O_RDWR); os.pwrite(f, b'y', 3); os.fsync(f)")
        self.assertEqual(self.kept(), {"a": b"1x3y5"})

    def test_power_shrinks_with_a_sync_only(self):
        self.run_in("""
f = os.open('a', os.O_RDWR | os.O_CREAT); os.write(f, b'12345'); os.fsync(f); os.ftruncate(f, 2)
""")
        self.assertEqual(self.kept(), {"a": b"12345"})
        self.run_in("f = os.open('a', os.O_RDWR); os.posix_fallocate(f, 0, 4); os.fsync(f)")
        self.assertEqual(self.kept(), {"a": b"12\0\0"})

    def test_power_keeps_of_a_mapping_what_was_synced(self):
        self.run_in("""
f = os.open('runs', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 8192); os.fsync(f)
m = mmap.mmap(f, 8192); m[0:2] = b'ab'; m[5000:5002] = b'cd'
""")
        self.assertEqual(self.kept(), {"runs": bytes(8192)})
        self.run_in("""
f = os.open('runs', os.O_RDWR); m = mmap.mmap(f, 8192); m[0:2] = b'xy'; m.flush(); m[0:2] = b'zz'
""")
        kept = self.kept()["runs"]
        self.assertEqual((kept[0:2], kept[5000:5002]), (b"xy", b"cd"))

    def test_power_changes_names_with_a_sync_or_at_once(self):
        ways = set()
        for seed in range(1, 20):
            self.run_in("""
for name in ('a', 'b', 'c'):
    f = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC); os.write(f, name.encode()); os.fsync(f)
""")
            self.run_in("os.rename('a', 'b'); os.unlink('c')", seed)
            ways.add(json.dumps({k: v.decode() for k, v in sorted(self.kept().items())}))
            self.run_in("""
f = os.open('d', os.O_RDWR | os.O_CREAT); os.write(f, b'd')
os.rename('d', 'e'); os.fsync(os.open('.', os.O_RDONLY)); os.unlink('e')
""")
            self.assertIn(self.kept().get("e"), (b"", None))
            for name in os.listdir(self.data):
                os.unlink(os.path.join(self.data, name))
            for name in os.listdir(self.copy):
                os.unlink(os.path.join(self.copy, name))
        self.assertEqual(ways, {'{"a": "a", "b": "b", "c": "c"}', '{"b": "a"}'})

    def test_power_replaces_a_file_whole(self):
        self.run_in("""
f = os.open('a', os.O_RDWR | os.O_CREAT); os.write(f, b'a long old one'); os.fsync(f)
os.unlink('a'); f = os.open('a', os.O_RDWR | os.O_CREAT); os.write(f, b'new'); os.fsync(f)
""")
        self.assertEqual(self.kept(), {"a": b"new"})

    def test_power_may_let_unsynced_pages_through(self):
        self.run_in("""
f = os.open('a', os.O_RDWR | os.O_CREAT); os.write(f, bytes(1 << 20)); os.fsync(f)
for i in range(256): os.pwrite(f, b'x' * 4096, i * 4096)
""", leak=300)
        kept = self.kept()["a"]
        through = sum(kept[i:i + 4096] == b"x" * 4096 for i in range(0, 1 << 20, 4096))
        self.assertTrue(20 < through < 200, through)

    def test_power_boots_anew(self):
        with open(self.boot, "w") as file:
            file.write("another\n")
        path = "/proc/sys/kernel/random/boot_id"
        self.assertEqual(self.run_in(f"print(open('{path}').read(), end='')"), "another\n")

    def test_power_keeps_sqlite_whole(self):
        commits = """
c = sqlite3.connect('db', isolation_level=None); c.execute('pragma journal_mode=wal')
c.execute('pragma synchronous=%s'); c.execute('pragma wal_autocheckpoint=20')
c.execute('create table if not exists t (i integer primary key, x)')
n, = c.execute('select count(*) from t').fetchone()
for i in range(n, n + 100):
    c.execute('insert into t values (?, ?)', (i, 'x' * 500))
print(n + 100, flush=True); os._exit(0)
"""
        for level, leak in (("full", 0), ("full", 100), ("normal", 0), ("normal", 100)):
            for cycle in range(4):
                wrote = int(self.run_in(commits % level, cycle + 1, leak))
                subprocess.run(["rm", "-r", self.data], check=True)
                subprocess.run(["cp", "-r", self.copy, self.data], check=True)
                found = self.run_in("""
c = sqlite3.connect('db'); print(c.execute('pragma integrity_check').fetchone()[0])
print(c.execute('select count(*) from t').fetchone()[0]); os._exit(0)""", cycle + 1)
                check, n = found.split()
                self.assertEqual(check, "ok")
                if level == "full":
                    self.assertEqual(int(n), wrote)
                else:
                    self.assertLessEqual(int(n), wrote)


if __name__ == "__main__":
    unittest.main()

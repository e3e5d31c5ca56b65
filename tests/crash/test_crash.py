"""The crash harness against daemons whose end is known: one that forgets all must be caught."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Crash(unittest.TestCase):
    def crash(self, *options):
        done = subprocess.run([sys.executable, os.path.join(HERE, "crash.py"), "--seed", "1",
                               "--mode", "sync", "--ephemeral", *options],
                              capture_output=True, text=True, timeout=280)
        return done.returncode, done.stdout + done.stderr

    def test_crash_is_clean_without_a_kill(self):
        status, out = self.crash("--no-kills", "--cycles", "1")
        self.assertEqual(status, 0, out)
        self.assertRegex(out, r"[1-9]\d* acks, \d+ runs checked.*seed 1: clean")

    def test_crash_catches_a_daemon_that_forgets(self):
        status, out = self.crash("--cycles", "30", "--discard")
        self.assertEqual(status, 1, out)
        self.assertIn("VIOLATION", out)
        self.assertIn("an accepted task is missing", out)
        self.assertIn("submit: accepted", out)      # its history


if __name__ == "__main__":
    unittest.main()

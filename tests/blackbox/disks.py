"""Small disks that can be filled up: a file system in memory where this process may mount one, and
directories in which a library makes writes fail for lack of room (tests/faults/disk_full.c)."""

import contextlib
import ctypes
import os
import tempfile

from daemon import preload

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 32, 0x4000, 0x40000, 2
libc = ctypes.CDLL(None, use_errno=True)


def check(what, result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def own_mounts():
    """Gives this process mounts of its own, which end with it. As another user than root it becomes
    root in a namespace of users, where it keeps its number."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS) != 0:
        check("unshare", libc.unshare(CLONE_NEWNS | CLONE_NEWUSER))
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                           ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    check("mount", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


class Mounted:
    """A tmpfs."""

    ready = None                # or the error of the first try

    def __init__(self, case, size):
        if Mounted.ready is None:
            try:
                own_mounts()
                Mounted.ready = True
            except OSError as error:
                Mounted.ready = error
        if Mounted.ready is not True:
            case.skipTest(f"no file system can be mounted here ({Mounted.ready}); the same is "
                          "tested with a library that makes writes fail")
        folder = tempfile.TemporaryDirectory(prefix="pawl-blackbox-")
        case.addCleanup(folder.cleanup)
        self.dir = os.path.realpath(folder.name)
        check("mount", libc.mount(b"tmpfs", self.dir.encode(), b"tmpfs", 0,
                                  f"size={size},mode=0700,uid={os.geteuid()}".encode()))
        case.addCleanup(lambda: check("umount", libc.umount2(self.dir.encode(), MNT_DETACH)))
        self.env = {}
        self.ballast = self.dir + "/ballast"

    def room(self):
        at = os.statvfs(self.dir)
        return at.f_bavail * at.f_frsize

    def fill(self, left=0):
        """Leaves so many bytes of room."""
        page = os.sysconf("SC_PAGE_SIZE")
        more = (self.room() - left) // page * page
        with open(self.ballast, "ab") as file:
            size = file.tell()
            if more > 0:
                os.posix_fallocate(file.fileno(), size, more)
            else:
                os.truncate(self.ballast, size + more)

    def make_read_only(self):
        check("mount", libc.mount(b"tmpfs", self.dir.encode(), b"tmpfs", MS_REMOUNT | MS_RDONLY, None))

    def empty(self):
        """Makes room again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ballast)


class Counted:
    """A directory in which bytes are counted."""

    def __init__(self, case, size):
        folder = tempfile.TemporaryDirectory(prefix="pawl-blackbox-")
        case.addCleanup(folder.cleanup)
        self.dir = os.path.realpath(folder.name) + "/data"
        os.mkdir(self.dir, 0o700)
        self.fault = os.path.realpath(folder.name) + "/fault"
        self.env = preload("disk_full", self.fault, FAULT_DIR=self.dir)

    def used(self):
        with os.scandir(self.dir) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)

    def room(self):
        with open(self.fault) as file:
            return int(file.read()) - self.used()

    def fill(self, left=0):
        with open(self.fault + ".new", "w") as file:
            file.write(str(self.used() + left))
        os.rename(self.fault + ".new", self.fault)

    def empty(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.fault)

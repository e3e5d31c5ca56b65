#!/usr/bin/python3
"""exports.py HEADER MAP LIBRARY: libpawl exports exactly the functions of pawl.h.

The linker's list must name each function that the header declares and nothing else, and the
dynamic symbols of the library must be just these."""
import re
import subprocess
import sys


def declared(header):
    text = re.sub(r"/\*.*?\*/", "", open(header).read(), flags=re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    return set(re.findall(r"(?<!\*)\b(pawl_\w+)\s*\(", text))


def listed(path):
    text = re.sub(r"#.*", "", open(path).read())
    names = text[text.index("global:") + 7 : text.index("local:")]
    return set(re.findall(r"\w+", names))


def exported(library):
    """Defined dynamic symbols, without the name of the version itself."""
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = [line.split()[-2:] for line in lines]
    return {name.partition("@")[0] for kind, name in symbols if kind != "A"}


def main():
    header, path, library = sys.argv[1:]
    want = declared(header)
    failed = len(want) < 20  # else the header was not understood
    for what, have in (path, listed(path)), (library, exported(library)):
        for name in sorted(want ^ have):
            print(f"{name}: {'missing from' if name in want else 'too much in'} {what}")
            failed = True
    print(f"{len(want)} functions declared")
    return failed


sys.exit(main())

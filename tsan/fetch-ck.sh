#!/bin/sh
echo "tsan/fetch-ck.sh: not written yet" >&2
exit 1

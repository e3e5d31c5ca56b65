#!/bin/sh
# run-planted.sh BUILD_DIR [NAME]: shows that the ThreadSanitizer gate can fail. Each planted
# program must be reported in one of up to 20 rounds, and its twin without the race stay silent.
set -u

build=${1:?usage: run-planted.sh BUILD_DIR [NAME]}
name=${2:-*}
rounds=20
twin_rounds=5
failed=0

# With more random address bits than 28 gcc 12 and clang 14 cannot place their shadow memory.
fixed=
[ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -le 28 ] || fixed='setarch -R'
export TSAN_OPTIONS=exitcode=66:halt_on_error=1:history_size=4

# run PROGRAM: its output in $output, its exit status returned.
run() {
    output=$($fixed timeout 60 "$1" 2>&1)
}

must_report() {
    round=0
    while [ $round -lt $rounds ]; do
        round=$((round + 1))
        run "$1"
        status=$?
        case $status:$output in
        66:*'ThreadSanitizer: data race'* | 66:*'ThreadSanitizer: heap-use-after-free'*)
            echo "${1##*/}: reported in round $round"
            return ;;
        0:*) ;;
        *)
            echo "${1##*/}: FAILED, exit status $status without a race report"
            echo "$output"
            failed=1
            return ;;
        esac
    done
    echo "${1##*/}: FAILED, its race was missed $rounds times"
    failed=1
}

must_be_silent() {
    for round in $(seq $twin_rounds); do
        if ! run "$1" || [ -n "$output" ]; then
            echo "${1##*/}: FAILED, not silent in round $round"
            echo "$output"
            failed=1
            return
        fi
    done
    echo "${1##*/}: silent $twin_rounds times"
}

found=0
for twin in "$build"/tsan/planted_${name}_clean; do
    [ -x "$twin" ] || continue
    must_be_silent "$twin"
    for program in "${twin%_clean}"_[0-9]; do
        must_report "$program"
        found=$((found + 1))
    done
done
[ $found -gt 0 ] || { echo "run-planted.sh: no planted program in $build" >&2; exit 1; }
exit $failed

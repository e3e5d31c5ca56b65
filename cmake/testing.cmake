# How a program becomes a test. Any sanitizer report fails it: by the exit status, and for
# processes that a test starts and ends itself by the report files (see sanitizer_reports).

set(PAWL_REPORTS ${CMAKE_BINARY_DIR}/reports)
set(asan_options exitcode=66:detect_stack_use_after_return=1)
set(ubsan_options print_stacktrace=1:halt_on_error=1)
set(tsan_options exitcode=66:halt_on_error=0:second_deadlock_stack=1:history_size=4)
set(PAWL_TEST_ENV
    ASAN_OPTIONS=${asan_options}
    UBSAN_OPTIONS=${ubsan_options}
    TSAN_OPTIONS=${tsan_options})
set(PAWL_BLACKBOX_ENV
    ASAN_OPTIONS=${asan_options}:log_path=${PAWL_REPORTS}/report
    UBSAN_OPTIONS=${ubsan_options}:log_path=${PAWL_REPORTS}/report
    TSAN_OPTIONS=${tsan_options}:log_path=${PAWL_REPORTS}/report
    PAWLD=${CMAKE_BINARY_DIR}/pawld
    PAWL=${CMAKE_BINARY_DIR}/pawl)

# A sanitizer slows a program by up to ten times.
set(PAWL_SLOWDOWN 1)
if(PAWL_SANITIZE)
    set(PAWL_SLOWDOWN 5)
endif()

# pawl_add_test(NAME SECONDS COMMAND...): a ctest test with a time limit.
function(pawl_add_test name seconds)
    math(EXPR limit "${seconds} * ${PAWL_SLOWDOWN}")
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${limit} ENVIRONMENT "${PAWL_TEST_ENV}")
endfunction()

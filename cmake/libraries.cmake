# The libraries from Debian, each as one target, so that the folders name what they need
# and nothing else.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(name libmicrohttpd simdjson libcurl libcares jansson libxxhash sqlite3 zlib libzstd cmocka jemalloc)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${name})
endforeach()

# pawl-cctz: time zones. Debian's package brings no .pc file.
find_path(PAWL_CCTZ_INCLUDE cctz/time_zone.h REQUIRED)
find_library(PAWL_CCTZ cctz REQUIRED)
add_library(pawl-cctz INTERFACE)
target_link_libraries(pawl-cctz INTERFACE ${PAWL_CCTZ})
target_include_directories(pawl-cctz SYSTEM INTERFACE ${PAWL_CCTZ_INCLUDE})

# pawl-malloc: jemalloc for what we ship and measure; the sanitizers bring their own malloc.
# It replaces malloc by being linked, not by being called, so the linker must keep it.
add_library(pawl-malloc INTERFACE)
if(NOT PAWL_SANITIZE)
    target_link_options(pawl-malloc INTERFACE
        LINKER:--push-state,--no-as-needed ${jemalloc_LDFLAGS} LINKER:--pop-state)
endif()

# pawl-ck: Concurrency Kit. Debian's library in release and debug; under a sanitizer two of its
# source files, compiled like ours, because a sanitizer sees only what it compiled.
# The thread sanitizer also needs headers whose atomics it understands: tsan/README.md.
if(NOT PAWL_SANITIZE)
    add_library(pawl-ck INTERFACE)
    target_link_libraries(pawl-ck INTERFACE ck)
else()
    set(PAWL_CK_SRC ${CMAKE_SOURCE_DIR}/build/ck-src CACHE PATH "where tsan/fetch-ck.sh puts CK")
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tsan/fetch-ck.sh ${PAWL_CK_SRC}
        COMMAND_ERROR_IS_FATAL ANY)
    add_library(pawl-ck STATIC ${PAWL_CK_SRC}/ck_epoch.c ${PAWL_CK_SRC}/ck_hs.c)
    target_compile_options(pawl-ck PRIVATE -w)
    if(PAWL_SANITIZE STREQUAL "thread")
        target_include_directories(pawl-ck SYSTEM BEFORE PUBLIC ${CMAKE_SOURCE_DIR}/tsan/include)
    endif()
endif()

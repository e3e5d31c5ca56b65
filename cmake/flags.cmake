# Flags that every target gets, by build type, compiler and sanitizer.
# Asserts stay on in every build: they state our own bugs, and none is costly.

set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
set(CMAKE_C_FLAGS_SANITIZE "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g -fno-omit-frame-pointer")

add_compile_definitions($<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE>)
add_compile_options(-pthread -Wall -Wextra -Wpedantic)
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wshadow;-Wstrict-prototypes;-Wmissing-prototypes>")
add_compile_options($<$<C_COMPILER_ID:Clang>:-Wthread-safety>)
add_link_options(-pthread)
if(PAWL_WERROR)
    add_compile_options(-Werror)
endif()

if(PAWL_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(PAWL_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread)
    add_link_options(-fsanitize=thread)
elseif(PAWL_SANITIZE)
    message(FATAL_ERROR "PAWL_SANITIZE is empty, address or thread, not '${PAWL_SANITIZE}'")
endif()

/* ck_pr.h, found before CK's own under ThreadSanitizer only: the same operations, said with
 * __atomic builtins that the sanitizer follows, where CK says them in inline assembly.
 *
 * Loads acquire, stores release, read-modify-writes are sequentially consistent: what x86
 * gives to each of CK's instructions. So a missing fence for a weaker processor is not found
 * here (README.md). The rest of the interface CK derives from these, in its own ck_pr.h. */
#ifndef PAWL_TSAN_CK_PR_H
#define PAWL_TSAN_CK_PR_H

#include <ck_cc.h>
#include <ck_md.h>
#include <ck_stdbool.h>
#include <ck_stdint.h>

/* Keep CK from defining them: no assembly, no <gcc/ck_pr.h>, nothing on doubles. */
#define CK_USE_CC_BUILTINS 1
#define CK_PR_GCC_H
#define CK_PR_DISABLE_DOUBLE

/* What CK's derived part may take as given: all that its builtins port has, and exchange. */
#include <gcc/ck_f_pr.h>
#define CK_F_PR_FAS_PTR
#define CK_F_PR_FAS_CHAR
#define CK_F_PR_FAS_INT
#define CK_F_PR_FAS_UINT
#define CK_F_PR_FAS_64
#define CK_F_PR_FAS_32
#define CK_F_PR_FAS_16
#define CK_F_PR_FAS_8

#define PAWL_PR static inline CK_CC_UNUSED

PAWL_PR void
ck_pr_barrier(void)
{
    __asm__ __volatile__("" ::: "memory");
}

PAWL_PR void
ck_pr_stall(void)
{
    ck_pr_barrier();
}

/* On x86 only the order of a store and a later load needs an instruction. */
#define PAWL_PR_FENCE(name) \
    PAWL_PR void ck_pr_fence_strict_##name(void) { __sync_synchronize(); }
PAWL_PR_FENCE(atomic)
PAWL_PR_FENCE(atomic_load)
PAWL_PR_FENCE(atomic_store)
PAWL_PR_FENCE(store_atomic)
PAWL_PR_FENCE(load_atomic)
PAWL_PR_FENCE(load)
PAWL_PR_FENCE(load_store)
PAWL_PR_FENCE(store)
PAWL_PR_FENCE(store_load)
PAWL_PR_FENCE(memory)
PAWL_PR_FENCE(acquire)
PAWL_PR_FENCE(release)
PAWL_PR_FENCE(acqrel)
PAWL_PR_FENCE(lock)
PAWL_PR_FENCE(unlock)

/* name: CK's suffix; arg: what the target points to in the prototype; type: what is stored
 * there; num: the type to calculate in (a pointer is calculated with as a number). */
#define PAWL_PR_WORD(name, arg, type, num)                                                 \
    PAWL_PR type ck_pr_md_load_##name(const arg *target)                                   \
    {                                                                                      \
        return __atomic_load_n((type const *)target, __ATOMIC_ACQUIRE);                    \
    }                                                                                      \
    PAWL_PR type ck_pr_fas_##name(arg *target, type value)                                 \
    {                                                                                      \
        return __atomic_exchange_n((type *)target, value, __ATOMIC_SEQ_CST);               \
    }                                                                                      \
    PAWL_PR bool ck_pr_cas_##name(arg *target, type expected, type value)                  \
    {                                                                                      \
        return __atomic_compare_exchange_n((type *)target, &expected, value, false,        \
            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                           \
    }                                                                                      \
    PAWL_PR num ck_pr_faa_##name(arg *target, num value)                                   \
    {                                                                                      \
        return __atomic_fetch_add((num *)target, value, __ATOMIC_SEQ_CST);                 \
    }                                                                                      \
    PAWL_PR_VOID(add, name, arg, num)                                                      \
    PAWL_PR_VOID(sub, name, arg, num)                                                      \
    PAWL_PR_VOID(and, name, arg, num)                                                      \
    PAWL_PR_VOID(or, name, arg, num)                                                       \
    PAWL_PR_VOID(xor, name, arg, num)                                                      \
    PAWL_PR void ck_pr_inc_##name(arg *target) { ck_pr_add_##name(target, 1); }            \
    PAWL_PR void ck_pr_dec_##name(arg *target) { ck_pr_sub_##name(target, 1); }

#define PAWL_PR_VOID(op, name, arg, num)                                                   \
    PAWL_PR void ck_pr_##op##_##name(arg *target, num value)                               \
    {                                                                                      \
        (void)__atomic_fetch_##op((num *)target, value, __ATOMIC_SEQ_CST);                 \
    }

/* A failed exchange hands back what it found; arg is the type of that place. */
#define PAWL_PR_STORE(name, arg, value_arg, type)                                          \
    PAWL_PR void ck_pr_md_store_##name(arg *target, value_arg value)                       \
    {                                                                                      \
        __atomic_store_n((type *)target, (type)value, __ATOMIC_RELEASE);                   \
    }                                                                                      \
    PAWL_PR bool ck_pr_cas_##name##_value(arg *target, type expected, type value, arg *was) \
    {                                                                                      \
        bool done = __atomic_compare_exchange_n((type *)target, &expected, value, false,   \
            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                           \
        *(type *)was = expected;                                                           \
        return done;                                                                       \
    }

#define PAWL_PR_INTEGER(name, type) \
    PAWL_PR_WORD(name, type, type, type) PAWL_PR_STORE(name, type, type, type)

PAWL_PR_WORD(ptr, void, void *, uintptr_t)
PAWL_PR_STORE(ptr, void, const void *, void *)
PAWL_PR_INTEGER(char, char)
PAWL_PR_INTEGER(int, int)
PAWL_PR_INTEGER(uint, unsigned int)
PAWL_PR_INTEGER(64, uint64_t)
PAWL_PR_INTEGER(32, uint32_t)
PAWL_PR_INTEGER(16, uint16_t)
PAWL_PR_INTEGER(8, uint8_t)

#undef PAWL_PR_INTEGER
#undef PAWL_PR_STORE
#undef PAWL_PR_WORD
#undef PAWL_PR_VOID
#undef PAWL_PR_FENCE
#undef PAWL_PR

#include_next <ck_pr.h>

#endif

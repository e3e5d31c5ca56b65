/* bare_loop.h: what running scripts costs at least: a loop that does nothing else. It starts the
 * same bash with the same script by the same kind of clone, reads its stdout from a pipe and reaps
 * it by its pidfd, in one epoll a thread. It knows no tasks and keeps no output. */
#ifndef PAWL_BARE_LOOP_H
#define PAWL_BARE_LOOP_H

#include <stddef.h>

/* Runs the script n times on nthreads threads, at most `concurrency` at once in all.
 * Blocks: until all have ended. */
void
pawl_bare_loop(const char *shell, const char *script, size_t n, unsigned nthreads,
               unsigned concurrency);

#endif

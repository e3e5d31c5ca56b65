/* spec.h: what a new task may be: the bounds of contract and header, checked in one place. */
#ifndef PAWL_SPEC_H
#define PAWL_SPEC_H

#include <pawl.h>

/* Threads: any. Blocks: no. Errors: PAWL_EINVAL, err names the field. */
int
pawl_spec_check(const struct pawl_spec *spec, struct pawl_err *err);

/* The field of a task document that says when: of several triggers, "triggers". A literal. */
const char *
pawl_spec_when_field(const struct pawl_when *when);

#endif

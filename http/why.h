/* why.h: why a task's next run is when it is, in sentences for people. */
#ifndef PAWL_WHY_H
#define PAWL_WHY_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/cron.h"
#include "buffer.h"
#include "pawl.h"

#define PAWL_WHY_DESCRIPTION_MAX 1024

/* What one trigger means. */
struct pawl_why_trigger {
    const struct pawl_trigger *trigger;
    struct pawl_cron cron;              /* of CRON and CALENDAR */
    struct pawl_cron_notes notes;
    char description[PAWL_WHY_DESCRIPTION_MAX];
};

/* What is known of the task; one that has no schedule is given one of a single span. */
struct pawl_why {
    const struct pawl_view *view;
    const struct pawl_when *when;
    const struct pawl_why_trigger *triggers;    /* one of each of when's */
    const struct pawl_zone *zone;       /* of the times that are shown */
    int64_t now_ns;                     /* wall from here */
    int64_t next_ns;                    /* PAWL_NO_TIME: none that can be told */
    int64_t jitter_ns;                  /* how much of it is jitter */
    size_t nwaiting;                    /* times that have come; counted up to PAWL_WHY_WAITING_MAX */
};
#define PAWL_WHY_WAITING_MAX 100

/* Parses and describes a trigger of a view's task. False: out of memory.
 * Threads: any. Blocks: only for a zone not seen before. Owns: borrows trigger. */
bool
pawl_why_read(const struct pawl_view *view, const struct pawl_when *when,
              const struct pawl_trigger *trigger, struct pawl_why_trigger *out);

/* Puts `warnings` into the document that out ends with: what is legal in the expressions of the
 * view's task but surely not meant. Nothing where there is nothing to say.
 * Threads: any. Blocks: only for a zone not seen before. */
void
pawl_why_add_warnings(struct pawl_buffer *out, const struct pawl_view *view);

/* Writes the sentences as JSON strings with commas between. Threads: any. Blocks: no. */
void
pawl_why_write(struct pawl_buffer *out, const struct pawl_why *why);

/* The same of what changes of the offset do between now and the next run, behind others.
 * why_zone.c. Threads: any. Blocks: no. */
void
pawl_why_write_changes(struct pawl_buffer *out, const struct pawl_why *why);

/* Appends one sentence. */
void
pawl_why_say(struct pawl_buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A wall time for people, "Sun 2027-03-28 03:00:00 +02:00". */
#define PAWL_WHY_TIME_MAX 48
const char *
pawl_why_time(const struct pawl_zone *zone, int64_t wall_ns, char out[PAWL_WHY_TIME_MAX]);

#endif

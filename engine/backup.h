/* backup.h: copies of the store, written beside all other work. */
#ifndef PAWL_BACKUP_H
#define PAWL_BACKUP_H

#include <pawl.h>

struct pawl_backups;

/* NULL: out of memory. */
struct pawl_backups *
pawl_backups_new(struct pawl *engine);
/* Waits for a copy that is being written. NULL is accepted. Threads: one, last. */
void
pawl_backups_free(struct pawl_backups *backup);

#endif

/* state_dir.h: where tasks are kept when nobody said where. */
#ifndef PAWL_STATE_DIR_H
#define PAWL_STATE_DIR_H

#include <stdbool.h>

#include "pawl.h"

/* $XDG_STATE_HOME/pawl where that is set, else /var/lib/pawl for root, else
 * ~/.local/state/pawl. Both may be NULL; neither counts unless it is an absolute path.
 * Threads: any. Blocks: no. Owns: gives, free(). Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_state_dir(bool is_root, const char *xdg_state_home, const char *home, char **out_dir,
               struct pawl_err *err);

#endif

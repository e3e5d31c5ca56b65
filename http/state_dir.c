/* state_dir.c: see state_dir.h. After the XDG Base Directory Specification, which also says that
 * relative paths are to be ignored. */
#include "state_dir.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOT_DIR "/var/lib/pawl"

static bool
is_absolute(const char *path)
{
    return path != NULL && *path == '/';
}

int
pawl_state_dir(bool is_root, const char *xdg_state_home, const char *home, char **out_dir,
               struct pawl_err *err)
{
    int n;

    if (is_absolute(xdg_state_home)) {
        n = asprintf(out_dir, "%s/pawl", xdg_state_home);
    } else if (is_root) {
        n = asprintf(out_dir, ROOT_DIR);
    } else if (is_absolute(home)) {
        n = asprintf(out_dir, "%s/.local/state/pawl", home);
    } else {
        *err = (struct pawl_err){PAWL_EINVAL, NULL,
            "where are tasks to be kept? Neither XDG_STATE_HOME nor HOME is set: say --data DIR, or "
            "--ephemeral to keep them in memory only"};
        return PAWL_EINVAL;
    }
    if (n >= 0)
        return PAWL_OK;
    *err = (struct pawl_err){PAWL_ENOMEM, NULL, "out of memory"};
    return PAWL_ENOMEM;
}
